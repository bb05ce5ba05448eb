//! The OpenAPI document agrees with the routes.

use std::collections::BTreeSet;
use std::process::Command;

use domicile::billing::api::read_events;
use domicile::server::openapi::example;
use domicile::server::{Access, ROUTES, openapi};
use serde_json::{Value, json};

use crate::support::{Answer, described, tool};

#[test]
fn the_document_describes_exactly_the_routes_for_programs() {
    let document: &Value = &openapi::DOCUMENT;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));

    let routed: BTreeSet<(String, String)> = ROUTES
        .iter()
        // Browsers look for this page, programs do not.
        .filter(|route| route.is_api() && route.path != "/.well-known/change-password")
        .map(|route| (route.path.to_owned(), route.method.to_lowercase()))
        .collect();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods
                .as_object()
                .unwrap()
                .keys()
                .filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()));
            methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        })
        .collect();

    assert_eq!(
        routed, described,
        "each route for programs needs #[utoipa::path] on its handler, and its handler in `paths(..)` of its module"
    );
}

#[test]
fn every_operation_names_its_credential_and_its_errors() {
    let document: &Value = &openapi::DOCUMENT;

    for route in ROUTES.iter().filter(|route| route.path.starts_with("/v1/") || route.path.starts_with("/api/")) {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{} has no summary", route.path);
        assert!(operation["responses"].as_object().is_some_and(|answers| !answers.is_empty()), "{}", route.path);
        if matches!(route.access, Access::KeyHolder(_) | Access::Service) {
            assert!(operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()), "{}", route.path);
            assert!(operation["responses"]["401"].is_object(), "{} does not describe 401", route.path);
        }
    }
}

#[test]
fn every_reference_of_the_document_exists() {
    let document: &Value = &openapi::DOCUMENT;
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference} does not exist");
                }
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
}

#[test]
fn the_examples_are_what_the_description_allows() {
    let document: &Value = &openapi::DOCUMENT;
    let mut faults = Vec::new();
    let mut check = |place: String, schema: &Value, example: &Value| {
        let validator = described::validator(schema);
        faults.extend(validator.iter_errors(example).map(|fault| format!("{place}: {fault} in {example}")));
    };
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let contents = |part: &Value| part["content"].as_object().cloned().unwrap_or_default();
            for (kind, content) in contents(&operation["requestBody"]) {
                let example = example::value(document, &content["schema"]);
                check(format!("{method} {path} body {kind}"), &content["schema"], &example);
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (kind, content) in contents(response).into_iter().filter(|(kind, _)| kind.ends_with("json")) {
                    let example = example::value(document, &content["schema"]);
                    check(format!("{method} {path} {status} {kind}"), &content["schema"], &example);
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let example = example::value(document, &parameter["schema"]);
                let example = if parameter["example"].is_null() { &example } else { &parameter["example"] };
                check(format!("{method} {path} {}", parameter["name"]), &parameter["schema"], example);
            }
        }
    }
    assert!(faults.is_empty(), "correct the example in the #[schema] or #[param] attribute:\n{}", faults.join("\n"));
}

#[test]
fn every_response_says_what_is_answered() {
    let general = ["", "Success.", "An error.", "OK", "Error."];
    for (path, methods) in openapi::DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let text = response["description"].as_str().unwrap_or_default();
                assert!(!general.contains(&text), "{method} {path} {status}: describe the answer, not {text:?}");
            }
        }
    }
}

/// The members of a usage event are read by hand, so that each event has its own fault.
#[test]
fn the_described_members_of_a_usage_event_are_those_that_are_read() {
    let schema = &openapi::DOCUMENT["components"]["schemas"]["UsageEvent"];
    let example = example::value(&openapi::DOCUMENT, schema);
    assert!(read_events(json!([example]).to_string().as_bytes()).unwrap()[0].is_ok(), "{example}");

    for name in schema["properties"].as_object().unwrap().keys() {
        let mut event = json!({ "~": 1 });
        event[name] = json!(null);
        let fault = read_events(json!([event]).to_string().as_bytes()).unwrap().remove(0).unwrap_err();
        assert_eq!(fault.code(), "unknown_member", "{name}");
        assert!(fault.sentence().contains("\"~\""), "{name} is described but not read");
    }
}

#[test]
fn the_document_is_valid_openapi() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, openapi::DOCUMENT.to_string()).unwrap();

    let checked = Command::new(tool("python3")).args(["-m", "openapi_spec_validator"]).arg(&file).output().unwrap();

    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn an_answer_that_is_not_described_fails_the_tests() {
    let is_refused = |status: u16, kind: &str, body: Value| {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        let answer = Answer { status, headers, body: body.to_string().into_bytes() };
        let check = || described::check("GET", "http://127.0.0.1:9000/api/api-keys?page=1", &answer);
        std::panic::catch_unwind(check).is_err()
    };
    let key = json!({ "keyId": "key_1", "name": "ci", "keyPrefix": "dok_1", "createdAt": "2026-05-03T09:00:00Z" });
    let with = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        json!({ "keys": [key] })
    };
    let mut without = json!({ "keys": [key] });
    without["keys"][0].as_object_mut().unwrap().remove("name");

    assert!(!is_refused(200, "application/json", json!({ "keys": [key] })));
    assert!(!is_refused(500, "application/json", json!({ "error": "", "code": "internal" })));
    assert!(is_refused(200, "application/json", without), "a member less");
    assert!(is_refused(200, "application/json", with("owner", json!("ada"))), "a member more");
    assert!(is_refused(200, "application/json", with("name", json!(1))), "another type");
    assert!(is_refused(200, "application/json", with("createdAt", json!("today"))), "another format");
    assert!(is_refused(418, "application/json", json!({ "error": "", "code": "" })), "another status");
    assert!(is_refused(200, "application/problem+json", json!({ "keys": [] })), "another format of the body");
}
