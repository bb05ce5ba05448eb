//! The inbox as services use it: with a long poll and with webhooks, by the sample of the manual and by one in another language.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use domicile::base::Stopwatch;
use rusqlite::named_params;
use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Call, free_port, tool, tool_script, wait_for};

const EGRESS: &str = "[[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"webhooks\"\n";

fn inbox(site: &Appliance, credential: &str, query: &str) -> Answer {
    site.call("GET", &format!("/v1/inbox{query}")).bearer(credential).send()
}

fn acknowledge(site: &Appliance, credential: &str, id: &str, body: &Value) -> Answer {
    site.call("POST", &format!("/v1/inbox/{id}/ack")).bearer(credential).json(body).send()
}

fn details_of(site: &Appliance, command: &str) -> Value {
    serde_json::from_str(&site.run(&["inbox", "show", command, "--json"]).ok()).unwrap()
}

#[test]
fn a_service_reads_and_acknowledges_its_own_commands_only() {
    let site = Appliance::running();
    let (training, other) = (site.service("training"), site.service("other"));
    let id = site.run(&["inbox", "ping", "training"]).ok();
    assert_eq!(inbox(&site, &other, "").json(), json!({"commands": [], "next": 0, "more": false}));
    let commands = inbox(&site, &training, "").json();
    let command = &commands["commands"][0];
    assert_eq!((command["id"].as_str(), command["type"].as_str()), (Some(id.as_str()), Some("test.ping")));
    assert_eq!(inbox(&site, &training, &format!("?after={}", command["seq"])).json()["commands"], json!([]));

    let done = json!({"outcome": "done", "detail": "pong"});
    let refusals = [
        (&other, id.as_str(), done.clone(), (404, "command_not_found")),
        (&training, "cmd_00000000000000000000000000", done.clone(), (404, "command_not_found")),
        (&training, "nothing", done.clone(), (404, "command_not_found")),
        (&training, id.as_str(), json!({"outcome": "cancelled"}), (400, "bad_member")),
        (&training, id.as_str(), json!({"outcome": "done", "more": 1}), (400, "unknown_member")),
        (&training, id.as_str(), json!({}), (400, "missing_member")),
        (&training, id.as_str(), json!({"outcome": "done", "detail": "a\nb"}), (400, "detail_invalid")),
        (&training, id.as_str(), json!({"outcome": "done", "detail": "x".repeat(1001)}), (400, "detail_invalid")),
    ];
    for (credential, id, body, expected) in refusals {
        let answer = acknowledge(&site, credential, id, &body);
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), expected, "{body}");
    }
    for query in ["?after=-1", "?after=x", "?wait=31", "?wait=1.5"] {
        assert_eq!(inbox(&site, &training, query).status, 400, "{query}");
    }
    let first = acknowledge(&site, &training, &id, &done);
    assert_eq!((first.status, first.json()["late"].as_bool()), (200, Some(false)));
    assert_eq!(acknowledge(&site, &training, &id, &done).json(), first.json());
    let other_outcome = acknowledge(&site, &training, &id, &json!({"outcome": "failed"}));
    assert_eq!((other_outcome.status, other_outcome.json()["code"].as_str()), (409, Some("already_acknowledged")));
    assert_eq!(inbox(&site, &training, "").json()["commands"], json!([]));
    assert_eq!(details_of(&site, &id)["detail"], "pong");
    assert_eq!(site.call("GET", "/v1/inbox").send().status, 401);
}

#[test]
fn an_acknowledgement_can_be_repeated_with_an_idempotency_key() {
    let site = Appliance::running();
    let training = site.service("training");
    let id = site.run(&["inbox", "ping", "training"]).ok();
    let send = |outcome: &str| {
        let call = site.call("POST", &format!("/v1/inbox/{id}/ack")).bearer(&training).header("Idempotency-Key", "k-1");
        call.json(&json!({"outcome": outcome})).send()
    };

    let first = send("done");
    let again = send("done");
    let other = send("failed");

    assert_eq!((first.status, first.header("idempotent-replayed")), (200, ""));
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.json(), first.json());
    assert_eq!((other.status, other.json()["code"].as_str()), (409, Some("idempotency_mismatch")));
}

