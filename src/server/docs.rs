//! `/v1/docs`: the documentation of the API as a page without scripts, made from the OpenAPI document.

use std::sync::OnceLock;

use actix_web::HttpRequest;
use askama::Template;
use serde_json::{Map, Value};

use super::openapi::example::{self, ExampleRequest, ExampleResponse};
use crate::base::Problem;
use crate::http::Answer;
use crate::http::page::{self, AppData, PageContext};

/// The operations of one tag.
struct Section {
    title: String,
    about: String,
    anchor: String,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    path: String,
    summary: String,
    about: String,
    credential: String,
    inputs: Vec<Input>,
    answers: Vec<ResponseRow>,
    request: ExampleRequest,
    response: Option<ExampleResponse>,
}

/// A parameter, or a field of the body.
struct Input {
    name: String,
    place: &'static str,
    kind: String,
    about: String,
}

/// A response with one status.
struct ResponseRow {
    status: String,
    about: String,
    members: String,
}

/// A gateway and its example configuration, which is also installed with the package.
struct Gateway {
    name: &'static str,
    example: &'static str,
}

/// All files of `packaging/examples` for gateways.
const GATEWAYS: &[Gateway] = &[
    Gateway { name: "nginx", example: include_str!("../../packaging/examples/nginx.conf") },
    Gateway { name: "Traefik", example: include_str!("../../packaging/examples/traefik.conf") },
    Gateway { name: "Caddy", example: include_str!("../../packaging/examples/caddy.conf") },
    Gateway { name: "Envoy", example: include_str!("../../packaging/examples/envoy.conf") },
    Gateway { name: "HAProxy", example: include_str!("../../packaging/examples/haproxy.cfg") },
    Gateway {
        name: "HAProxy, haproxy-domicile.lua",
        example: include_str!("../../packaging/examples/haproxy-domicile.lua"),
    },
    Gateway { name: "Apache", example: include_str!("../../packaging/examples/apache.conf") },
    Gateway {
        name: "Apache, apache-domicile.lua",
        example: include_str!("../../packaging/examples/apache-domicile.lua"),
    },
];

struct ScopeRow {
    name: String,
    about: String,
    grants: String,
}

#[derive(Template)]
#[template(path = "server/docs.html")]
struct DocsPage<'d> {
    context: PageContext,
    public_url: &'d str,
    sections: &'d [Section],
    scopes: Vec<ScopeRow>,
    gateways: &'static [Gateway],
}

/// The page, made from the OpenAPI `document`. The sections are made at the first request.
///
/// # Errors
/// An internal problem when the document has no sections.
pub(super) fn page(app: &AppData, request: &HttpRequest, document: &Value) -> Answer {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    let sections = SECTIONS.get_or_init(|| sections_of(document));
    if sections.is_empty() {
        return Err(Problem::internal("the OpenAPI document cannot be read").into());
    }
    let table = &app.config().scopes;
    let rows = table.entries().iter().map(|entry| ScopeRow {
        name: entry.name.clone(),
        about: entry.description.clone(),
        grants: table.names_within(table.rights_of(&entry.name)),
    });
    let context = PageContext::new(app, request, "The API");
    page::render(&DocsPage {
        context,
        public_url: &app.config().public_url,
        sections,
        scopes: rows.collect(),
        gateways: GATEWAYS,
    })
}

/// A text of the document, without the marks of code, which a page shows as they are.
fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().replace('`', "")
}

fn members<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn sections_of(document: &Value) -> Vec<Section> {
    let section = |tag: &Value| {
        let title = text(tag, "name");
        let operations = members(document, "paths").flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flat_map(Map::iter);
            methods.map(move |(method, operation)| (path, method, operation))
        });
        let tagged = operations.filter(|(_, _, operation)| items(operation, "tags").any(|tag| tag == title.as_str()));
        let operations =
            tagged.map(|(path, method, operation)| read_operation(document, path, method, operation)).collect();
        Section { anchor: title.replace(' ', "-"), about: text(tag, "description"), title, operations }
    };
    items(document, "tags").map(section).collect()
}

