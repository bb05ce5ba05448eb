//! Checks the answers of the appliance against the description of the API: the status, the format and every member.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use domicile::server::openapi;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::Answer;
use crate::architecture::files_under;

/// The validators of an operation, by status (`200`, `5XX`) and format.
type Operation = BTreeMap<String, BTreeMap<String, Validator>>;

/// All operations, by path and method.
static OPERATIONS: LazyLock<BTreeMap<(String, String), Operation>> = LazyLock::new(|| {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut operations = BTreeMap::new();
    for (path, methods) in members(&openapi::DOCUMENT["paths"]) {
        for (method, operation) in members(&methods) {
            let contents = |response: &Value| {
                members(&response["content"])
                    .into_iter()
                    .filter(|(kind, _)| kind.ends_with("json"))
                    .collect::<Map<_, _>>()
            };
            let validators = members(&operation["responses"]).into_iter().map(|(status, response)| {
                let validators =
                    contents(&response).into_iter().map(|(kind, content)| (kind, validator(&content["schema"])));
                (status, validators.collect())
            });
            operations.insert((path.clone(), method.to_uppercase()), validators.collect());
        }
    }
    operations
});

/// Fails if the answer is not what the description says. Other paths and methods are not described.
pub fn check(method: &str, url: &str, answer: &Answer) {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default().split('?').next().unwrap_or_default();
    let found = OPERATIONS.get(&(format!("/{path}"), method.to_owned()));
    let Some(operation) = found else { return };
    let status = answer.status.to_string();
    let place = format!("{method} /{path} answers {status}");
    let described = operation.get(&status).or_else(|| operation.get(&format!("{}XX", &status[..1])));
    let described = described.unwrap_or_else(|| {
        let file = handler_file(&format!("/{path}"));
        panic!("{place}, which the #[utoipa::path] of its handler in {file} does not describe: {}", answer.text())
    });
    let kind = answer.header("content-type").split(';').next().unwrap_or_default();
    if !kind.ends_with("json") {
        assert!(described.is_empty(), "{place} as {kind:?}, but the description says JSON: {}", answer.text());
        return;
    }
    let validator = described.get(kind).unwrap_or_else(|| panic!("{place} as {kind}, which is not described"));
    let body = answer.json();
    let faults: Vec<_> =
        validator.iter_errors(&body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(
        faults.is_empty(),
        "{place} with a body that the description does not allow. Correct the type that derives ToSchema, beginning in \
         {}:\n{}\n{body}",
        handler_file(&format!("/{path}")),
        faults.join("\n")
    );
}

/// The file of `src` with the description of this path.
fn handler_file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let describes =
        |file: &PathBuf| std::fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("path = \"{path}\"")));
    let file = files_under(&root.join("src"), "rs").into_iter().find(describes);
    file.map_or_else(|| "src".to_owned(), |file| file.strip_prefix(root).unwrap().display().to_string())
}

/// A validator for which every object has exactly the described members.
pub fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&closed(schema))
        .expect("the description is a JSON Schema")
}

/// The schema without references, in which an object has no other members than those that are described.
fn closed(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else {
        return match schema {
            Value::Array(values) => values.iter().map(closed).collect(),
            other => other.clone(),
        };
    };
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        return closed(openapi::DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if let Some(parts) = members.get("allOf") {
        return parts.as_array().unwrap().iter().map(closed).fold(json!({}), joined);
    }
    let mut closed_schema: Map<_, _> = members
        .iter()
        .map(|(name, member)| match name.as_str() {
            // The names of members are not keywords.
            "properties" => {
                (name.clone(), member.as_object().into_iter().flatten().map(|(n, m)| (n.clone(), closed(m))).collect())
            }
            "example" | "examples" | "enum" | "const" | "default" => (name.clone(), member.clone()),
            _ => (name.clone(), closed(member)),
        })
        .collect();
    if members.contains_key("properties") && !members.contains_key("additionalProperties") {
        closed_schema.insert("additionalProperties".to_owned(), json!(false));
    }
    Value::Object(closed_schema)
}

/// One object with the members of both.
fn joined(one: Value, two: Value) -> Value {
    let both = |name: &str| {
        let of = |schema: &Value| schema[name].clone();
        match (of(&one), of(&two)) {
            (Value::Object(mut one), Value::Object(two)) => {
                one.extend(two);
                Value::Object(one)
            }
            (Value::Array(one), Value::Array(two)) => one.into_iter().chain(two).collect(),
            (Value::Null, some) | (some, _) => some,
        }
    };
    let (properties, required) = (both("properties"), both("required"));
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}