#[test]
fn a_waiting_request_gets_a_command_at_once_and_a_stop_ends_all_of_them_in_order() {
    let mut site = Appliance::running();
    let (training, other) = (site.service("training"), site.service("other"));
    let poll = |credential: &str, wait: u32| site.call("GET", &format!("/v1/inbox?wait={wait}")).bearer(credential);
    let watch = Stopwatch::start();
    let waiting = std::thread::spawn({
        let call = poll(&training, 30);
        move || call.send()
    });
    let id = site.run(&["inbox", "ping", "training"]).ok();
    assert_eq!(waiting.join().unwrap().json()["commands"][0]["id"], id.as_str());
    // Thirty seconds are the maximum; a start of the command takes most of this time.
    assert!(watch.elapsed() < Duration::from_secs(25), "{:?}", watch.elapsed());
    assert_eq!(acknowledge(&site, &training, &id, &json!({"outcome": "done"})).status, 200);

    // Sixteen wait, whichever they are, and the seventeenth is refused.
    let (sender, answers) = channel();
    for _ in 0..17 {
        let (call, sender) = (poll(&training, 30), sender.clone());
        std::thread::spawn(move || sender.send(call.send()));
    }
    let refused = answers.recv().unwrap();
    assert_eq!((refused.json()["code"].as_str(), refused.header("retry-after")), (Some("too_many_polls"), "1"));
    // Others are not affected: neither services that wait, nor pages.
    assert_eq!(poll(&other, 1).send().json(), json!({"commands": [], "next": 0, "more": false}));
    assert_eq!(site.call("GET", "/signin").send().status, 200);
    let watch = Stopwatch::start();
    site.request_stop();
    for answer in answers.iter().take(16) {
        assert_eq!((answer.status, answer.json()), (200, json!({"commands": [], "next": 0, "more": false})));
    }
    assert!(site.wait_for_end().success());
    assert!(watch.elapsed() < Duration::from_secs(25), "{:?}", watch.elapsed());
}

/// A service in another program, which ends with the test.
struct Program(Child, u16);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// With a code, and with an address for webhooks or without one.
    fn start(site: &Appliance, program: &str, script: &str, code: &str, port: u16, webhook_url: Option<&str>) -> Self {
        let mut command = Command::new(tool(program));
        command.arg(tool_script(script)).current_dir(site.folder()).stdout(Stdio::null());
        command.env("DOMICILE_URL", site.url()).env("DOMICILE_CODE", code).env("PORT", port.to_string());
        match webhook_url {
            Some(url) => command.env("WEBHOOK_URL", url),
            None => command.env_remove("WEBHOOK_URL"),
        };
        let program = Self(command.spawn().unwrap(), port);
        wait_for("the service", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        program
    }

    /// What a person with a key does there.
    fn upload(&self, key: &str) -> u16 {
        Call::new(self.1, "POST", "/datasets").bearer(key).send().status
    }
}

/// Sends a command about a person, as another module of Domicile would, and returns what the service said.
fn command_about(site: &Appliance, kind: &str, number: u8, deliveries: usize) -> Value {
    let id = format!("cmd_0000000000000000000000000{number}");
    let insert = "
        insert into service_command (id, seq, service_id, kind, subject_id, payload_json, created_at, deadline, next_at)
        select :id, :seq, s.id, :kind, a.id, '{}', 1777000000000, 1999000000000, iif(e.url is null, null, 1)
        from service s join account a left join webhook_endpoint e on e.service_id = s.id
        where s.name = 'training' and a.username = 'ada-l'";
    let seq = 4_000_000_000_000_i64 + i64::from(number);
    let params = named_params! {":id": id, ":seq": seq, ":kind": kind};
    assert_eq!(site.database().execute(insert, params).unwrap(), 1);
    acknowledged(site, &id, deliveries)
}

/// What the service said, once as many webhooks were answered.
fn acknowledged(site: &Appliance, id: &str, deliveries: usize) -> Value {
    wait_for("the acknowledgement", || {
        let command = details_of(site, id);
        let is_answered = command["deliveries"].as_array().unwrap().len() == deliveries;
        (command["state"] != "open" && is_answered).then(|| json!([command["state"], command["detail"]]))
    })
}

