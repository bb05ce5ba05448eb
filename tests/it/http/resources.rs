//! Services register resources over HTTP: every wrong input has its code, and what is deleted for good is confirmed.

use serde_json::{Value, json};

use crate::support::{Answer, Appliance};

/// A limit of three models and 10,000 bytes.
const PLAN: &str =
    "[[plans]]\ncode = \"free\"\nname = \"Free\"\nmodels = 3\nstorage_bytes = 10000\nmodel_bytes = 5000\n";

struct Farm {
    site: Appliance,
    credential: String,
    workspace: String,
}

impl Farm {
    fn new() -> Self {
        let site = Appliance::running_with(PLAN);
        site.account("ada-l");
        let (credential, workspace) = (site.service("farm"), site.workspace("ada-l"));
        Self { site, credential, workspace }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let call = self.site.call(method, path).bearer(&self.credential);
        if body.is_null() { call.send() } else { call.json(body).send() }
    }

    fn model(&self, changes: Value) -> Value {
        let mut model =
            json!({"workspace": self.workspace, "type": "model", "name": "Yolo 11", "size": 100, "version": 1});
        for (name, value) in changes.as_object().unwrap() {
            model[name] = value.clone();
        }
        model
    }

    /// The status and the code of the answer.
    fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let answer = self.send(method, path, body);
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        (answer.status, code)
    }
}

#[test]
fn every_wrong_resource_is_answered_with_its_code() {
    let farm = Farm::new();
    let created = farm.send("PUT", "/v1/resources/m-1", &farm.model(json!({"version": 5})));
    assert_eq!((created.status, &created.json()["state"]), (201, &json!("active")));

    let cases = [
        ("m-2", json!({"name": "<b>bold</b>"}), 400, "bad_name"),
        ("m-2", json!({"name": "a\u{202e}b"}), 400, "bad_name"),
        ("m-2", json!({"name": ""}), 400, "bad_name"),
        ("m-2", json!({"name": 7}), 400, "bad_name"),
        ("m-2", json!({"name": null}), 400, "missing_member"),
        ("m-2", json!({"size": -1}), 400, "bad_size"),
        ("m-2", json!({"size": 1.5}), 400, "bad_size"),
        ("m-2", json!({"size": 1e300}), 400, "bad_size"),
        ("m-2", json!({"size": 9_007_199_254_740_992i64}), 400, "bad_size"),
        ("m-2", json!({"size": u64::MAX}), 400, "bad_size"),
        ("m-2", json!({"version": 0}), 400, "bad_version"),
        ("m-2", json!({"version": "1"}), 400, "bad_version"),
        ("m-2", json!({"slug": "Not A Slug"}), 400, "bad_slug"),
        ("m-2", json!({"type": "spaceship"}), 400, "unknown_type"),
        ("m-2", json!({"parent": "p-9"}), 400, "unknown_parent"),
        ("m-2", json!({"parent": "m-2"}), 400, "parent_loop"),
        ("m-2", json!({"parent": "m-1"}), 400, "wrong_parent"),
        ("m-2", json!({"colour": "red"}), 400, "unknown_member"),
        ("m-2", json!({"workspace": "ws_00000000000000000000000000"}), 404, "workspace_not_found"),
        ("m-2", json!({"workspace": "nonsense"}), 404, "workspace_not_found"),
        ("m-2", json!({"size": 5001}), 413, "upload_too_large"),
        ("a%2Fb", json!({}), 400, "bad_id"),
        ("m-1", json!({"version": 4}), 409, "stale_version"),
        ("m-1", json!({"version": 5, "size": 7}), 409, "stale_version"),
        ("m-1", json!({"version": 6, "type": "dataset"}), 409, "other_type"),
    ];
    for (id, changes, status, code) in cases {
        let refused = farm.refused("PUT", &format!("/v1/resources/{id}"), &farm.model(changes.clone()));
        assert_eq!((refused.0, refused.1.as_str()), (status, code), "{id} {changes}");
    }
    assert_eq!(farm.refused("PUT", "/v1/resources/m-2", &json!([])).1, "malformed_json");
    assert_eq!(farm.refused("GET", "/v1/resources/m-2", &Value::Null), (404, "resource_not_found".into()));
    assert_eq!(farm.refused("POST", "/v1/resources/m-1/restore", &Value::Null), (409, "not_in_trash".into()));
    let listed = farm.send("GET", "/v1/resources", &Value::Null).json();
    assert_eq!(listed["resources"].as_array().map(Vec::len), Some(1), "nothing half done: {listed}");

    for id in ["m-2", "m-3"] {
        assert_eq!(farm.send("PUT", &format!("/v1/resources/{id}"), &farm.model(json!({}))).status, 201);
    }
    let fourth = farm.refused("PUT", "/v1/resources/m-4", &farm.model(json!({})));
    assert_eq!(fourth, (403, "limit_reached".into()));
    let refused = farm.send("PUT", "/v1/resources/m-4", &farm.model(json!({}))).json();
    let members = ["limit", "max", "current", "plan"].map(|name| refused[name].clone());
    assert_eq!(members, [json!("models"), json!(3), json!(3), json!("free")], "for programs, besides the sentence");
    let question = json!({"workspace": farm.workspace, "type": "model"});
    let answer = farm.send("POST", "/v1/limits/check", &question).json();
    assert_eq!((&answer["allowed"], &answer["code"]), (&json!(false), &json!("limit_reached")));
    assert_eq!(answer["limits"][0], json!({"limit": "models", "max": 3, "used": 3, "reserved": 0}));
    assert_eq!(farm.refused("POST", "/v1/leases", &question), (403, "limit_reached".into()));
    // Another service sees none of it.
    let other = Farm { credential: farm.site.service("other"), ..farm };
    assert_eq!(other.refused("GET", "/v1/resources/m-1", &Value::Null).0, 404);
    assert_eq!(other.refused("DELETE", "/v1/resources/m-1", &Value::Null).0, 404);
    assert_eq!(other.send("GET", "/v1/resources", &Value::Null).json()["resources"], json!([]));
}

