//! The operator console: who may use it, and for how long.

use domicile::server::ROUTES;

use crate::support::{Answer, Appliance, Browser, PASSWORD, oath_code, wait_for};

/// A recovery code of a person who has just set up an app. After a test has moved the clock, codes of the app are refused
/// for a minute.
fn recovery_code(browser: &mut Browser) -> String {
    let page = browser.get("/settings/security/recovery-codes").text();
    let mut codes = page.split("<li>").filter_map(|rest| rest.split_once("</li>")).map(|(code, _)| code.to_owned());
    codes.find(|code| code.len() == 17 && !code.contains('<')).unwrap_or_else(|| panic!("{page}"))
}

/// An operator with an authenticator app, and the secret of the app.
fn operator(site: &Appliance) -> (Browser, String) {
    site.operator("olga-o")
}

fn person(site: &Appliance) -> Browser {
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    ada
}

/// A page without what differs in every answer.
fn comparable(answer: &Answer, path: &str) -> (u16, String, String) {
    let text = answer.text().replace(answer.header("x-request-id"), "REQUEST").replace(path, "PATH");
    (answer.status, answer.header("content-type").to_owned(), text)
}

#[test]
fn the_console_does_not_exist_for_other_persons() {
    let site = Appliance::running();
    let mut ada = person(&site);
    let csrf = ada.get("/settings/profile").value_of("name=\"csrf\"");
    let mut paths: Vec<_> = ROUTES.iter().filter(|route| route.access.is_console()).map(|route| route.path).collect();
    paths.dedup();
    assert!(paths.contains(&"/admin"));

    for path in paths {
        let path = path.replace("{id}", "svc_00000000000000000000000000");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            let send = |path: &str| {
                let call = ada.call(method, path).header("Sec-Fetch-Site", "same-origin");
                if method == "POST" { call.form(&[("csrf", csrf.as_str())]).send() } else { call.send() }
            };
            let (found, unknown) = (send(&path), send("/adminx/nothing"));
            assert_eq!(comparable(&found, &path), comparable(&unknown, "/adminx/nothing"), "{method} {path}");
            assert_eq!((found.status, found.header("allow")), (404, ""), "{method} {path}");
        }
    }
    let profile = ada.get("/settings/profile").text();
    assert!(!profile.contains("/admin") && !profile.contains("Operator"), "{profile}");
}

#[test]
fn an_operator_signs_in_and_returns_to_the_console_which_leads_back_to_the_account() {
    let site = Appliance::running();
    let (mut olga, secret) = operator(&site);
    let home = olga.get("/settings/profile").text();
    assert!(home.contains("<p class=\"group\">Operator</p>") && home.contains("href=\"/admin/services\""), "{home}");
    let console = olga.get("/admin").text();
    assert!(console.contains("Needs attention") && console.contains("href=\"/settings/profile\""), "{console}");
    assert!(console.contains("href=\"/admin\" aria-current=\"page\""), "{console}");
    assert!(console.contains("The keyring has not been exported"), "{console}");
    site.run(&["keyring", "export", "--waive", "a test"]).ok();
    let console = olga.get("/admin").text();
    assert!(console.contains("All is well") && console.contains("Not exported, as decided"), "{console}");

    let mut elsewhere = site.browser();
    let refused = elsewhere.get("/admin/services");
    assert_eq!((refused.status, refused.location()), (303, "/signin?next=/admin/services"));
    let first = elsewhere.submit(
        "/signin?next=/admin/services",
        "/signin",
        &[("name", "olga-o"), ("password", PASSWORD), ("next", "/admin/services")],
    );
    let later = domicile::base::Clock::system().now().unix_seconds() + 30;
    let factor = elsewhere.submit(first.location(), "/signin/factor", &[("code", &oath_code(&secret, later))]);
    assert_eq!((factor.status, factor.location()), (303, "/admin/services"), "{}", factor.text());
    assert!(elsewhere.follow(&factor).text().contains("No services yet"));
}

#[test]
fn an_operator_without_a_second_factor_is_led_to_set_one_up() {
    let site = Appliance::running();
    let mut olga = site.operator_without_factor("olga-o");

    let refused = olga.get("/admin");
    assert_eq!((refused.status, refused.location()), (303, "/settings/security"));
    let page = olga.follow(&refused).text();
    assert!(page.contains("You are an operator of this site") && page.contains("the operator console"), "{page}");
}

