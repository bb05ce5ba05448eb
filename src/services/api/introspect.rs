//! `POST /v1/introspect`: whether a key or a token is good, and whose.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde::Serialize;

use super::super::callers::Caller;
use crate::api_keys::Channel;
use crate::app::App;
use crate::base::{Problem, Scopes};
use crate::http::{Answer, json};
use crate::verification::{Verdict, Verifier, VerifyRequest};
use crate::{http, tokens};

/// The usual size of the response about a good key, in bytes.
const ANSWER_BYTES: usize = 512;
/// The response about every key that is not good, whatever the reason.
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

/// The response about an access token: its claims, as any verifier reads them.
#[derive(Serialize)]
struct TokenIntrospection<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: &'a tokens::Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
}

/// `POST /v1/introspect`: whether a key or a token is good, and who owns it (RFC 7662 §2). The response has `granted`
/// only if the request has `scope`. An access token is active only for the service whose name or id is its audience.
pub async fn introspect(verifier: Data<Verifier>, caller: Caller, body: Result<Bytes, actix_web::Error>) -> Answer {
    introspect_form(&verifier, &caller, &body.map_err(json::body_problem)?)
}

/// As [`introspect`], with the whole body of the request.
pub fn introspect_form(verifier: &Verifier, caller: &Caller, body: &[u8]) -> Answer {
    let fields = http::decode_form(body)?;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_ref());
    let Some(token) = field("token").filter(|token| !token.is_empty()) else {
        let sentence = "The form needs the field token, with the key to check.";
        return Err(Problem::field("token", "token_missing", sentence).into());
    };
    let app = verifier.app();
    let config = app.config();
    let address = field("ip").filter(|ip| !ip.is_empty()).map(super::read_address).transpose()?;
    let required = field("scope").filter(|scope| !scope.is_empty()).map(|scope| config.scopes.parse(scope));
    let granted = |rights: Scopes| required.map(|required| required.is_some_and(|required| rights.contains(required)));
    let question = VerifyRequest {
        address,
        required: required.flatten().unwrap_or_default(),
        ..VerifyRequest::new(Channel::Introspect)
    };
    let Verdict::Valid(verified) = verifier.verify_request(token, &question)? else {
        return introspect_token(app, caller, token, granted);
    };
    let answer = Introspection {
        active: true,
        scope: &super::effective_scope(&verified, &config.scopes),
        client_id: &verified.key.to_text(),
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
    respond(&answer)
}

/// The response about a text that is not a good key: it can be an access token. A text without the form of a token
/// costs no look-up.
fn introspect_token(app: &App, caller: &Caller, token: &str, granted: impl Fn(Scopes) -> Option<bool>) -> Answer {
    if !tokens::is_token_shaped(token) {
        return Ok(json::private(200, INACTIVE));
    }
    let id = caller.0.id.to_string();
    let found = app.query_inline(|view| tokens::examine(view, token, &[&caller.0.name, &id]))?;
    let Some(claims) = found else { return Ok(json::private(200, INACTIVE)) };
    let granted = granted(app.config().scopes.rights_of(&claims.scope));
    respond(&TokenIntrospection { active: true, token_type: "Bearer", claims: &claims, granted })
}

fn respond(answer: &impl Serialize) -> Result<HttpResponse, http::Fault> {
    let mut text = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut text, answer).map_err(Problem::internal)?;
    Ok(json::private(200, text))
}
