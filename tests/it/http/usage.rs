//! Services ask before they spend: the price, the reservation, the charges and the end, over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Call, rounds, wait_for};

/// A thing that is so dear that a large quantity of it has no price.
const DEAR: &str = "[[prices]]\nsku = \"gpu.dear\"\nunit = \"hour\"\nprice = \"10\"\n";

/// A new account has 5.00 credits, and 1,000 seconds of `gpu.h100` cost 1.00.
struct Farm {
    site: Appliance,
    credential: String,
    workspace: String,
}

impl Farm {
    fn new() -> Self {
        let site = Appliance::running_with(DEAR);
        site.account("ada-l");
        let (credential, workspace) = (site.service("farm"), site.workspace("ada-l"));
        Self { site, credential, workspace }
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.site.call("POST", &format!("/v1/usage/{path}")).bearer(&self.credential).json(body).send()
    }

    /// Usage that is asked for, with other members than usually.
    fn usage(&self, changes: Value) -> Value {
        let mut usage = json!({"workspace": self.workspace, "sku": "gpu.h100", "quantity": 1000});
        for (name, value) in changes.as_object().unwrap() {
            usage[name] = value.clone();
        }
        usage
    }

    fn authorize(&self, changes: Value) -> Value {
        let answer = self.post("authorize", &self.usage(changes));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// The status and the code of the answer.
    fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.post(path, body);
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    fn available(&self) -> Value {
        self.post("quote", &self.usage(json!({}))).json()["available"].clone()
    }

    /// Reports usage for an authorization. Returns how many events were new.
    fn report(&self, id: &str, quantity: &str, authorization: &Value) -> Value {
        let mut event = self.usage(json!({"id": id, "source": "farm", "quantity": quantity}));
        (event["time"], event["authorization"]) = (json!("2026-05-03T09:00:00Z"), authorization.clone());
        self.post("events", &json!([event])).json()["accepted"].clone()
    }

    /// The id of a new key with a budget of so many credits.
    fn key_with_budget(&self, credits: &str) -> String {
        let create =
            ["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "training", "--budget", credits];
        self.site.run(&create).ok();
        let keys = self.site.run(&["key", "list", "--account", "ada-l", "--json"]).ok();
        keys.split('"').find(|word| word.starts_with("key_")).unwrap().to_owned()
    }
}

#[test]
fn usage_is_authorized_charged_in_steps_and_settled() {
    let farm = Farm::new();
    let four = farm.usage(json!({"quantity": "4000"}));
    assert_eq!(farm.post("quote", &four).json(), json!({"amount": "4.00", "available": "5.00"}));

    let send = || {
        let call = farm.site.call("POST", "/v1/usage/authorize").bearer(&farm.credential);
        call.header("Idempotency-Key", "run-1").json(&four).send()
    };
    let (first, again) = (send(), send());
    assert_eq!((first.status, &first.json()["amount"]), (201, &json!("4.00")), "{}", first.text());
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), "true"));
    assert_eq!(farm.available(), json!("1.00"), "reserved once");
    let mut ada = farm.site.browser();
    ada.sign_in("ada-l");
    let page = ada.get("/settings/billing").text();
    assert!(page.contains("1.00") && page.contains("4.00"), "available and reserved: {page}");

    let id = first.json()["authorization"].clone();
    let counted = [("1", "1000"), ("2", "250"), ("2", "250"), ("3", "250")];
    assert_eq!(counted.map(|(name, quantity)| farm.report(name, quantity, &id)), [1, 1, 0, 1].map(|n| json!(n)));
    assert_eq!(farm.available(), json!("1.00"), "what is charged was reserved");
    let settled = farm.post("settle", &json!({"authorization": id}));
    let ended = json!({"authorization": id, "state": "settled", "charged": "1.50"});
    assert_eq!((settled.status, settled.json()), (200, ended.clone()));
    for path in ["settle", "release"] {
        assert_eq!(farm.post(path, &json!({"authorization": id})).json(), ended, "it has ended before");
    }
    assert_eq!(farm.available(), json!("3.50"));

    let unused = farm.authorize(json!({}))["authorization"].clone();
    let released = farm.post("release", &json!({"authorization": unused})).json();
    assert_eq!((&released["state"], &released["charged"]), (&json!("released"), &json!("0.00")));
    assert_eq!(farm.report("4", "500", &id), json!(1), "late usage is charged too");
    assert_eq!(farm.available(), json!("3.00"));
    farm.site.run(&["ledger", "check"]).ok();
}

