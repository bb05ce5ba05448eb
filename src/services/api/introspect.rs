//! `POST /v1/introspect`: whether a key or a token is good, and whose.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde::Serialize;

use super::super::callers::Caller;
use crate::api_keys::{Asked, Door, Verifier};
use crate::app::App;
use crate::base::{Problem, Scopes};
use crate::http::{Answer, json};
use crate::{http, tokens};

/// Room for the answer about a good key.
const ANSWER_BYTES: usize = 512;
/// Every reason why a key is not good gets these bytes and no others.
const INACTIVE: &str = r#"{"active":false}"#;

#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    username: &'a str,
    sub: &'a str,
    token_type: &'static str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iss: &'a str,
    workspace: &'a str,
    role: &'static str,
    plan: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
}

/// An access token: what it says, which is what everybody else reads in it.
#[derive(Serialize)]
struct TokenIntrospection<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: &'a tokens::Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
}

/// `POST /v1/introspect`: whether a key is good, and whose (RFC 7662 §2). `granted` only where `scope` was asked. An access
/// token is active for the service it was made for, by its name or id, and for no other.
pub async fn introspect(verifier: Data<Verifier>, caller: Caller, body: Result<Bytes, actix_web::Error>) -> Answer {
    examine(&verifier, &caller, &body.map_err(json::body_problem)?)
}

/// As [`introspect`], once the form is here.
pub fn examine(verifier: &Verifier, caller: &Caller, body: &[u8]) -> Answer {
    let fields = http::decode_form(body)?;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_ref());
    let Some(token) = field("token").filter(|token| !token.is_empty()) else {
        let sentence = "The form needs the field token: the key to be checked.";
        return Err(Problem::field("token", "token_missing", sentence).into());
    };
    let app = verifier.app();
    let config = app.config();
    let address = field("ip").filter(|ip| !ip.is_empty()).map(super::read_address).transpose()?;
    let wanted = field("scope").filter(|scope| !scope.is_empty()).map(|scope| config.scopes.wanted(scope));
    let granted = |rights: Scopes| wanted.map(|wanted| wanted.is_some_and(|wanted| rights.grant(wanted)));
    let asked = Asked { address, wanted: wanted.flatten().unwrap_or_default(), ..Asked::at(Door::Introspect) };
    let Ok(verified) = verifier.verify_at(token, &asked)? else { return about_token(app, caller, token, granted) };
    let answer = Introspection {
        active: true,
        scope: &super::effective_scope(&verified, &config.scopes),
        client_id: &verified.key.written(),
        username: &verified.username(),
        sub: &verified.account_text(),
        token_type: "api_key",
        iat: verified.created_at.unix_seconds(),
        exp: verified.expires_at.map(|end| end.unix_seconds()),
        iss: &config.public_url,
        workspace: &verified.workspace_text(),
        role: verified.role.as_str(),
        plan: &verified.plan(),
        region: &verified.region(),
        granted: granted(verified.rights),
    };
    told(&answer)
}

/// What is not a good key may be a token; nothing else is asked for what does not look like one.
fn about_token(app: &App, caller: &Caller, token: &str, granted: impl Fn(Scopes) -> Option<bool>) -> Answer {
    if !tokens::is_token_shaped(token) {
        return Ok(json::private(200, INACTIVE));
    }
    let id = caller.0.id.to_string();
    let found = app.query_inline(|view| tokens::examine(view, token, &[&caller.0.name, &id]))?;
    let Some(claims) = found else { return Ok(json::private(200, INACTIVE)) };
    let granted = granted(app.config().scopes.rights_of(&claims.scope));
    told(&TokenIntrospection { active: true, token_type: "Bearer", claims: &claims, granted })
}

fn told(answer: &impl Serialize) -> Result<HttpResponse, http::Fault> {
    let mut text = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut text, answer).map_err(Problem::ours)?;
    Ok(json::private(200, text))
}