#[test]
fn the_console_asks_for_a_proof_after_a_pause_and_the_account_does_not() {
    let site = Appliance::running_with_clock("");
    let (mut olga, _) = operator(&site);
    let code = recovery_code(&mut olga);
    let minutes = |count: u64| count * 60;

    for used in [14, 28, 42] {
        site.set_ahead(minutes(used));
        assert_eq!(olga.get("/admin").status, 200, "it is used, minute {used}");
    }
    site.set_ahead(minutes(50));
    assert_eq!(olga.get("/settings/profile").status, 200);
    site.set_ahead(minutes(57) + 2);
    let asked = olga.get("/admin/services");
    assert_eq!(asked.status, 403, "15 minutes and a bit after the last use: the account pages do not count");
    assert!(asked.text().contains("To open the operator console, confirm that"), "{}", asked.text());
    assert!(asked.text().contains("when you have not used it for 15 minutes"), "{}", asked.text());
    assert_eq!(olga.get("/admin").status, 403, "asking does not count as use");
    assert_eq!(olga.get("/settings/security").status, 200, "the account does not ask");

    let prove = |olga: &mut Browser, code: &str| {
        olga.submit_open(&asked, "/admin/services", "/step-up", &[("proof_code", code)])
    };
    assert_eq!(prove(&mut olga, "000000").status, 403);
    assert_eq!(olga.get("/admin").status, 403);
    let proved = prove(&mut olga, &code);
    assert_eq!((proved.status, proved.location()), (303, "/admin/services"), "{}", proved.text());
    assert_eq!(olga.get("/admin").status, 200);
    assert_eq!(olga.get("/admin/services").status, 200);
}

/// The page of the service that a form made or changed.
fn open_result(olga: &mut Browser, answer: &Answer) -> (String, String) {
    let page = olga.follow(answer).text();
    (answer.location().split('?').next().unwrap().to_owned(), page)
}

#[test]
fn a_service_is_connected_limited_rotated_and_disconnected_on_pages() {
    let site = Appliance::running();
    let (mut olga, _) = operator(&site);
    site.account("ada-l");
    let key = site.api_key("ada-l", &["read"]);
    let introspect = |credential: &str| {
        site.call("POST", "/v1/introspect").bearer(credential).form(&[("token", &key)]).send().status
    };
    const LIST: &str = "/admin/services";
    let wrong = olga.submit("/admin/services?create=1", LIST, &[("name", "a b"), ("scope", "keys:verify")]);
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("value=\"a b\"") && wrong.text().contains("aria-invalid"), "{}", wrong.text());

    let fields = [("name", "Training"), ("scope", "keys:verify"), ("scope", "usage:write"), ("workspaces", "all")];
    let made = olga.submit("/admin/services?create=1", LIST, &fields);
    let (path, page) = open_result(&mut olga, &made);
    let first = olga.get(made.location()).value_of("id=\"new-secret\"");
    assert!(first.starts_with("dos_") && page.contains(&first), "{page}");
    assert_eq!(introspect(&first), 200);
    assert!(!olga.get(&path).text().contains(&first), "only the address after the form shows it");
    assert!(page.contains("name=\"scope\" value=\"keys:verify\" checked"), "{page}");
    assert!(!page.contains("name=\"scope\" value=\"resources:write\" checked"), "{page}");
    let twice = olga.submit("/admin/services?create=1", LIST, &fields);
    assert_eq!(twice.status, 409);

    let workspace = site.workspace("ada-l");
    let listed = [("scope", "keys:verify"), ("workspaces", "listed"), ("workspace", "ws_unknown")];
    assert_eq!(olga.submit(&path, &path, &listed).status, 404);
    let listed = [("scope", "usage:write"), ("workspaces", "listed"), ("workspace", workspace.as_str())];
    let changed = olga.submit(&path, &path, &listed);
    let page = olga.follow(&changed).text();
    assert!(page.contains("It is in force at the next request") && page.contains(&workspace), "{page}");
    assert_eq!(introspect(&first), 403, "it may not verify keys any more");
    let same = olga.submit(&path, &path, &listed);
    assert!(olga.follow(&same).text().contains("Nothing was changed"));
    let all = [("scope", "keys:verify"), ("workspaces", "all")];
    olga.submit(&path, &path, &all);
    assert_eq!(introspect(&first), 200);

    let rotate = format!("{path}/rotate");
    assert_eq!(olga.submit(&rotate, &rotate, &[("overlap", "9d")]).status, 400);
    let rotated = olga.submit(&rotate, &rotate, &[("overlap", "1h")]);
    let page = olga.get(rotated.location());
    assert!(page.text().contains("This is the credential of the service."), "{}", page.text());
    let second = page.value_of("id=\"new-secret\"");
    assert_eq!((introspect(&first), introspect(&second)), (200, 200), "both for an hour");
    assert!(olga.get(&path).text().contains("Retiring"));
    let rotated = olga.submit(&rotate, &rotate, &[("overlap", "0")]);
    let third = olga.get(rotated.location()).value_of("id=\"new-secret\"");
    assert_eq!((introspect(&first), introspect(&second), introspect(&third)), (401, 401, 200));

    let disconnect = format!("{path}/disconnect");
    let ended = olga.submit(&disconnect, &disconnect, &[]);
    assert!(olga.follow(&ended).text().contains("The service is disconnected."), "{}", ended.text());
    assert_eq!(introspect(&third), 401);
    let page = olga.get(&path).text();
    assert!(page.contains("Disconnected") && !page.contains(&rotate) && !page.contains(&disconnect), "{page}");
    for (form, fields) in [(&rotate, vec![("overlap", "0")]), (&path, all.to_vec())] {
        assert_eq!(olga.submit_unlisted(LIST, form, &fields).status, 409, "{form}");
    }
    let database = site.database();
    let by_olga = "select count(*) from audit_event e join account a on a.id = e.actor_id and a.username = 'olga-o'
        where e.event in ('service.registered', 'service.changed', 'service.disconnected')";
    let count: i64 = database.query_row(by_olga, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 4, "registered, changed twice, disconnected: by the operator in the session");
}

