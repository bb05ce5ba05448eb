//! The same fault has the same status and code at every address for programs. The faults are made from the table of routes and
//! the description of the API, so that a new address is compared too.

use domicile::server::openapi::example;
use domicile::server::{Access, ROUTES, Route, openapi};
use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Call};

/// The site with a service that may touch the workspace of one person only, and a key of that person.
struct Programs {
    site: Appliance,
    service: String,
    key: String,
    /// A workspace that the service may not touch.
    foreign: String,
}

impl Programs {
    fn new() -> Self {
        let site = Appliance::running();
        site.account("ada-l");
        site.account("grace-h");
        let (own, foreign) = (site.workspace("ada-l"), site.workspace("grace-h"));
        let service = site.run(&["service", "create", "farm", "--workspace", &own]).ok().trim().to_owned();
        let key = site.api_key("ada-l", &["admin"]);
        Self { site, service, key, foreign }
    }

    /// A request to a route, with a credential that it accepts. Its path has the ids of the examples.
    fn call(&self, route: &Route, query: &str) -> Call {
        let parameters = operation(route)["parameters"].as_array().cloned().unwrap_or_default();
        let id = parameters.iter().find(|parameter| parameter["in"] == "path");
        let id = id.map(|id| id["example"].as_str().unwrap().to_owned()).unwrap_or_default();
        let call = self.site.call(route.method, &format!("{}{query}", route.path.replace("{id}", &id)));
        match route.access {
            Access::Service => call.bearer(&self.service),
            Access::KeyHolder(_) => call.bearer(&self.key),
            _ => call,
        }
    }

    fn send(&self, route: &Route, body: &str) -> Answer {
        self.call(route, "").header("Content-Type", "application/json").body(body).send()
    }
}

fn operation(route: &Route) -> &'static Value {
    &openapi::DOCUMENT["paths"][route.path][route.method.to_lowercase()]
}

/// The routes below `/v1/` and `/api/`.
fn routes() -> impl Iterator<Item = &'static Route> {
    let is_meant = |route: &&Route| route.path.starts_with("/v1/") || route.path.starts_with("/api/");
    ROUTES.iter().filter(is_meant).filter(|route| !matches!(route.access, Access::Gateway))
}