/// What the sample does, with webhooks or with its inbox.
fn try_program(program: &str, script: &str, has_webhooks: bool, things: &str) {
    let site = Appliance::running_with(EGRESS);
    site.account("ada-l");
    site.run(&["credit", "grant", "--account", "ada-l", "--amount", "5", "--reason", "test"]).ok();
    let (key, poor) = (site.api_key("ada-l", &["datasets:write"]), site.api_key("ada-l", &["models:read"]));
    let (code, port) = (site.run(&["service", "enrol-code", "training"]).ok(), free_port());
    let url = has_webhooks.then(|| format!("http://127.0.0.1:{port}/domicile"));
    let start = || Program::start(&site, program, script, &code, port, url.as_deref());
    // The code is good once; after a restart, the service has what it brought.
    drop(start());
    let running = start();
    let deliveries = usize::from(has_webhooks);

    let ping = || acknowledged(&site, &site.run(&["inbox", "ping", "training"]).ok(), deliveries);
    assert_eq!(ping(), json!(["done", "pong"]));
    assert_eq!(
        [running.upload(&key), running.upload(&key), running.upload(&poor), running.upload("x")],
        [201, 201, 401, 401]
    );
    assert_eq!(site.database().query_row("select count(*) from usage_event", [], |row| row.get::<_, i64>(0)), Ok(2));
    let registered = "select count(*) from resource where state = 'active'";
    assert_eq!(site.database().query_row(registered, [], |row| row.get::<_, i64>(0)), Ok(2));
    let about = |kind, number| command_about(&site, kind, number, deliveries);
    assert_eq!(about("dsr.export", 1), json!(["done", format!("2 {things}")]));
    assert_eq!(about("dsr.erase", 2), json!(["done", format!("2 {things}")]));
    assert_eq!(about("dsr.erase", 3), json!(["done", format!("0 {things}")]));
    assert_eq!(about("usage.stop", 4)[0], "failed");

    if has_webhooks {
        let forged = Call::new(port, "POST", "/domicile")
            .header("webhook-id", "cmd_1")
            .header("webhook-timestamp", "1777000000")
            .header("webhook-signature", "v1,AAAA")
            .body("{}");
        assert_eq!(forged.send().status, 401);
        // The service knows the old secret only, and verifies all the same until the operator ends it.
        site.run(&["inbox", "webhook", "training", "--rotate-secret"]).ok();
        assert_eq!(ping(), json!(["done", "pong"]));
        site.run(&["inbox", "webhook", "training", "--rotate-secret", "--overlap", "0"]).ok();
        let id = site.run(&["inbox", "ping", "training"]).ok();
        wait_for("the refusal", || (details_of(&site, &id)["deliveries"][0]["status"] == 401).then_some(()));
        assert_eq!(details_of(&site, &id)["state"], "open");
    }
}

#[test]
fn the_service_of_the_manual_receives_webhooks() {
    try_program("python3", "sample/service.py", true, "datasets");
}

#[test]
fn the_service_of_the_manual_reads_its_inbox() {
    try_program("python3", "sample/service.py", false, "datasets");
}

#[test]
fn a_service_in_node_receives_webhooks() {
    try_program("node", "sample/second.mjs", true, "runs");
}

#[test]
fn a_service_in_node_reads_its_inbox() {
    try_program("node", "sample/second.mjs", false, "runs");
}

