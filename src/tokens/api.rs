//! What verifiers read without a credential: the key set and the metadata of the server.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::model::{KEY_SET_AGE, PublishedKey};
use super::ops;
use crate::app::App;
use crate::base::Problem;
use crate::http::Answer;

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// A public key as a JWK (RFC 7517, RFC 8037 §2).
#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    alg: &'static str,
    r#use: &'static str,
}

impl From<PublishedKey> for Jwk {
    fn from(key: PublishedKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.public_key);
        Self { kty: "OKP", crv: "Ed25519", x, kid: key.kid, alg: "EdDSA", r#use: "sig" }
    }
}

/// `GET /.well-known/jwks.json`: the keys that verify access tokens. It has the next key a day before that key signs.
pub async fn key_set(app: Data<Arc<App>>) -> Answer {
    let keys = app.query_inline(ops::published)?.into_iter().map(Jwk::from).collect();
    public("application/jwk-set+json", &KeySet { keys })
}

/// The metadata of the authorization server (RFC 8414 §2), only with what the server supports.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    introspection_endpoint: String,
    service_documentation: String,
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    scopes_supported: Vec<&'a str>,
}

/// `GET /.well-known/oauth-authorization-server`: where tokens are issued and checked.
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
        token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "Bearer"],
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
