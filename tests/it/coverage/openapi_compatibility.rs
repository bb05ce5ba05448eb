//! The description of the API keeps what every released description promises, so that the programs of others still
//! work. `src/server/openapi/released/` has the description of each release.

use std::collections::{BTreeMap, BTreeSet};

use domicile::server::openapi;
use serde_json::{Value, json};

/// Whether programs write a value or read it: they may always write what they wrote, and still understand what they
/// read.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Written,
    Read,
}

/// Where a released description was wrong, and the present one says what the server has always answered; and where the
/// answer differs only for requests that were refused.
const CORRECTIONS: [(&str, &str); 2] = [
    // 0.1.0 forgot ip_invalid and rate_limited.
    ("post /v1/token response ", " error: the values are no longer the same"),
    // Until there were resources, a request with an id always got 404. Without one, the answer is the same.
    ("get /api/trash response 200 ", ": is no longer always there"),
];

#[test]
fn nothing_that_was_released_is_broken() {
    for file in std::fs::read_dir("src/server/openapi/released").unwrap().map(|file| file.unwrap().path()) {
        let released: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();

        let is_correction =
            |text: &String| CORRECTIONS.iter().any(|(start, end)| text.starts_with(start) && text.ends_with(end));
        let breaks: Vec<_> =
            breaks(&released, &openapi::DOCUMENT).into_iter().filter(|text| !is_correction(text)).collect();

        assert!(
            breaks.is_empty(),
            "programs that rely on {} no longer work. Keep what it promises (add a member, a status or an address \
             instead), in the utoipa attributes of the handler or its types:\n{}",
            file.display(),
            breaks.join("\n")
        );
    }
}

/// Changes the description at a path, and asserts that the comparison reports this.
#[test]
fn each_kind_of_break_is_reported() {
    type Change = fn(&mut Value);
    fn remove(value: &mut Value, member: &str) {
        value.as_object_mut().unwrap().remove(member).unwrap();
    }
    fn schema<'d>(document: &'d mut Value, name: &str) -> &'d mut Value {
        &mut document["components"]["schemas"][name]
    }
    let changes: [(&str, Change); 15] = [
        ("/api/users: removed", |new| remove(&mut new["paths"], "/api/users")),
        ("delete /api/trash: removed", |new| remove(&mut new["paths"]["/api/trash"], "delete")),
        ("changed operationId", |new| new["paths"]["/api/users"]["get"]["operationId"] = json!("person")),
        ("credential service is not accepted", |new| {
            new["paths"]["/v1/introspect"]["post"]["security"] = json!([{ "serviceBasic": [] }]);
        }),
        ("response 429: removed", |new| remove(&mut new["paths"]["/v1/token"]["post"]["responses"], "429")),
        ("response 201: a new success", |new| {
            new["paths"]["/v1/token"]["post"]["responses"]["201"] = json!({ "description": "Created." });
        }),
        ("header Retry-After: removed", |new| {
            remove(&mut new["paths"]["/v1/token"]["post"]["responses"]["429"]["headers"], "Retry-After");
        }),
        ("application/json: removed", |new| {
            let content = &mut new["paths"]["/v1/key-exposures"]["post"]["requestBody"]["content"];
            remove(content, "application/json");
        }),
        ("keys[] name: removed", |new| remove(&mut schema(new, "KeyItem")["properties"], "name")),
        ("keys[] name: is no longer always there", |new| schema(new, "KeyItem")["required"] = json!(["keyId"])),
        ("more: may be string", |new| {
            schema(new, "RevocationFeed")["properties"]["more"] = json!({ "type": "string" });
        }),
        ("kind: the values are no longer the same", |new| {
            schema(new, "Revocation")["properties"]["kind"]["enum"] = json!(["key"]);
        }),
        ("[] key: now required", |new| {
            schema(new, "UsageEvent")["required"].as_array_mut().unwrap().push(json!("key"));
        }),
        ("audience: maxLength is narrower", |new| {
            schema(new, "TokenRequest")["properties"]["audience"]["maxLength"] = json!(100);
        }),
        ("subject_token_type: no longer accepts", |new| {
            schema(new, "TokenRequest")["properties"]["subject_token_type"]["enum"] = json!(["urn:domicile:api-key"]);
        }),
    ];
    assert_eq!(breaks(&openapi::DOCUMENT, &openapi::DOCUMENT), Vec::<String>::new());
    for (reported, change) in changes {
        let mut changed = openapi::DOCUMENT.clone();
        change(&mut changed);

        let breaks = breaks(&openapi::DOCUMENT, &changed);

        assert!(breaks.iter().any(|text| text.contains(reported)), "{reported:?} is not in {breaks:#?}");
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, breaks: Vec::new() };
    for (path, methods) in members(&old["paths"]) {
        if new["paths"][path].is_null() {
            comparison.report(path, "removed");
            continue;
        }
        for (method, operation) in members(methods) {
            comparison.operation(&format!("{method} {path}"), operation, &new["paths"][path][method]);
        }
    }
    comparison.breaks
}

