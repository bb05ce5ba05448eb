//! One example request and one example answer of each operation, composed of the examples in the description.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// A request as a command line of curl, in two parts: the public address of the site stands between them.
pub struct ExampleRequest {
    /// `curl`, and the method if curl does not choose it itself.
    pub start: String,
    /// The path and the query, then the headers and the body.
    pub rest: String,
}

/// The first successful response.
pub struct ExampleResponse {
    /// The status.
    pub status: String,
    /// The body as JSON, or the names of the headers if there is no body.
    pub text: String,
}

/// A value that the schema describes: the examples of its members, or the simplest values. Members that are not
/// required and have no example are left out.
pub fn value(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return value(document, document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null));
    }
    let given = [&schema["example"], &schema["examples"][0], &schema["const"], &schema["enum"][0]];
    if let Some(given) = given.into_iter().find(|given| !given.is_null()) {
        return given.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| value(document, part));
        return parts.flat_map(|part| part.as_object().cloned().unwrap_or_default()).collect::<Map<_, _>>().into();
    }
    if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|kind| schema[kind].get(0)) {
        return value(document, first);
    }
    match schema["type"].as_str() {
        Some("object") => object(document, schema),
        Some("array") => match value(document, &schema["items"]) {
            Value::Object(members) if members.is_empty() => json!([]),
            _ if schema["maxItems"] == 0 => json!([]),
            element => json!([element]),
        },
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("string") => json!("text"),
        _ => Value::Null,
    }
}

fn object(document: &Value, schema: &Value) -> Value {
    let is_shown = |name: &str, member: &Value| {
        let is_required = schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
        is_required || member.get("example").is_some_and(|example| !example.is_null())
    };
    let members = schema["properties"].as_object().into_iter().flatten();
    let shown = members.filter(|(name, member)| is_shown(name, member));
    shown.map(|(name, member)| (name.clone(), value(document, member))).collect::<Map<_, _>>().into()
}

/// An example request of an operation.
pub fn request(document: &Value, method: &str, path: &str, operation: &Value) -> ExampleRequest {
    let (kind, body) = body(document, operation);
    // curl sends GET, and POST if there is a body.
    let chosen = if kind.is_some() { "POST" } else { "GET" };
    let start = if method == chosen { "curl \"".to_owned() } else { format!("curl -X {method} \"") };
    let mut rest = format!("{path}{}\"", query(operation));
    if let Some(credential) = credential(operation) {
        let _ = write!(rest, " \\\n  -H \"Authorization: Bearer ${credential}\"");
    }
    match kind.as_deref() {
        Some("application/x-www-form-urlencoded") => {
            for (name, value) in body.as_object().into_iter().flatten() {
                let _ = write!(rest, " \\\n  --data-urlencode {}", quoted(&format!("{name}={}", as_text(value))));
            }
        }
        Some(kind) => {
            let text = serde_json::to_string_pretty(&body).unwrap_or_default();
            let _ = write!(rest, " \\\n  -H 'Content-Type: {kind}' \\\n  -d {}", quoted(&text));
        }
        None => {}
    }
    ExampleRequest { start, rest }
}

/// The first format of the body, and its example.
fn body(document: &Value, operation: &Value) -> (Option<String>, Value) {
    let contents = operation["requestBody"]["content"].as_object();
    match contents.and_then(|contents| contents.iter().next()) {
        Some((kind, content)) => (Some(kind.clone()), value(document, &content["schema"])),
        None => (None, Value::Null),
    }
}

/// The query with the examples of all parameters. They need no encoding.
fn query(operation: &Value) -> String {
    let mut pairs = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let example = [&parameter["example"], &parameter["schema"]["example"]].into_iter().find(|one| !one.is_null());
        if let (Some(example), Some(name), true) = (example, parameter["name"].as_str(), parameter["in"] == "query") {
            pairs.push(format!("{name}={}", as_text(example)));
        }
    }
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Text without its quotes, everything else as JSON.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The variable of the shell that has the credential. `None`: no credential is needed.
fn credential(operation: &Value) -> Option<&'static str> {
    let first = operation["security"].get(0)?.as_object()?.keys().next()?;
    Some(if first.starts_with("service") { "SERVICE_CREDENTIAL" } else { "API_KEY" })
}

/// Text as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An example of the first successful response. `None`: it is not JSON.
pub fn response(document: &Value, operation: &Value) -> Option<ExampleResponse> {
    let (status, response) = operation["responses"].as_object()?.iter().find(|(status, _)| status.starts_with('2'))?;
    let text = match response["content"].as_object().filter(|contents| !contents.is_empty()) {
        None => {
            let names = response["headers"].as_object().into_iter().flatten().map(|(name, _)| format!("{name}: …"));
            names.collect::<Vec<_>>().join("\n")
        }
        Some(contents) => {
            let (_, content) = contents.iter().find(|(kind, _)| kind.ends_with("json"))?;
            let example = value(document, &content["schema"]);
            if example == json!({}) {
                return None;
            }
            serde_json::to_string_pretty(&example).ok()?
        }
    };
    Some(ExampleResponse { status: status.clone(), text })
}
