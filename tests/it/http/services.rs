//! What connected services may do over HTTP: scopes, workspaces, enrolment and manifest.

use serde_json::{Value, json};

use crate::support::{Answer, Appliance, wait_for};

fn code_of(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_service_reaches_only_what_it_was_given() {
    let site = Appliance::running();
    for name in ["ada-l", "grace-h"] {
        site.account(name);
    }
    let (workspace, other) = (site.workspace("ada-l"), site.workspace("grace-h"));
    let [own, foreign] = ["ada-l", "grace-h"].map(|name| site.api_key(name, &["models:read"]));
    let all = site.service("all");
    let limited = site.run(&["service", "create", "limited", "--workspace", &workspace]).ok();
    let introspect = |service: &str, key: &str| {
        let mut answers = ["/v1/introspect", "/%761/introspect"]
            .map(|path| site.call("POST", path).bearer(service).form(&[("token", key)]).send().text());
        assert_eq!(answers[0], answers[1], "the fast path and the router differ");
        std::mem::take(&mut answers[0])
    };
    let gateway = |service: &str, key: &str| {
        let answers = ["/v1/forward-auth", "/%761/forward-auth"].map(|path| {
            let answer = site.call("GET", path).header("X-Domicile-Service", service).header("X-Api-Key", key).send();
            (answer.status, answer.header("domicile-reason").to_owned())
        });
        assert_eq!(answers[0], answers[1], "the fast path and the router differ");
        answers[0].clone()
    };
    let exchange = |service: &str, key: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", key),
            ("audience", "limited"),
        ];
        site.call("POST", "/v1/token").bearer(service).form(&form).send()
    };

    for key in [&own, &foreign] {
        assert!(introspect(&all, key).contains("\"active\":true"));
        assert_eq!(gateway(&all, key).0, 200);
    }
    assert!(introspect(&limited, &own).contains("\"active\":true"));
    assert_eq!(introspect(&limited, &foreign), "{\"active\":false}");
    assert_eq!(gateway(&limited, &own).0, 200);
    assert_eq!(gateway(&limited, &foreign), (401, "invalid_key".into()));
    assert_eq!((exchange(&limited, &own).status, exchange(&limited, &foreign).status), (200, 400));
    // An access token of the other workspace, that another service got.
    let token = exchange(&all, &foreign).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(introspect(&limited, &token), "{\"active\":false}");
    let token = exchange(&all, &own).json()["access_token"].as_str().unwrap().to_owned();
    assert!(introspect(&limited, &token).contains("\"active\":true"));

    let event = |id: &str, workspace: &str| json!({"id": id, "source": "farm", "workspace": workspace, "sku": "gpu.h100", "quantity": "1", "time": "2026-05-03T09:00:00Z"});
    let events = json!([event("1", &workspace), event("2", &other), event("3", "ws_00000000000000000000000007")]);
    let answer = site.call("POST", "/v1/usage/events").bearer(&limited).json(&events).send().json();
    let rejected = answer["rejected"].as_array().unwrap();
    let reasons: Vec<&str> = rejected.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(
        (answer["accepted"].as_u64(), reasons),
        (Some(1), vec!["unknown_workspace", "unknown_workspace"]),
        "{answer}"
    );

    // A person in a session behind the gateway of a limited service.
    let mut browser = site.browser();
    browser.sign_in("grace-h");
    let with_session = |service: &str| {
        let cookie = browser.cookie_header();
        let answer =
            site.call("GET", "/v1/forward-auth").header("X-Domicile-Service", service).header("Cookie", &cookie).send();
        (answer.status, answer.header("domicile-reason").to_owned())
    };
    assert_eq!((with_session(&all).0, with_session(&limited)), (200, (403, "workspace_not_granted".into())));

    site.run(&["service", "change", "limited", "--all-workspaces"]).ok();
    assert!(introspect(&limited, &foreign).contains("\"active\":true"));
}