#[test]
fn a_batch_a_lease_and_a_page_work_over_http_and_a_repeated_request_once() {
    let farm = Farm::new();
    let item = |id: &str| {
        let mut item = farm.model(json!({"type": "dataset"}));
        item["id"] = json!(id);
        item
    };
    let batch = json!({"resources": [item("d-1"), item("d-2"), {"id": "d-3"}, 7], "full_sync": {"generation": 1}});
    let key = ("Idempotency-Key", "5f0c9e1b");
    let send = || {
        let call = farm.site.call("POST", "/v1/resources/batch").bearer(&farm.credential);
        call.header(key.0, key.1).json(&batch).send()
    };

    let (first, again) = (send(), send());
    assert_eq!((first.status, &first.json()["created"]), (200, &json!(2)), "{}", first.text());
    let codes: Vec<_> = first.json()["rejected"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
    assert_eq!(codes, ["missing_member", "bad_resource"]);
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), "true"));
    let ended = farm.send(
        "POST",
        "/v1/resources/batch",
        &json!({"resources": [item("d-1")], "full_sync": {"generation": 2, "ends": true}}),
    );
    assert_eq!((&ended.json()["unchanged"], &ended.json()["missing"]), (&json!(1), &json!(1)));
    let stale = json!({"resources": [], "full_sync": {"generation": 2}});
    assert_eq!(farm.refused("POST", "/v1/resources/batch", &stale), (409, "stale_generation".into()));
    assert_eq!(farm.refused("POST", "/v1/resources/batch", &json!({})), (400, "missing_member".into()));
    for wrong in [json!({"resources": 7}), json!({"resources": vec![0; 1001]})] {
        assert_eq!(farm.refused("POST", "/v1/resources/batch", &wrong), (400, "bad_batch".into()));
    }

    let lease = farm.send(
        "POST",
        "/v1/leases",
        &json!({"workspace": farm.workspace, "type": "model", "size": 900, "seconds": 60}),
    );
    assert_eq!(lease.status, 201, "{}", lease.text());
    let path = format!("/v1/leases/{}", lease.json()["lease"].as_str().unwrap());
    assert_eq!(farm.send("POST", &format!("{path}/renew"), &json!({"seconds": 120})).status, 200);
    let mut model = farm.model(json!({}));
    model["id"] = json!("m-1");
    let committed = farm.send("POST", &format!("{path}/commit"), &json!({"resources": [model]}));
    assert_eq!(committed.json()["resources"][0]["id"], json!("m-1"), "{}", committed.text());
    assert_eq!(farm.send("POST", &format!("{path}/release"), &Value::Null).status, 200);
    assert_eq!(farm.refused("POST", "/v1/leases/lse_x/release", &Value::Null), (404, "lease_not_found".into()));

    let page = farm.send("GET", "/v1/resources?limit=2", &Value::Null).json();
    let next = page["next"].as_str().unwrap().to_owned();
    let last = farm.send("GET", &format!("/v1/resources?limit=2&after={next}"), &Value::Null).json();
    assert_eq!((page["resources"].as_array().unwrap().len(), &last["next"]), (2, &Value::Null));
    assert_eq!(last["resources"][0]["id"], json!("m-1"));
    let of_type = format!("/v1/resources?workspace={}&type=model", farm.workspace);
    assert_eq!(farm.send("GET", &of_type, &Value::Null).json()["resources"].as_array().unwrap().len(), 1);

    let told = json!({"workspace": farm.workspace, "type": "training", "action": "completed", "resource": "m-1"});
    assert_eq!(farm.send("POST", "/v1/activity", &told).status, 201);
    let markup = json!({"workspace": farm.workspace, "type": "training", "action": "completed", "name": "<i>x</i>"});
    assert_eq!(farm.refused("POST", "/v1/activity", &markup), (400, "bad_name".into()));
    let odd = json!({"workspace": farm.workspace, "type": "training", "action": "exploded"});
    assert_eq!(farm.refused("POST", "/v1/activity", &odd), (400, "unknown_action".into()));
}