#[test]
fn a_change_in_the_console_needs_a_recent_proof() {
    let site = Appliance::running_with_clock("");
    let (mut olga, _) = operator(&site);
    let code = recovery_code(&mut olga);
    site.set_ahead(601);
    assert_eq!(olga.get("/admin").status, 200, "the console is open for 15 minutes");
    let fields = [("name", "training"), ("scope", "keys:verify"), ("workspaces", "all")];
    let asked = olga.submit("/admin/services?create=1", "/admin/services", &fields);
    assert_eq!(asked.status, 403);
    assert!(asked.text().contains("To connect a service, confirm that"), "{}", asked.text());
    assert_eq!(site.run(&["--json", "service", "list"]).ok(), "{\"services\":[]}");

    let proof = [fields.as_slice(), &[("proof_code", code.as_str())]].concat();
    let made = olga.submit_open(&asked, "/admin/services", "/admin/services", &proof);
    assert_eq!(made.status, 303, "{}", made.text());
    assert!(olga.follow(&made).text().contains("id=\"new-secret\""));
}

#[test]
fn a_command_is_shown_with_its_deliveries_and_sent_again() {
    let egress = "[[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"webhooks\"\n";
    let site = Appliance::running_with(egress);
    let (mut olga, _) = operator(&site);
    let credential = site.service("training");
    // Nobody listens there, so each delivery fails.
    let url = format!("http://127.0.0.1:{}/", crate::support::free_port());
    site.run(&["inbox", "webhook", "training", "--url", &url]).ok();
    site.run(&["inbox", "ping", "training"]).ok();

    let list = olga.get("/admin/services").text();
    let service = list.split('"').find(|word| word.starts_with("/admin/services/svc_")).unwrap().to_owned();
    let page = olga.get(&service).text();
    assert!(page.contains("test.ping") && page.contains("Open"), "{page}");
    let command = page.split('"').find(|word| word.starts_with("/admin/commands/cmd_")).unwrap().to_owned();
    let id = command.rsplit('/').next().unwrap().to_owned();
    let page = olga.get(&command).text();
    assert!(page.contains("&#34;type&#34;: &#34;test.ping&#34;") && page.contains(&id), "{page}");
    assert!(!olga.get(&format!("{service}?show=failed")).text().contains(&id));

    let retry = format!("{command}/retry");
    let retried = olga.submit(&command, &retry, &[]);
    let page = olga.follow(&retried).text();
    assert!(page.contains("The command is sent again."), "{page}");
    wait_for("the delivery", || olga.clone().get(&command).text().contains("No answer").then_some(()));

    let done = site.call("POST", &format!("/v1/inbox/{id}/ack")).bearer(&credential).json(&serde_json::json!({
        "outcome": "done", "detail": "All <good>",
    }));
    assert_eq!(done.send().status, 200);
    let page = olga.get(&command).text();
    assert!(page.contains("Done") && page.contains("All &#60;good&#62;") && !page.contains(&retry), "{page}");
    assert_eq!(olga.submit_unlisted(&service, &retry, &[]).status, 409);
}