/// A schema without the reference at its top.
fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(openapi::DOCUMENT.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

/// The schema of the JSON body. `None`: the route takes none.
fn body_schema(route: &Route) -> Option<&'static Value> {
    let schema = &operation(route)["requestBody"]["content"]["application/json"]["schema"];
    (!schema.is_null()).then(|| resolved(schema))
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Compares the answers to one fault, and that enough routes were asked.
#[track_caller]
fn all_are(answers: Vec<(String, Answer)>, status: u16, code: &str, at_least: usize) {
    let others: Vec<_> = answers.iter().filter(|(_, answer)| outcome(answer) != (status, code.to_owned())).collect();
    let others: Vec<_> = others.iter().map(|(place, answer)| format!("{place}: {:?}", outcome(answer))).collect();
    assert!(others.is_empty(), "not {status} {code}:\n{}", others.join("\n"));
    assert!(answers.len() >= at_least, "only {} routes were asked", answers.len());
}

#[test]
fn a_wrong_parameter_has_one_code() {
    let programs = Programs::new();
    let (mut wrong, mut times, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for route in routes() {
        let parameters = operation(route)["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let (name, schema) = (parameter["name"].as_str().unwrap(), resolved(&parameter["schema"]));
            let is_time = schema["format"] == "date-time" || ["from", "to"].contains(&name);
            let is_limited = ["integer", "boolean"].iter().any(|kind| schema["type"] == *kind)
                || schema["enum"].is_array()
                || name == "after";
            let ask =
                |query: &str| (format!("{} {}{query}", route.method, route.path), programs.call(route, query).send());
            if is_time {
                times.push(ask(&format!("?{name}=~")));
            } else if is_limited {
                wrong.push(ask(&format!("?{name}=~")));
            }
            repeated.push(ask(&format!("?{name}=1&{name}=1")));
        }
    }
    all_are(wrong, 400, "invalid_request", 11);
    all_are(times, 400, "bad_time", 3);
    all_are(repeated, 400, "invalid_request", 16);
}

#[test]
fn a_wrong_body_has_one_code() {
    let programs = Programs::new();
    let (mut malformed, mut unknown, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for route in routes() {
        let Some(schema) = body_schema(route) else { continue };
        let place = format!("{} {}", route.method, route.path);
        malformed.push((place.clone(), programs.send(route, "{")));
        if !schema["properties"].is_object() {
            continue;
        }
        malformed.push((place.clone(), programs.send(route, "[]")));
        // The addresses below /api/ ignore what they do not know, as the client of the reference expects.
        if route.path.starts_with("/v1/") {
            unknown.push((place.clone(), programs.send(route, r#"{"~": 1}"#)));
        }
        if schema["required"].as_array().is_some_and(|required| !required.is_empty()) {
            missing.push((place, programs.send(route, "{}")));
        }
    }
    all_are(malformed, 400, "malformed_json", 20);
    all_are(unknown, 400, "unknown_member", 9);
    all_are(missing, 400, "missing_member", 9);
}

#[test]
fn a_workspace_that_a_service_may_not_touch_has_one_code() {
    let programs = Programs::new();
    let mut answers = Vec::new();
    for route in routes().filter(|route| route.access == Access::Service) {
        let place = format!("{} {}", route.method, route.path);
        let parameters = operation(route)["parameters"].as_array().cloned().unwrap_or_default();
        if parameters.iter().any(|parameter| parameter["name"] == "workspace") {
            for workspace in [programs.foreign.as_str(), "ws_00000000000000000000000000", "nonsense"] {
                let query = format!("?workspace={workspace}");
                answers.push((format!("{place}{query}"), programs.call(route, &query).send()));
            }
        }
        let Some(schema) = body_schema(route) else { continue };
        if schema["properties"]["workspace"].is_object() {
            let mut body = example::value(&openapi::DOCUMENT, schema);
            for workspace in [programs.foreign.as_str(), "ws_00000000000000000000000000", "nonsense"] {
                body["workspace"] = json!(workspace);
                answers.push((format!("{place} {workspace}"), programs.send(route, &body.to_string())));
            }
        }
    }
    all_are(answers, 404, "workspace_not_found", 15);
}

#[test]
fn every_write_of_a_service_can_be_repeated_with_a_key() {
    let programs = Programs::new();
    let too_long = "k".repeat(256);
    let mut answers = Vec::new();
    for route in routes().filter(|route| route.is_write()) {
        let place = format!("{} {}", route.method, route.path);
        let parameters = operation(route)["parameters"].as_array().cloned().unwrap_or_default();
        let header = parameters.iter().filter(|parameter| parameter["name"] == "Idempotency-Key").count();
        assert_eq!(header, 1, "{place}: the description does not name the header once");
        for status in ["400", "409"] {
            assert!(operation(route)["responses"][status].is_object(), "{place} does not describe {status}");
        }
        answers.push((place, programs.call(route, "").header("Idempotency-Key", &too_long).body("{}").send()));
    }
    all_are(answers, 400, "idempotency_key_invalid", 12);
}

/// A member without a value is left out of an answer, everywhere below `/v1/`. In a request, null is the same as leaving it out.
#[test]
fn no_answer_to_a_service_has_a_null() {
    let document: &'static Value = &openapi::DOCUMENT;
    let operations = || {
        let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/"));
        paths.flat_map(|(path, methods)| methods.as_object().unwrap().values().map(move |one| (path.as_str(), one)))
    };
    // What a request has too allows null there.
    let written: Vec<&str> = operations().flat_map(|(_, one)| references(&one["requestBody"])).collect();
    let mut nulls = Vec::new();
    for (path, one) in operations() {
        for (_, response) in one["responses"].as_object().unwrap() {
            let mut schemas: Vec<&'static Value> = vec![response];
            schemas.extend(references(response).into_iter().filter(|name| !written.contains(name)).map(component));
            if schemas.into_iter().any(allows_null) {
                nulls.push(path);
            }
        }
    }
    assert!(nulls.is_empty(), "leave the member out (skip_serializing_if, nullable = false): {nulls:?}");
}

fn component(name: &str) -> &'static Value {
    &openapi::DOCUMENT["components"]["schemas"][name]
}

/// The names of all components that this refers to, also through others.
fn references(value: &'static Value) -> Vec<&'static str> {
    let (mut open, mut found) = (vec![value], Vec::new());
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                    let name = name.rsplit('/').next().unwrap();
                    if !found.contains(&name) {
                        found.push(name);
                        open.push(component(name));
                    }
                }
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    found
}

fn allows_null(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let kind = members.get("type");
            kind.and_then(Value::as_array).is_some_and(|kinds| kinds.contains(&json!("null")))
                || kind == Some(&json!("null"))
                || members.iter().filter(|(name, _)| *name != "example").any(|(_, member)| allows_null(member))
        }
        Value::Array(values) => values.iter().any(allows_null),
        _ => false,
    }
}
