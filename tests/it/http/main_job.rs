//! The main use of the appliance without JavaScript: sign up, create a key, have it verified, report usage, see the
//! charge, delete the account.

use serde_json::json;

use crate::support::{Appliance, PASSWORD};

#[test]
fn a_person_can_do_everything_important_without_javascript() {
    let site = Appliance::running();
    let mut ada = site.browser();
    ada.sign_up(&site.mailbox(), "ada-l");

    let created = ada.submit(
        "/settings/keys?create=1",
        "/settings/keys",
        &[("name", "ci"), ("expires", "90d"), ("scope", "models:read"), ("scope", "billing:read")],
    );
    let key = ada.follow(&created).value_of("id=\"new-key\"");
    let service = site.service("training");

    let answer =
        site.call("POST", "/v1/introspect").bearer(&service).form(&[("token", &key), ("scope", "models:read")]).send();
    assert_eq!(answer.json()["active"], true, "{}", answer.text());
    let workspace = answer.json()["workspace"].as_str().unwrap().to_owned();
    let events = json!([{"id": "1", "source": "https://gpu.example", "workspace": workspace, "sku": "gpu.h100",
                         "quantity": "1500", "time": "2026-05-03T09:00:00Z"}]);
    let reported = site.call("POST", "/v1/usage/events").bearer(&service).json(&events).send();
    assert_eq!(reported.json(), json!({"accepted": 1, "duplicates": 0, "rejected": []}));
    assert!(ada.get("/settings/billing").text().contains("3.50"));

    let deleted = ada.submit(
        "/settings/privacy/delete",
        "/settings/privacy/delete",
        &[("confirm", "DELETE"), ("password", PASSWORD)],
    );
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    let answer = site.call("POST", "/v1/introspect").bearer(&service).form(&[("token", &key)]).send();
    assert_eq!(answer.text(), r#"{"active":false}"#);
    assert_eq!(ada.get("/settings/profile").status, 303);
}
