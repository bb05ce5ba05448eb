//! The OpenAPI document agrees with the routes.

use std::collections::BTreeSet;

use domicile::server::{Access, ROUTES, openapi};
use serde_json::Value;

#[test]
fn the_document_describes_exactly_the_routes_for_programs() {
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));

    let routed: BTreeSet<(String, String)> = ROUTES
        .iter()
        .filter(|route| route.is_api())
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
                .filter(|name| ["get", "post", "put", "delete"].contains(&name.as_str()));
            methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        })
        .collect();

    assert_eq!(routed, described, "src/server/openapi.json and src/server/routes.rs must say the same");
}

#[test]
fn every_operation_names_its_credential_and_its_errors() {
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();

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
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let mut open = vec![&document];
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