#[test]
fn each_address_needs_its_scope() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let verify = site.run(&["service", "create", "verify", "--scope", "keys:verify"]).ok();
    let report = site.run(&["service", "create", "report", "--scope", "usage:write"]).ok();
    let calls = |service: &str| {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", key.as_str())];
        let gateway =
            site.call("GET", "/v1/forward-auth").header("X-Domicile-Service", service).header("X-Api-Key", &key);
        [
            site.call("POST", "/v1/introspect").bearer(service).form(&[("token", &key)]).send().status,
            site.call("POST", "/%761/introspect").bearer(service).form(&[("token", &key)]).send().status,
            gateway.send().status,
            site.call("POST", "/v1/token").bearer(service).form(&form).send().status,
            site.call("GET", "/v1/revocations").bearer(service).send().status,
            site.call("GET", "/v1/ingest/watermark").bearer(service).send().status,
            site.call("POST", "/v1/usage/events").bearer(service).json(&json!([1])).send().status,
            site.call("GET", "/v1/services/self").bearer(service).send().status,
        ]
    };

    assert_eq!(calls(&verify), [200, 200, 200, 200, 200, 403, 403, 200]);
    assert_eq!(calls(&report), [403, 403, 403, 403, 403, 200, 200, 200]);
    let refused = site.call("GET", "/v1/revocations").bearer(&report).send();
    assert_eq!(code_of(&refused), (403, "insufficient_scope".into()));
    assert!(refused.json()["error"].as_str().unwrap().contains("keys:verify"));
}

/// The event is in the log, with the id that the answer has.
fn noted(site: &Appliance, event: &str, answer: &Answer) {
    let event = format!("event={event} outcome=success visitor=\"\" actor=service ");
    let id = format!(" request={}\n", answer.header("x-request-id"));
    wait_for("the event in the log", || {
        let log = site.log();
        log.lines().any(|line| line.contains(&event) && format!("{line}\n").contains(&id)).then_some(())
    });
}

