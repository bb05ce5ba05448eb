//! The OpenAPI 3.1 description of the API, made from the handlers and their types. `released/` has the description of
//! each released version; a test compares them, so that no change breaks the programs of others.

pub mod example;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json as value};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, License};
use utoipa::{Modify, OpenApi};

use super::{ROUTES, docs, health};
use crate::http::page::AppData;
use crate::http::schema::{ErrorBody, ProblemDocument, ServerProblem};
use crate::http::{Answer, json};
use crate::{api_keys, audit, billing, people, resources, services, settings, tokens, verification};

/// The OpenAPI document as JSON.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(describe()).unwrap_or_default();
    join_lines(&mut document);
    add_idempotency_keys(&mut document);
    describe_parameters(&mut document);
    document
});

/// What this module describes: the tags, the credentials, and the operations of the server itself.
#[derive(OpenApi)]
#[openapi(
    paths(health::healthz, health::readyz, document, docs_page),
    components(schemas(ProblemDocument, ErrorBody)),
    modifiers(&Credentials),
    tags(
        (name = "services", description = "For the platform's other programs."),
        (
            name = "verification",
            description = "For services that verify access tokens themselves. A token is issued for a key, is valid for \
                           5 minutes (the site may configure up to 15) and names its audience. A service that follows \
                           the revocation feed refuses revoked tokens within a second. A service that could not read \
                           the feed for 5 minutes must use introspection or refuse tokens. Without the feed, a token is \
                           valid until its exp."
        ),
        (name = "key holders", description = "For programs that have an API key."),
        (name = "sign-up", description = "For pages where people create accounts."),
        (name = "audit", description = "For auditors: evidence that the record of events was not changed."),
        (name = "health", description = "For health probes, and the documentation of the API.")
    )
)]
struct Description;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Components::new);
        let http =
            |scheme, about: &str| SecurityScheme::Http(Http::builder().scheme(scheme).description(Some(about)).build());
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        components.add_security_scheme("service", http(HttpAuthScheme::Bearer, "A service credential, dos_…"));
        let basic = "The name or the id of the service, and its credential.";
        components.add_security_scheme("serviceBasic", http(HttpAuthScheme::Basic, basic));
        components.add_security_scheme("apiKey", http(HttpAuthScheme::Bearer, "An API key, dok_…"));
        components.add_security_scheme("apiKeyHeader", header);
    }
}

/// The description of all operations.
fn describe() -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    for part in [
        services::api::Description::openapi(),
        tokens::api::Description::openapi(),
        billing::api::Description::openapi(),
        api_keys::api::Description::openapi(),
        verification::api::Description::openapi(),
        settings::api::Description::openapi(),
        resources::api::Description::openapi(),
        people::api::Description::openapi(),
        audit::api::Description::openapi(),
    ] {
        description.merge(part);
    }
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    description.info.title = "Domicile".to_owned();
    description.info.description = Some("Accounts, API keys and credit of a platform.".to_owned());
    description.info.contact = None;
    description.info.license = Some(license);
    description
}

/// Adds the header `Idempotency-Key` to each write of a service: the table of routes knows them.
fn add_idempotency_keys(document: &mut Value) {
    let header = value!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A random text, the same when the request is repeated: then the first answer comes again, with the header \
                        `Idempotent-Replayed: true`. It is kept for 48 hours.",
        "required": false,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "5f0c9e1b-7a3d-4c2e-9b60-1f2a3b4c5d6e",
    });
    for route in ROUTES.iter().filter(|route| route.is_write()) {
        let operation = &mut document["paths"][route.path][route.method.to_ascii_lowercase()];
        let Some(operation) = operation.as_object_mut() else { continue };
        let parameters = operation.entry("parameters").or_insert_with(|| value!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(header.clone());
        }
    }
}

/// Joins the lines of a summary or description, which are the lines of a comment in the source.
fn join_lines(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "summary" || name == "description" => {
                        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    }
                    member => join_lines(member),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(join_lines),
        _ => {}
    }
}

/// Gives a parameter without a description that of its schema, where closed lists have it.
fn describe_parameters(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let about = members.get("schema").and_then(|schema| schema.get("description")).cloned();
            if let (Some(about), true) = (about, members.contains_key("in")) {
                members.entry("description").or_insert(about);
            }
            members.values_mut().for_each(describe_parameters);
        }
        Value::Array(values) => values.iter_mut().for_each(describe_parameters),
        _ => {}
    }
}

/// This OpenAPI document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "openapi",
    tag = "health",
    security(),
    responses((status = 200, description = "The document.", body = Object), ServerProblem)
)]
pub async fn document() -> HttpResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
    json::private(200, TEXT.as_str())
}

/// This documentation as a page.
#[utoipa::path(
    get,
    path = "/v1/docs",
    operation_id = "docs",
    tag = "health",
    security(),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn docs_page(app: AppData, request: HttpRequest) -> Answer {
    docs::page(&app, &request, &DOCUMENT)
}