struct Comparison<'d> {
    old: &'d Value,
    new: &'d Value,
    breaks: Vec<String>,
}

impl Comparison<'_> {
    fn report(&mut self, place: &str, what: impl std::fmt::Display) {
        self.breaks.push(format!("{place}: {what}"));
    }

    fn operation(&mut self, place: &str, old: &Value, new: &Value) {
        if new.is_null() {
            return self.report(place, "removed");
        }
        for name in ["operationId", "tags"] {
            if old[name] != new[name] {
                self.report(place, format!("changed {name} from {} to {}", old[name], new[name]));
            }
        }
        // Nothing means the same as an empty list: no credential is needed.
        let credentials = |operation: &Value| operation["security"].as_array().cloned().unwrap_or_default();
        let accepted = credentials(new);
        for credential in credentials(old).iter().filter(|known| !accepted.is_empty() && !accepted.contains(known)) {
            let names: Vec<_> = members(credential).map(|(name, _)| name.as_str()).collect();
            self.report(place, format!("the credential {} is not accepted", names.join("+")));
        }
        if credentials(old).is_empty() && !accepted.is_empty() {
            self.report(place, "now needs a credential");
        }
        self.parameters(place, &old["parameters"], &new["parameters"]);
        if new["requestBody"]["required"] == true && old["requestBody"]["required"] != true {
            self.report(place, "now needs a body");
        }
        let body = format!("{place} body");
        self.content(&body, Side::Written, &old["requestBody"]["content"], &new["requestBody"]["content"]);
        for (status, response) in members(&old["responses"]) {
            let (place, now) = (format!("{place} response {status}"), &new["responses"][status]);
            if now.is_null() {
                self.report(&place, "removed");
                continue;
            }
            self.content(&place, Side::Read, &response["content"], &now["content"]);
            for (header, _) in members(&response["headers"]).filter(|(header, _)| now["headers"][*header].is_null()) {
                self.report(&place, format!("header {header}: removed"));
            }
        }
        for (status, _) in members(&new["responses"]) {
            if status.starts_with('2') && old["responses"][status].is_null() {
                self.report(&format!("{place} response {status}"), "a new success, which programs do not expect");
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &Value, new: &Value) {
        let by_name = |list: &Value| -> BTreeMap<String, Value> {
            let name = |one: &Value| format!("{} {}", one["in"], one["name"]);
            list.as_array().into_iter().flatten().map(|one| (name(one), one.clone())).collect()
        };
        let (old, new) = (by_name(old), by_name(new));
        for (name, parameter) in &old {
            match new.get(name) {
                None => self.report(place, format!("parameter {name}: removed")),
                Some(now) => {
                    let place = format!("{place} {name}");
                    self.schema(&place, Side::Written, &parameter["schema"], &now["schema"]);
                }
            }
        }
        for (name, parameter) in new.iter().filter(|(_, parameter)| parameter["required"] == true) {
            if old.get(name).is_none_or(|old| old["required"] != parameter["required"]) {
                self.report(place, format!("parameter {name}: now required"));
            }
        }
    }

    fn content(&mut self, place: &str, side: Side, old: &Value, new: &Value) {
        for (kind, content) in members(old) {
            match &new[kind] {
                Value::Null => self.report(place, format!("{kind}: removed")),
                now => self.schema(place, side, &content["schema"], &now["schema"]),
            }
        }
    }

    fn schema(&mut self, place: &str, side: Side, old: &Value, new: &Value) {
        let (old, new) = (Shape::new(self.old, old), Shape::new(self.new, new));
        let (narrower, wider) = if side == Side::Written { (&new, &old) } else { (&old, &new) };
        // Written: all that was accepted still is. Read: nothing comes that could not come before.
        for kind in wider.kinds.iter().filter(|kind| !narrower.accepts(kind)) {
            let what = if side == Side::Written { "no longer accepts" } else { "may be" };
            self.report(place, format!("{what} {kind}"));
        }
        match (side, &old.values, &new.values) {
            (Side::Written, old, Some(new)) if old.as_ref().is_none_or(|old| !old.is_subset(new)) => {
                self.report(place, "no longer accepts some of its values");
            }
            (Side::Read, Some(old), new) if new.as_ref() != Some(old) => {
                self.report(place, "the values are no longer the same");
            }
            _ => {}
        }
        for (name, member) in &old.members {
            let place = format!("{place} {name}");
            match new.members.get(name) {
                None => self.report(&place, "removed"),
                Some(now) => self.schema(&place, side, member, now),
            }
        }
        let gone: Vec<_> = match side {
            Side::Written => new.required.difference(&old.required).map(|name| (name, "now required")).collect(),
            Side::Read => {
                old.required.difference(&new.required).map(|name| (name, "is no longer always there")).collect()
            }
        };
        for (name, what) in gone {
            self.report(&format!("{place} {name}"), what);
        }
        if let Some(old) = &old.elements {
            self.schema(&format!("{place}[]"), side, old, new.elements.as_ref().unwrap_or(&Value::Bool(true)));
        }
        if side == Side::Written {
            self.bounds(place, &old, &new);
        }
    }

    /// The limits of what programs write.
    fn bounds(&mut self, place: &str, old: &Shape, new: &Shape) {
        for (name, is_upper) in [
            ("maximum", true),
            ("exclusiveMaximum", true),
            ("maxLength", true),
            ("maxItems", true),
            ("minimum", false),
            ("exclusiveMinimum", false),
            ("minLength", false),
            ("minItems", false),
        ] {
            let Some(limit) = new.source[name].as_f64() else { continue };
            let before = old.source[name].as_f64();
            if before.is_none_or(|before| if is_upper { limit < before } else { limit > before }) {
                self.report(place, format!("{name} is narrower: {before:?} became {limit}"));
            }
        }
        let is_closed = |shape: &Shape| shape.source["additionalProperties"] == false;
        if !new.source["pattern"].is_null() && new.source["pattern"] != old.source["pattern"] {
            self.report(place, "the pattern is another one");
        }
        if is_closed(new) && !is_closed(old) {
            self.report(place, "no longer accepts further members");
        }
    }
}

/// What a schema means, with references resolved and alternatives joined.
#[derive(Default)]
struct Shape {
    kinds: BTreeSet<String>,
    /// `None`: any.
    values: Option<BTreeSet<String>>,
    members: BTreeMap<String, Value>,
    required: BTreeSet<String>,
    elements: Option<Value>,
    source: Value,
}

impl Shape {
    fn new(document: &Value, schema: &Value) -> Self {
        if let Some(reference) = schema["$ref"].as_str() {
            return Self::new(document, document.pointer(reference.trim_start_matches('#')).unwrap());
        }
        let parts = |name: &str| -> Vec<Self> {
            schema[name].as_array().into_iter().flatten().map(|part| Self::new(document, part)).collect()
        };
        let mut own = Self::of_one(schema);
        for part in parts("allOf") {
            own.required.extend(part.required);
            own.members.extend(part.members);
        }
        let alternatives: Vec<_> = parts("oneOf").into_iter().chain(parts("anyOf")).collect();
        match alternatives.into_iter().reduce(Self::or) {
            Some(joined) => Self { source: Value::Null, ..joined },
            None => own,
        }
    }

    fn of_one(schema: &Value) -> Self {
        let texts = |value: &Value| -> BTreeSet<String> {
            value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let listed = schema["enum"].as_array().cloned().or_else(|| schema.get("const").map(|one| vec![one.clone()]));
        let kind_of = |value: &Value| match value {
            Value::Bool(_) => "boolean".to_owned(),
            _ => "string".to_owned(),
        };
        let kinds = match &schema["type"] {
            Value::String(kind) => BTreeSet::from([kind.clone()]),
            Value::Array(_) => texts(&schema["type"]),
            _ if !schema["allOf"].is_null() => BTreeSet::from(["object".to_owned()]),
            _ => listed.iter().flatten().map(kind_of).collect(),
        };
        Self {
            kinds,
            values: listed.map(|values| values.iter().map(Value::to_string).collect()),
            members: members(&schema["properties"]).map(|(name, member)| (name.clone(), member.clone())).collect(),
            required: texts(&schema["required"]),
            elements: schema.get("items").cloned(),
            source: schema.clone(),
        }
    }

    fn or(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self.values = self.values.zip(other.values).map(|(mut one, two)| {
            one.extend(two);
            one
        });
        for (name, member) in other.members {
            let joined = match self.members.remove(&name) {
                Some(known) if known != member => json!({ "oneOf": [known, member] }),
                _ => member,
            };
            self.members.insert(name, joined);
        }
        self.required.retain(|name| other.required.contains(name));
        self.elements = self.elements.or(other.elements);
        self
    }

    fn accepts(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind) || (kind == "integer" && self.kinds.contains("number"))
    }
}