fn read_operation(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = items(operation, "parameters").map(|parameter| Input {
        name: text(parameter, "name"),
        place: if parameter["in"] == "header" { "header" } else { "query" },
        kind: kind_of(document, &parameter["schema"], parameter["required"] == true),
        about: text(parameter, "description"),
    });
    // The second format of a body has the same fields.
    let body = members(&operation["requestBody"], "content").take(1);
    let body = body.flat_map(|(_, content)| fields_of(document, content));
    let answers = members(operation, "responses").map(|(status, answer)| ResponseRow {
        status: status.clone(),
        about: text(answer, "description"),
        members: members(answer, "content").map(|(_, content)| member_names(document, &content["schema"])).collect(),
    });
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "summary"),
        about: text(operation, "description"),
        credential: credential_of(document, operation),
        inputs: parameters.chain(body).collect(),
        answers: answers.collect(),
        request: example::request(document, &method.to_uppercase(), path, operation),
        response: example::response(document, operation),
    }
}

/// Follows a `$ref` to the schema that it names.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn fields_of(document: &Value, content: &Value) -> Vec<Input> {
    nested_fields(document, &content["schema"], "")
}

/// The members of an object, each followed by its own members. `path` is what their names begin with.
fn nested_fields(document: &Value, schema: &Value, path: &str) -> Vec<Input> {
    let shapes = shapes(document, schema);
    // Of alternatives, each may lack what another one requires.
    let has_alternatives = shapes.len() > 1 && resolved(document, schema).get("allOf").is_none();
    let mut fields = Vec::new();
    for shape in &shapes {
        for (name, member) in members(shape, "properties") {
            let is_required = !has_alternatives && items(shape, "required").any(|required| required == name.as_str());
            let name = format!("{path}{name}");
            let own = member_path(document, member, &name);
            fields.push(Input {
                name,
                place: "body",
                kind: kind_of(document, member, is_required),
                about: about_of(document, member),
            });
            fields.extend(own.into_iter().flat_map(|(path, object)| nested_fields(document, object, &path)));
        }
    }
    fields
}

/// The object in a member, or in the elements of its array, and what the names of its members begin with.
fn member_path<'d>(document: &'d Value, member: &'d Value, name: &str) -> Option<(String, &'d Value)> {
    let alternatives = items(member, "oneOf").map(|part| resolved(document, part));
    let object = alternatives.chain([resolved(document, member)]).find(|schema| schema["type"] != "null")?;
    match object["type"] == "array" {
        true => Some((format!("{name}[]."), &object["items"])),
        false => object.get("properties").is_some().then(|| (format!("{name}."), object)),
    }
}

/// The description of a member. One of several alternatives may have it.
fn about_of(document: &Value, member: &Value) -> String {
    let own = text(member, "description");
    let mut alternatives = items(member, "oneOf").map(|part| text(part, "description"));
    let mut of_alternative = || alternatives.find(|text| !text.is_empty());
    let of_reference = || text(resolved(document, member), "description");
    if own.is_empty() { of_alternative().unwrap_or_else(of_reference) } else { own }
}

fn kind_of(document: &Value, schema: &Value, is_required: bool) -> String {
    let kind = kind_words(document, resolved(document, schema));
    if is_required { format!("{kind}, required") } else { kind }
}

fn kind_words(document: &Value, schema: &Value) -> String {
    let alternatives: Vec<_> =
        items(schema, "oneOf").map(|part| kind_words(document, resolved(document, part))).collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (&schema["const"], &schema["enum"], &schema["type"]) {
        (Value::Null, Value::Null, Value::Null) => "text or number".to_owned(),
        (Value::Null, Value::Null, Value::Array(kinds)) => {
            kinds.iter().map(as_text).collect::<Vec<_>>().join(" or ").replace("string", "text")
        }
        (Value::Null, Value::Null, kind) => as_text(kind).replace("string", "text"),
        (Value::Null, choices, _) => {
            items(&serde_json::json!({ "of": choices }), "of").map(as_text).collect::<Vec<_>>().join(" | ")
        }
        (value, ..) => as_text(value),
    }
}