#[test]
fn a_service_enrols_with_a_code_and_says_what_it_is() {
    let site = Appliance::running();
    let code = site.run(&["service", "enrol-code", "training"]).ok();
    let enrol = |body: &Value| site.call("POST", "/v1/services/enrol").json(body).send();

    let wrong = enrol(&json!({"code": "doe_00000000000000000000000000000000deadbeef"}));
    assert_eq!(code_of(&wrong), (400, "enrol_code_invalid".into()));
    let enrolled = enrol(&json!({"code": code}));
    assert_eq!((enrolled.status, enrolled.header("cache-control")), (201, "no-store"), "{enrolled:?}");
    let credential = enrolled.json()["credential"].as_str().unwrap().to_owned();
    noted(&site, "service.enrolled", &enrolled);
    // A used code gets the answer of a wrong one.
    let used = enrol(&json!({"code": code}));
    assert_eq!((used.status, &used.json()["error"]), (wrong.status, &wrong.json()["error"]));
    for (bad, wanted) in [
        (json!({}), "missing_member"),
        (json!({"code": 1}), "bad_member"),
        (json!({"code": code, "more": 1}), "unknown_member"),
        (json!([]), "malformed_json"),
    ] {
        assert_eq!(code_of(&enrol(&bad)), (400, wanted.into()), "{bad}");
    }

    let call = |method: &str| site.call(method, "/v1/services/self").bearer(&credential);
    assert_eq!(call("GET").send().json()["manifest"], Value::Null);
    let manifest = json!({
        "version": 2, "can_export": true, "can_erase": true,
        "resource_types": [{"name": "checkpoint", "label": "Checkpoint", "parent": "model", "category": "models", "limit": null}],
        "skus": [{"sku": "gpu.h100", "label": "H100", "unit": "second"}], "webhook_url": null,
    });
    let put = call("PUT").header("Idempotency-Key", "one").json(&manifest).send();
    // What is null is left out of the answer.
    let mut kept = manifest.clone();
    kept.as_object_mut().unwrap().remove("webhook_url");
    kept["resource_types"][0].as_object_mut().unwrap().remove("limit");
    assert_eq!((put.status, &put.json()["manifest"]), (200, &kept), "{put:?}");
    noted(&site, "service.manifest_changed", &put);
    assert_eq!(call("GET").send().json(), put.json());
    let again = call("PUT").header("Idempotency-Key", "one").json(&manifest).send();
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(call("PUT").json(&manifest).send().status, 200);
    let changed = |member: &str, value: Value| {
        let mut manifest = manifest.clone();
        manifest[member] = value;
        manifest
    };
    let mismatch = call("PUT").header("Idempotency-Key", "one").json(&changed("version", json!(9))).send();
    assert_eq!(code_of(&mismatch), (409, "idempotency_mismatch".into()));
    for (member, value, status, code) in [
        ("version", json!(1), 409, "stale_version"),
        ("can_export", json!(false), 409, "stale_version"),
        ("version", json!(0), 400, "manifest_invalid"),
        ("version", json!(1e300), 400, "bad_member"),
        ("version", json!("3"), 400, "bad_member"),
        ("colour", json!("red"), 400, "unknown_member"),
        ("webhook_url", json!("file:///etc/passwd"), 400, "webhook_url_invalid"),
        ("webhook_url", json!("https://not-declared.example/"), 400, "webhook_host_undeclared"),
        ("resource_types", json!([{"name": "a", "label": "<script>alert(1)</script>"}]), 400, "manifest_invalid"),
        ("resource_types", json!([{"name": "a", "label": "a\u{202e}b"}]), 400, "manifest_invalid"),
        ("resource_types", json!([{"name": "a", "label": "A", "parent": "nothing"}]), 400, "manifest_invalid"),
        ("resource_types", json!([{"name": "a", "label": "A", "parent": "a"}]), 400, "manifest_invalid"),
        ("resource_types", json!([{"name": "a", "label": "A", "icon": "x"}]), 400, "unknown_member"),
        ("resource_types", json!(vec![json!({"name": "a", "label": "A"}); 51]), 400, "manifest_invalid"),
        ("skus", json!(vec![json!({"sku": "a", "label": "A", "unit": "s"}); 2]), 400, "manifest_invalid"),
        ("skus", json!(vec![json!({"sku": "a".repeat(9_000), "label": "A", "unit": "s"}); 20]), 413, "too_large"),
    ] {
        let mut sent = changed(member, value.clone());
        if member == "webhook_url" {
            sent["version"] = json!(3);
        }
        let answer = call("PUT").json(&sent).send();
        assert_eq!(code_of(&answer), (status, code.into()), "{member} {value:.80}");
    }
    assert_eq!(call("GET").send().json()["manifest"], kept);
    let shown = site.run(&["service", "show", "training"]).ok();
    for part in ["version 2", "checkpoint", "gpu.h100", "all workspaces", "keys:verify usage:write resources:write"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    // Many attempts from one network.
    let refused = (0..20).map(|_| enrol(&json!({"code": "x"}))).find(|answer| answer.status == 429);
    assert!(!refused.expect("attempts are not limited").header("retry-after").is_empty());
}

#[test]
fn a_disconnected_service_is_refused_at_its_next_request() {
    let site = Appliance::running();
    let credential = site.service("training");
    let status = |credential: &str| site.call("GET", "/v1/services/self").bearer(credential).send().status;
    assert_eq!(status(&credential), 200);
    let refused = site.run(&["service", "disconnect", "training"]);
    assert!(refused.status == 1 && refused.stderr.contains("--yes"), "{refused:?}");
    assert_eq!(status(&credential), 200);

    site.run(&["service", "disconnect", "training", "--yes"]).ok();

    assert_eq!(status(&credential), 401);
    assert!(site.run(&["service", "show", "training"]).ok().contains("disconnected, since"));
    let refused = site.run(&["service", "disconnect", "training", "--yes"]);
    assert!(refused.status == 1 && refused.stderr.contains("disconnected"), "{refused:?}");
    let again = site.service("training");
    assert_eq!((status(&again), status(&credential)), (200, 401));
}

#[test]
fn wrong_scopes_and_workspaces_are_refused_at_the_command_line() {
    let site = Appliance::initialized();
    site.service("training");
    for (arguments, word) in [
        (vec!["create", "other", "--scope", "keys:delete"], "usage:write"),
        (vec!["create", "other", "--workspace", "ada-l"], "account show"),
        (vec!["create", "other", "--workspace", "ws_00000000000000000000000007"], "account show"),
        (vec!["enrol-code", "training", "--scope", "keys:verify"], "service change"),
        (vec!["enrol-code", "<b>"], "Choose another name"),
        (vec!["change", "nothing", "--all-workspaces"], "service list"),
    ] {
        let refused = site.run(&[&["service"], &arguments[..]].concat());
        assert!(refused.status == 1 && refused.stderr.contains(word), "{arguments:?}: {refused:?}");
    }
    assert_eq!(site.run(&["service", "list"]).ok().lines().count(), 1);
}