#[test]
fn a_key_lists_what_services_keep_as_far_as_its_scopes_reach() {
    let farm = Farm::new();
    for (id, kind, name, size) in
        [("m-1", "model", "Small", 1), ("m-2", "model", "Large", 4_000), ("d-1", "dataset", "Data", 2)]
    {
        let body = farm.model(json!({"type": kind, "name": name, "size": size}));
        assert_eq!(farm.send("PUT", &format!("/v1/resources/{id}"), &body).status, 201);
    }
    let listed = |key: &str, query: &str| {
        let answer = farm.site.call("GET", &format!("/api/resources{query}")).bearer(key).send();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let names = |page: &Value| {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (all, models) = (farm.site.api_key("ada-l", &["read"]), farm.site.api_key("ada-l", &["models:read"]));

    let page = listed(&all, "");
    assert_eq!(names(&page), ["Large", "Data", "Small"]);
    assert_eq!((&page["items"][0]["service"], &page["items"][0]["sizeBytes"]), (&json!("farm"), &json!(4_000)));
    assert_eq!((&page["hasMore"], &page["region"]), (&json!(false), &json!("eu")));
    assert_eq!(names(&listed(&models, "")), ["Large", "Small"]);
    assert_eq!(names(&listed(&all, "?type=dataset")), ["Data"]);
    assert_eq!(names(&listed(&all, "?search=LARGE")), ["Large"]);
    let first = listed(&models, "?limit=1");
    assert_eq!((names(&first), &first["hasMore"]), (vec!["Large".to_owned()], &json!(true)));
    assert_eq!(names(&listed(&models, "?limit=1&page=2")), ["Small"]);
    for (key, query, status) in [(&models, "?type=dataset", 403), (&all, "?type=car", 400), (&all, "?page=0", 400)] {
        let answer = farm.site.call("GET", &format!("/api/resources{query}")).bearer(key).send();
        assert_eq!(answer.status, status, "{query}");
    }
}

#[test]
fn what_is_deleted_for_good_counts_until_the_service_confirms() {
    let farm = Farm::new();
    let created = farm.send("PUT", "/v1/resources/m-1", &farm.model(json!({}))).json();
    let key = farm.site.api_key("ada-l", &["admin"]);
    let used = || {
        let storage = farm.site.call("GET", "/api/storage?details=true").bearer(&key).send().json();
        (storage["usage"]["storage"]["current"].clone(), storage["usage"]["models"]["current"].clone())
    };
    assert_eq!(farm.send("POST", "/v1/resources/m-1/trash", &Value::Null).status, 200);
    let target = json!({"id": created["resource_id"], "type": "model"});
    let deleted = farm.site.call("DELETE", "/api/trash").bearer(&key).json(&target).send();
    assert_eq!(deleted.json(), json!({"success": true, "deletedCount": 1}));
    assert_eq!(used(), (json!(100), json!(1)));
    assert_eq!(farm.refused("PUT", "/v1/resources/m-1", &farm.model(json!({"version": 2}))).1, "resource_deleted");

    let inbox = farm.send("GET", "/v1/inbox", &Value::Null).json();
    let commands = inbox["commands"].as_array().unwrap();
    let purge =
        commands.iter().find(|command| command["type"] == "resource.purge").unwrap_or_else(|| panic!("{inbox}"));
    let path = format!("/v1/inbox/{}/ack", purge["id"].as_str().unwrap());
    for _ in 0..2 {
        let done = farm.send("POST", &path, &json!({"outcome": "done"}));
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(used(), (json!(0), json!(0)));
    }
    assert_eq!(farm.refused("GET", "/v1/resources/m-1", &Value::Null), (410, "resource_deleted".into()));
    assert_eq!(farm.send("DELETE", "/v1/resources/m-1", &Value::Null).status, 200);
}

#[test]
fn another_plan_limits_what_is_created_from_then_on() {
    let plans = format!("{PLAN}\n[[plans]]\ncode = \"pro\"\nname = \"Pro\"\nmodels = 5\n");
    let site = Appliance::running_with(&plans);
    site.account("ada-l");
    let farm = Farm { credential: site.service("farm"), workspace: site.workspace("ada-l"), site };
    let put = |id: u32| farm.refused("PUT", &format!("/v1/resources/m-{id}"), &farm.model(json!({})));
    let plan = |code: &str| farm.site.run(&["account", "plan", "ada-l", code]);
    for id in 0..3 {
        assert_eq!(put(id).0, 201);
    }
    assert_eq!(put(3), (403, "limit_reached".into()));

    assert_eq!(plan("pro").ok(), "pro");
    assert_eq!(put(3).0, 201, "at the very next request");
    let key = farm.site.api_key("ada-l", &["read"]);
    let told = || farm.site.call("GET", "/api/account/summary").bearer(&key).send().json()["plan"].clone();
    assert_eq!(told(), "pro");
    assert_eq!(plan("free").ok(), "free");
    assert_eq!((told(), put(0).0), (json!("free"), 200), "what is there stays, and can be changed");
    assert_eq!(put(4), (403, "limit_reached".into()));
    assert_eq!(plan("gold").status, 1);
    assert_eq!(plan("free").ok(), "free", "the same plan again");
    let events = "select group_concat(data_json) from audit_event where event = 'workspace.plan_changed'";
    let events: String = farm.site.database().query_row(events, [], |row| row.get(0)).unwrap();
    let expected = r#"{"after":"pro","before":"free"},{"after":"free","before":"pro"}"#;
    assert_eq!(events, expected, "each change once");
    let mut ada = farm.site.browser();
    ada.sign_in("ada-l");
    assert!(ada.get("/activity").text().contains("free → pro"));
}

#[test]
fn the_last_batch_of_a_full_sync_can_be_repeated() {
    let farm = Farm::new();
    for id in ["m-1", "m-2"] {
        assert_eq!(farm.send("PUT", &format!("/v1/resources/{id}"), &farm.model(json!({}))).status, 201);
    }
    let mut item = farm.model(json!({"type": "dataset"}));
    item["id"] = json!("d-1");
    let last = |generation: i64, items: &[&Value]| json!({"resources": items, "full_sync": {"generation": generation, "ends": true}});
    let batch = last(7, &[&item, &json!({"id": "d-2"})]);
    let send = |body: &Value, key: Option<&str>| {
        let call = farm.site.call("POST", "/v1/resources/batch").bearer(&farm.credential);
        key.into_iter().fold(call, |call, key| call.header("Idempotency-Key", key)).json(body).send()
    };

    let first = send(&batch, None);

    let answer = first.json();
    assert_eq!((first.status, &answer["created"], &answer["missing"]), (200, &json!(1), &json!(2)), "{answer}");
    assert_eq!(answer["rejected"][0]["code"], "missing_member");
    let stored = || farm.send("GET", "/v1/resources/m-1", &Value::Null).json();
    let before = stored();
    for key in [None, Some("a"), Some("a")] {
        let again = send(&batch, key);
        assert_eq!((again.status, again.json()), (200, answer.clone()));
        assert_eq!(again.header("idempotent-replayed"), "true");
    }
    assert_eq!(stored(), before);
    // Another batch of the finished sync is refused, and so is the same one under a later number once that is finished.
    let refused = |body: &Value| send(body, None).json()["code"].clone();
    assert_eq!(refused(&last(7, &[])), "stale_generation");
    assert_eq!(refused(&last(6, &[&item])), "stale_generation");
    let key = Some("b");
    assert_eq!(send(&last(8, &[&item]), key).json()["missing"], 0);
    assert_eq!(send(&last(9, &[]), key).json()["code"], "idempotency_mismatch");
    assert_eq!(refused(&batch), "stale_generation");
    assert_eq!(send(&last(8, &[&item]), key).status, 200);
}
