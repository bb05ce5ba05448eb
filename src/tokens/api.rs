//! What verifiers read without a credential: the key set and the metadata of the server.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::model::{KEY_SET_AGE, PublishedKey};
use super::ops;
use crate::app::App;
use crate::base::Problem;
use crate::http::Answer;
use crate::http::schema::{self, ProblemDocument, ServerProblem};

/// The description of the operations in this file.
#[derive(OpenApi)]
#[openapi(paths(key_set, metadata))]
pub struct Description;

/// The keys that verify access tokens (RFC 7517).
#[derive(Serialize, ToSchema)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// A public key as a JWK (RFC 7517, RFC 8037 §2).
#[derive(Serialize, ToSchema)]
struct Jwk {
    #[schema(schema_with = key_type)]
    kty: &'static str,
    #[schema(schema_with = curve)]
    crv: &'static str,
    /// The public key, base64url without padding.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// The id of the key, as in the header of the tokens.
    #[schema(example = "2026-05-03-5f0c9e1b")]
    kid: String,
    #[schema(schema_with = algorithm)]
    alg: &'static str,
    #[schema(schema_with = usage)]
    r#use: &'static str,
}

const KEY_TYPE: &str = "OKP";
const CURVE: &str = "Ed25519";
const ALGORITHM: &str = "EdDSA";
const USAGE: &str = "sig";

fn key_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the key.", [KEY_TYPE])
}

fn curve() -> utoipa::openapi::Object {
    schema::one_of("The curve.", [CURVE])
}

fn algorithm() -> utoipa::openapi::Object {
    schema::one_of("The algorithm of the signatures.", [ALGORITHM])
}

fn usage() -> utoipa::openapi::Object {
    schema::one_of("What the key is for.", [USAGE])
}

impl From<PublishedKey> for Jwk {
    fn from(key: PublishedKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.public_key);
        Self { kty: KEY_TYPE, crv: CURVE, x, kid: key.kid, alg: ALGORITHM, r#use: USAGE }
    }
}

/// The keys that verify access tokens (RFC 7517).
///
/// May be cached for five minutes. The next key is in the set a day before it signs. Fetch the set again when a token
/// has an unknown kid.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "keySet",
    tag = "verification",
    security(),
    responses(
        (status = 200, description = "The key set.", body = KeySet, content_type = "application/jwk-set+json"),
        (
            status = 503,
            description = "The keys cannot be read now. Try again later.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn key_set(app: Data<Arc<App>>) -> Answer {
    let keys = app.query_inline(ops::published)?.into_iter().map(Jwk::from).collect();
    public("application/jwk-set+json", &KeySet { keys })
}

/// The metadata of the authorization server (RFC 8414 §2), only with what the server supports.
#[derive(Serialize, ToSchema)]
struct Metadata<'a> {
    #[schema(example = "https://account.example.org")]
    issuer: &'a str,
    #[schema(example = "https://account.example.org/v1/token")]
    token_endpoint: String,
    #[schema(example = "https://account.example.org/.well-known/jwks.json")]
    jwks_uri: String,
    #[schema(example = "https://account.example.org/v1/introspect")]
    introspection_endpoint: String,
    #[schema(example = "https://account.example.org/v1/docs")]
    service_documentation: String,
    #[schema(value_type = Vec<String>, max_items = 0)]
    response_types_supported: [&'static str; 0],
    #[schema(value_type = Vec<String>, example = json!(["urn:ietf:params:oauth:grant-type:token-exchange"]))]
    grant_types_supported: [&'static str; 1],
    #[schema(value_type = Vec<String>, example = json!(["none", "client_secret_basic", "client_secret_post"]))]
    token_endpoint_auth_methods_supported: [&'static str; 3],
    #[schema(value_type = Vec<String>, example = json!(["client_secret_basic", "client_secret_post", "Bearer"]))]
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    #[schema(value_type = Vec<String>, example = json!(["read", "account:read"]))]
    scopes_supported: Vec<&'a str>,
}

/// The metadata of the authorization server: where tokens are issued and checked (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "metadata",
    tag = "verification",
    security(),
    responses((status = 200, description = "The metadata.", body = Metadata), ServerProblem)
)]
pub async fn metadata(app: Data<Arc<App>>) -> Answer {
    let config = app.config();
    let at = |path: &str| format!("{}{path}", config.public_url);
    let metadata = Metadata {
        issuer: &config.public_url,
        token_endpoint: at("/v1/token"),
        jwks_uri: at("/.well-known/jwks.json"),
        introspection_endpoint: at("/v1/introspect"),
        service_documentation: at("/v1/docs"),
        response_types_supported: [],
        grant_types_supported: ["urn:ietf:params:oauth:grant-type:token-exchange"],
        token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "Bearer"],
        scopes_supported: config.scopes.entries().iter().map(|entry| entry.name.as_str()).collect(),
    };
    public("application/json", &metadata)
}

fn public(kind: &'static str, body: &impl Serialize) -> Answer {
    let body = serde_json::to_string(body).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={}", KEY_SET_AGE.as_secs())))
        .body(body))
}