#[test]
fn every_wrong_request_is_answered_with_its_code_and_reserves_nothing() {
    let farm = Farm::new();
    let key = farm.key_with_budget("2");
    let cases = [
        (json!({"quantity": 0}), 400, "bad_quantity"),
        (json!({"quantity": -1}), 400, "bad_quantity"),
        (json!({"quantity": 1.5}), 400, "bad_quantity"),
        (json!({"quantity": true}), 400, "bad_quantity"),
        (json!({"quantity": "-1"}), 400, "bad_quantity"),
        (json!({"quantity": "1e3"}), 400, "bad_quantity"),
        (json!({"quantity": "NaN"}), 400, "bad_quantity"),
        (json!({"quantity": "0.0000001"}), 400, "bad_quantity"),
        (json!({"quantity": u64::MAX}), 400, "bad_quantity"),
        (json!({"quantity": null}), 400, "missing_member"),
        (json!({"currency": "usd"}), 400, "unknown_member"),
        (json!({"sku": 7}), 400, "bad_member"),
        (json!({"sku": "gpu.unheard"}), 400, "unknown_sku"),
        (json!({"key": "ci"}), 400, "unknown_key"),
        (json!({"key": "key_01k0r3v9qz8h2f7n5m4c6x1b0a"}), 400, "unknown_key"),
        (json!({"workspace": "ws_00000000000000000000000000"}), 404, "workspace_not_found"),
        (json!({"sku": "gpu.dear", "quantity": 1_000_000_000}), 422, "too_large"),
    ];
    for (changes, status, code) in cases {
        for path in ["authorize", "quote"] {
            assert_eq!(farm.refused(path, &farm.usage(changes.clone())), (status, code.to_owned()), "{path} {changes}");
        }
    }
    let dear = farm.usage(json!({"quantity": "5000.001"}));
    assert_eq!(farm.refused("authorize", &dear), (402, "insufficient_credit".into()));
    assert_eq!(farm.post("quote", &dear).json(), json!({"amount": "5.000001", "available": "5.00"}));
    let of_key = farm.usage(json!({"quantity": "2000.001", "key": key}));
    assert_eq!(farm.refused("authorize", &of_key), (402, "insufficient_budget".into()));
    assert_eq!(farm.post("quote", &of_key).json()["available"], json!("2.00"), "what the key can spend");
    for (name, status, code) in [
        (json!("hold_x"), 404, "authorization_not_found"),
        (json!("hold_01k0r3v9qz8h2f7n5m4c6x1b0a"), 404, "authorization_not_found"),
        (json!(null), 400, "missing_member"),
        (json!(7), 400, "bad_member"),
    ] {
        for path in ["settle", "release"] {
            assert_eq!(farm.refused(path, &json!({"authorization": name})), (status, code.to_owned()), "{path} {name}");
        }
    }
    assert_eq!(farm.available(), json!("5.00"), "nothing half done");

    let made = farm.authorize(json!({}));
    let repeated = |quantity: u32| {
        let call = farm.site.call("POST", "/v1/usage/authorize").bearer(&farm.credential);
        call.header("Idempotency-Key", "run-1").json(&farm.usage(json!({"quantity": quantity}))).send()
    };
    assert_eq!((repeated(1).status, repeated(2).status), (201, 409));
    // Another service has no such authorization, and a service without the scope cannot ask.
    let other = Farm { credential: farm.site.service("other"), ..farm };
    let name = json!({"authorization": made["authorization"]});
    assert_eq!(other.refused("settle", &name), (404, "authorization_not_found".into()));
    let narrow = other.site.run(&["service", "create", "nginx", "--scope", "keys:verify"]).ok().trim().to_owned();
    let narrow = Farm { credential: narrow, ..other };
    for (path, body) in [("quote", narrow.usage(json!({}))), ("authorize", narrow.usage(json!({}))), ("settle", name)] {
        assert_eq!(narrow.refused(path, &body), (403, "insufficient_scope".into()), "{path}");
    }
}

#[test]
fn programs_are_told_what_can_be_spent_without_what_is_reserved() {
    let farm = Farm::new();
    let create = ["key", "create", "--account", "ada-l", "--name", "read", "--scope", "read"];
    let key = farm.site.run(&create).ok().trim().to_owned();
    farm.authorize(json!({"quantity": 4000}));

    let read = |path: &str| farm.site.call("GET", path).bearer(&key).send().json();
    assert_eq!(read("/api/account/summary")["creditsCents"], json!(100));
    let usage = read("/api/billing/usage-summary");
    assert_eq!((&usage["creditsCents"], &usage["trainingCredit"]["balanceAvailable"]), (&json!(100), &json!(1.0)));
}

#[test]
fn an_operator_releases_what_a_service_does_not_end() {
    let farm = Farm::new();
    let id = farm.authorize(json!({}))["authorization"].as_str().unwrap().to_owned();
    farm.authorize(json!({"quantity": 2000}));

    for _ in 0..2 {
        let told: Value = serde_json::from_str(&farm.site.run(&["service", "release", &id, "--json"]).ok()).unwrap();
        assert_eq!((&told["state"], &told["charged"]), (&json!("released"), &json!("0.00")));
    }
    assert_eq!(farm.available(), json!("3.00"));
    let unknown = farm.site.run(&["service", "release", "hold_01k0r3v9qz8h2f7n5m4c6x1b0a", "--json"]);
    assert_eq!(unknown.status, 1);
    assert!(unknown.stdout.contains("authorization_not_found"), "{unknown:?}");
    let told = farm.site.run(&["service", "disconnect", "farm", "--yes", "--json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["authorizations"], json!(1));
}

/// Each caller repeats its request until it has an answer, with the server killed meanwhile.
#[test]
fn of_many_callers_as_many_succeed_as_there_is_credit_although_the_server_is_killed() {
    let mut farm = Farm::new();
    let key = farm.key_with_budget("2");
    let callers = rounds(16, 1_000);
    for (round, (changes, succeed)) in [(json!({"key": key}), 2), (json!({}), 3)].into_iter().enumerate() {
        let (url, body) = (format!("{}/v1/usage/authorize", farm.site.url()), farm.usage(changes));
        let credential = farm.credential.clone();
        let answered = AtomicUsize::new(0);
        let ask = |caller: usize| {
            let status = wait_for("an answer", || {
                let call = Call::to(&url, "POST").bearer(&credential).json(&body);
                let answer = call.header("Idempotency-Key", &format!("{round} {caller}")).try_send().ok()?;
                [201, 402].contains(&answer.status).then_some(answer.status)
            });
            answered.fetch_add(1, Ordering::Relaxed);
            status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = &ask;
            let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || ask(caller))).collect();
            wait_for("the first answers", || (answered.load(Ordering::Relaxed) > 0).then_some(()));
            farm.site.kill();
            farm.site.start();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });

        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), succeed, "{statuses:?}");
    }
    assert_eq!(farm.available(), json!("0.00"));
    farm.site.run(&["ledger", "check"]).ok();
}