/// A person leaves whose things are at a service: what the service has goes with them, and the receipt says so.
fn leave(program: &str, script: &str, has_webhooks: bool) {
    let site = Appliance::running_with(EGRESS);
    site.account("ada-l");
    let key = site.api_key("ada-l", &["datasets:write"]);
    let (code, port) = (site.run(&["service", "enrol-code", "training"]).ok(), free_port());
    let url = has_webhooks.then(|| format!("http://127.0.0.1:{port}/domicile"));
    let running = Program::start(&site, program, script, &code, port, url.as_deref());
    assert_eq!([running.upload(&key), running.upload(&key)], [201, 201]);

    let receipt = site.run(&["account", "delete", "ada-l", "--yes"]).ok().trim().to_owned();
    let report =
        || -> Value { serde_json::from_str(&site.run(&["--json", "erasure", "show", &receipt]).ok()).unwrap() };
    let answered = wait_for("the answers of the service", || {
        let report = report();
        let is_deleted = !report["open_items"].to_string().contains("not confirmed as deleted");
        (report["services"][0]["state"] == "completed" && is_deleted).then_some(report)
    });

    assert_eq!(answered["services"].as_array().unwrap().len(), 1, "{answered}");
    let page = site.browser().get(&format!("/erasure/{receipt}")).text();
    assert!(page.contains("training") && page.contains("has deleted everything"), "{page}");
    let unknown = site.call("GET", "/erasure/dsr_00000000000000000000000000").send();
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_person_leaves_the_service_of_the_manual_too() {
    leave("python3", "sample/service.py", true);
}

#[test]
fn a_person_leaves_the_service_in_node_too() {
    leave("node", "sample/second.mjs", false);
}

#[test]
fn a_service_says_what_it_keeps_and_a_wrong_answer_changes_nothing() {
    let site = Appliance::running();
    site.account("ada-l");
    let (service, other) = (site.service("training"), site.service("other"));
    let manifest = json!({"version": 1, "can_erase": true});
    assert_eq!(site.call("PUT", "/v1/services/self").bearer(&service).json(&manifest).send().status, 200);
    let receipt = site.run(&["account", "delete", "ada-l", "--yes"]).ok().trim().to_owned();
    let inbox = site.call("GET", "/v1/inbox").bearer(&service).send().json();
    let command = &inbox["commands"][0];
    assert_eq!((command["type"].as_str(), &command["data"]), (Some("dsr.erase"), &json!({})), "{inbox}");
    let path = format!("/v1/inbox/{}/ack", command["id"].as_str().unwrap());
    let acknowledge = |credential: &str, body: Value| {
        let answer = site.call("POST", &path).bearer(credential).json(&body).send();
        (answer.status, answer.json()["code"].as_str().map(str::to_owned))
    };
    let shown = || site.run(&["--json", "erasure", "show", &receipt]).ok();
    let before = shown();
    let until = "2034-12-31T23:59:59Z";
    for (credential, body, expected) in [
        (&service, json!({"outcome": "retained"}), (400, "retention_invalid")),
        (&service, json!({"outcome": "retained", "basis": "legal_obligation"}), (400, "retention_invalid")),
        (
            &service,
            json!({"outcome": "retained", "basis": "legal_obligation", "until": "soon"}),
            (400, "retention_invalid"),
        ),
        (
            &service,
            json!({"outcome": "retained", "basis": "legal_obligation", "until": "2001-01-01T00:00:00Z"}),
            (400, "retention_invalid"),
        ),
        (&service, json!({"outcome": "done", "basis": "legal_claims", "until": until}), (400, "retention_invalid")),
        (&service, json!({"outcome": "retained", "basis": "we like it", "until": until}), (400, "bad_member")),
        (&service, json!({"outcome": "gone"}), (400, "bad_member")),
        (&other, json!({"outcome": "done"}), (404, "command_not_found")),
    ] {
        let answer = acknowledge(credential, body.clone());
        assert_eq!(answer, (expected.0, Some(expected.1.to_owned())), "{body}");
    }
    assert_eq!(shown(), before);

    assert_eq!(acknowledge(&service, json!({"outcome": "in_progress"})).0, 200);
    let inbox = site.call("GET", "/v1/inbox").bearer(&service).send().json();
    assert_ne!(inbox["commands"][0]["deadline"], command["deadline"], "it has 14 days now");
    let kept = json!({"outcome": "retained", "basis": "legal_obligation", "until": until});
    assert_eq!([acknowledge(&service, kept.clone()).0, acknowledge(&service, kept).0], [200, 200]);
    assert_eq!(acknowledge(&service, json!({"outcome": "done"})).1.as_deref(), Some("already_acknowledged"));
    let page = site.browser().get(&format!("/erasure/{receipt}")).text();
    assert!(page.contains("keeps some data for a legal obligation") && page.contains("31 December 2034"), "{page}");
}