fn credential_of(document: &Value, operation: &Value) -> String {
    let schemes = &document["components"]["securitySchemes"];
    let describe = |name: &str| match text(&schemes[name], "description") {
        description if description.is_empty() => format!("The header {}.", text(&schemes[name], "name")),
        description => description,
    };
    // Alternatives of the same scheme differ only in their scopes, so they are described together.
    let mut alternatives: Vec<(&str, Vec<&str>)> = Vec::new();
    for requirement in items(operation, "security") {
        let (name, scopes) =
            requirement.as_object().and_then(|schemes| schemes.iter().next()).map_or(("", vec![]), |(name, scopes)| {
                (name.as_str(), scopes.as_array().into_iter().flatten().filter_map(Value::as_str).collect())
            });
        match alternatives.last_mut() {
            Some((known, more)) if *known == name => more.extend(scopes),
            _ => alternatives.push((name, scopes)),
        }
    }
    let sentences: Vec<String> = alternatives
        .iter()
        .map(|(name, scopes)| match (*name, scopes.join(" or ")) {
            ("", _) => "None.".to_owned(),
            (name, scopes) if scopes.is_empty() => describe(name),
            (name, scopes) => format!("{} Required scope: {scopes}.", describe(name)),
        })
        .collect();
    if sentences.is_empty() { "None.".to_owned() } else { sentences.join(" Or: ") }
}

fn member_names(document: &Value, schema: &Value) -> String {
    let mut names = Vec::new();
    for shape in shapes(document, schema) {
        for (name, _) in members(shape, "properties") {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names.join(", ")
}

/// The objects that a schema consists of: its alternatives and parts. For an array those of an element.
fn shapes<'d>(document: &'d Value, schema: &'d Value) -> Vec<&'d Value> {
    let schema = resolved(document, schema);
    let schema = if schema["type"] == "array" { resolved(document, &schema["items"]) } else { schema };
    let parts = ["oneOf", "allOf"].into_iter().flat_map(|kind| items(schema, kind));
    let parts: Vec<_> = parts.flat_map(|part| shapes(document, part)).collect();
    if parts.is_empty() { vec![schema] } else { parts }
}

#[cfg(test)]
mod tests {
    use super::super::openapi::DOCUMENT;
    use super::*;

    #[test]
    fn every_operation_of_the_document_is_on_the_page() {
        let described =
            members(&DOCUMENT, "paths").map(|(_, methods)| methods.as_object().unwrap().len()).sum::<usize>();

        let sections = sections_of(&DOCUMENT);

        assert_eq!(sections.iter().map(|section| section.operations.len()).sum::<usize>(), described);
        let all = || sections.iter().flat_map(|section| &section.operations);
        assert!(all().all(|operation| !operation.summary.is_empty() && !operation.answers.is_empty()));
        let exchange = all().find(|operation| operation.path == "/v1/token").unwrap();
        assert!(exchange.inputs.iter().any(|input| input.name == "subject_token" && input.kind == "text, required"));
        let trash = all().find(|operation| operation.path == "/api/trash" && operation.method == "DELETE").unwrap();
        assert!(trash.inputs.iter().any(|input| input.name == "all"), "every alternative is on the page");
        let input = |path: &str, name: &str| {
            let operation = all().find(|operation| operation.path == path && operation.method != "GET").unwrap();
            let input = operation.inputs.iter().find(|input| input.name == name);
            input.unwrap_or_else(|| panic!("{path} lacks {name}")).kind.clone()
        };
        assert_eq!(input("/v1/resources/batch", "full_sync"), "object or null");
        assert_eq!(input("/v1/resources/batch", "full_sync.generation"), "integer, required");
        assert_eq!(input("/v1/resources/batch", "resources[].slug"), "text or null");
        assert_eq!(input("/v1/leases/{id}/commit", "resources[].id"), "text, required");
        assert_eq!(input("/v1/services/self", "resource_types[].label"), "text, required");
    }
}