#[test]
fn an_operator_sees_how_a_service_is_reached_and_sets_its_webhook() {
    let egress = "[[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"webhooks\"\n";
    let site = Appliance::running_with(egress);
    let (mut olga, _) = operator(&site);
    let credential = site.service("training");
    let list = olga.get("/admin/services").text();
    assert!(list.contains("Never"), "not seen yet: {list}");
    let path = list.split('"').find(|word| word.starts_with("/admin/services/svc_")).unwrap().to_owned();
    let page = olga.get(&path).text();
    assert!(page.contains("Reads its inbox") && page.contains("No manifest") && page.contains("None yet"), "{page}");
    let webhook = format!("{path}/webhook");

    let refused = olga.submit(&path, &webhook, &[("webhook_url", "https://elsewhere.example.org/")]);
    assert_eq!(refused.status, 400);
    let text = refused.text();
    assert!(text.contains("value=\"https://elsewhere.example.org/\"") && text.contains("aria-invalid"), "{text}");
    let url = format!("http://127.0.0.1:{}/", crate::support::free_port());
    let set = olga.submit(&path, &webhook, &[("webhook_url", &url)]);
    let page = olga.follow(&set).text();
    let first = olga.get(set.location()).value_of("id=\"new-secret\"");
    assert!(first.starts_with("whsec_") && page.contains("signs the webhooks"), "{page}");
    assert!(!olga.get(&path).text().contains(&first), "shown once");
    let kept = olga.submit(&path, &webhook, &[("webhook_url", &url)]);
    assert!(olga.follow(&kept).text().contains("Saved."), "the same address makes no other secret");
    let rotated = olga.submit(&path, &format!("{webhook}/secret"), &[("overlap", "24h")]);
    let page = olga.get(rotated.location());
    assert!(page.text().contains("This is the secret that signs the webhooks of the service."), "{}", page.text());
    let second = page.value_of("id=\"new-secret\"");
    assert!(second.starts_with("whsec_") && second != first);
    assert!(olga.get(&path).text().contains("Signs too until"));
    assert_eq!(olga.submit(&path, &format!("{webhook}/secret"), &[("overlap", "9d")]).status, 400);

    let pinged = olga.submit(&path, &format!("{path}/ping"), &[]);
    assert!(pinged.location().starts_with("/admin/commands/cmd_"), "{}", pinged.text());
    wait_for("the attempt", || olga.clone().get(&path).text().contains("Failing").then_some(()));
    let page = olga.get(&path).text();
    assert!(page.contains("no answer, ") && page.contains("since"), "{page}");
    let removed = olga.submit(&path, &webhook, &[("webhook_url", "")]);
    assert_eq!(removed.status, 303);
    assert!(olga.get(&path).text().contains("Reads its inbox"));

    let manifest = serde_json::json!({"version": 3, "can_export": true, "resource_types": [
        {"name": "checkpoint", "label": "Checkpoint", "parent": "model", "limit": "models"},
    ], "skus": [{"sku": "gpu.h100", "label": "NVIDIA H100", "unit": "second"}]});
    assert_eq!(site.call("PUT", "/v1/services/self").bearer(&credential).json(&manifest).send().status, 200);
    let page = olga.get(&path).text();
    assert!(page.contains("<dd>3, received") && page.contains("Exports it, and does not erase it"), "{page}");
    assert!(page.contains("below model, limited as models") && page.contains("NVIDIA H100"), "{page}");
}

#[test]
fn a_program_connects_with_a_code_that_the_console_shows_once() {
    let site = Appliance::running();
    let (mut olga, _) = operator(&site);
    let enrol = |code: &str| site.call("POST", "/v1/services/enrol").json(&serde_json::json!({"code": code})).send();
    let fields = [("name", "farm"), ("scope", "keys:verify"), ("workspaces", "all"), ("by", "code")];
    let made = olga.submit("/admin/services?create=1", "/admin/services", &fields);
    let code = olga.get(made.location()).value_of("id=\"new-secret\"");
    let path = made.location().split('?').next().unwrap().to_owned();
    let page = olga.get(&path).text();
    assert!(code.starts_with("doe_") && !page.contains(&code), "shown once");
    assert!(page.contains("No credential yet"), "{page}");

    let enrolled = enrol(&code);
    assert_eq!((enrolled.status, enrolled.json()["scopes"].clone()), (201, serde_json::json!(["keys:verify"])));
    assert_eq!(enrol(&code).status, 400, "a code works once");
    let again = olga.submit(&path, &format!("{path}/enrol-code"), &[]);
    let page = olga.follow(&again).text();
    assert!(page.contains("It works for ten minutes and once.") && page.contains("/v1/services/enrol"), "{page}");
    let second = olga.get(again.location()).value_of("id=\"new-secret\"");
    assert_eq!(enrol(&second).json()["name"], "farm", "one more credential of the same service");
    olga.submit(&format!("{path}/disconnect"), &format!("{path}/disconnect"), &[]);
    for form in ["enrol-code", "ping", "webhook"] {
        assert_eq!(olga.submit_unlisted("/admin/services", &format!("{path}/{form}"), &[]).status, 409, "{form}");
    }
}

#[test]
fn commands_that_are_late_are_on_the_overview_and_in_the_list_by_their_state() {
    let site = Appliance::running_with_clock("");
    let (mut olga, _) = operator(&site);
    let credential = site.service("training");
    let failed = site.run(&["inbox", "ping", "training"]).ok();
    let answer = serde_json::json!({"outcome": "failed", "detail": "no disk"});
    assert_eq!(
        site.call("POST", &format!("/v1/inbox/{failed}/ack")).bearer(&credential).json(&answer).send().status,
        200
    );
    let late = site.run(&["inbox", "ping", "training"]).ok();
    // The console is used all the time, so that it asks for no proof.
    for step in 1..=6 {
        site.set_ahead(step * 600 + 1);
        assert_eq!(olga.get("/admin").status, 200);
    }
    let page = olga.get("/admin").text();
    let list = page.split("id=\"commands\"").nth(1).unwrap();
    let list = list.split("</section>").next().unwrap();
    assert!(list.contains(&late) && list.contains(&failed), "{list}");
    assert!(list.contains("Overdue") && list.contains("Failed") && list.contains("training"), "{list}");

    // The clock of the commands is not ahead, so that nothing is overdue for them.
    let listed = |state: &[&str]| {
        let text = site.run(&[&["inbox", "list"], state].concat()).ok();
        [&failed, &late].map(|id| text.contains(id.as_str()))
    };
    assert_eq!(listed(&[]), [false, true], "what waits for an acknowledgement");
    assert_eq!(listed(&["--state", "overdue"]), [false, false]);
    assert_eq!(listed(&["--state", "failed"]), [true, false]);
    assert_eq!(listed(&["--state", "all", "training"]), [true, true]);
}

#[test]
fn an_operator_attests_that_a_service_has_nothing_any_more() {
    let site = Appliance::running();
    let (mut olga, _) = operator(&site);
    site.account("ada-l");
    let service = site.service("archive");
    let body = serde_json::json!({
        "workspace": site.workspace("ada-l"), "type": "model", "name": "Crows", "size": 9, "version": 1,
    });
    assert_eq!(site.call("PUT", "/v1/resources/crows").bearer(&service).json(&body).send().status, 201);
    site.run(&["service", "disconnect", "archive", "--yes"]).ok();
    let receipt = site.run(&["account", "delete", "ada-l", "--yes"]).ok().trim().to_owned();
    assert!(olga.get("/admin").text().contains("An erasure waits for you"));
    assert!(olga.get("/admin/erasures?state=open").text().contains(&receipt));
    let path = format!("/admin/erasures/{receipt}");
    let page = olga.get(&path);
    let forms = page.forms();
    let form = forms.iter().find(|form| form.action.ends_with("/attest")).unwrap();
    let id = form.hidden("service").unwrap().to_owned();
    let attest = format!("{path}/attest");

    let empty = olga.submit(&path, &attest, &[("service", &id), ("statement", " ")]);
    assert_eq!(empty.status, 400);
    assert!(empty.text().contains("how you know that the data is gone"), "{}", empty.text());
    let attested = olga.submit(&path, &attest, &[("service", &id), ("statement", "Its disk was destroyed")]);
    let page = olga.follow(&attested).text();
    assert!(page.contains("Attested. It is in the audit") && !page.contains("How do you know"), "{page}");
    let again = olga.submit_unlisted(&path, &attest, &[("service", &id), ("statement", "again")]);
    assert_eq!(again.status, 409);
    assert!(!olga.get("/admin").text().contains("An erasure waits for you"));
}
