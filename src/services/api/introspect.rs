//! `POST /v1/introspect`: whether a key or a token is good, and whose.

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::callers::{Caller, Callers};
use super::super::model::ServiceScope;
use super::credentials::{caller_in_form, caller_in_headers, no_service};
use super::{ServiceRefusals, read_address, sole_field};
use crate::api_keys::Channel;
use crate::app::App;
use crate::base::{Problem, Scopes};
use crate::http::schema::{self, ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, json};
use crate::verification::{Verdict, Verifier, VerifyRequest};
use crate::{http, tokens};

/// The usual size of the response about a good key, in bytes.
const ANSWER_BYTES: usize = 512;
/// The response about every key that is not good, whatever the reason.
const INACTIVE: &str = r#"{"active":false}"#;

// Only describes: `introspect_form` reads it.
/// What to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes")]
struct IntrospectionRequest {
    /// The API key or access token.
    #[schema(example = "dok_eu_0123456789abcdefghijklmnopqrstuvwxyz")]
    token: String,
    /// The required scopes, separated by spaces. The answer then has the member `granted`.
    #[schema(nullable = false, example = "models:read")]
    scope: Option<String>,
    /// The IP address that the key was used from. Without it, a key that is limited to networks is not valid.
    #[schema(nullable = false, example = "203.0.113.7")]
    ip: Option<String>,
    /// Accepted but ignored.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// The name or id of the service, for clients that authenticate in the form (`client_secret_post`).
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// The credential of the service, instead of the Authorization header.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// What is known about a key or a token.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Introspection<'a> {
    Key(KeyIntrospection<'a>),
    Token(TokenIntrospection<'a>),
    #[expect(dead_code, reason = "describes INACTIVE")]
    Inactive(Inactive),
}

/// An API key that is valid.
#[derive(Serialize, ToSchema)]
struct KeyIntrospection<'a> {
    #[schema(schema_with = schema::only_true)]
    active: bool,
    /// The scopes of the key, separated by spaces.
    #[schema(example = "models:read")]
    scope: &'a str,
    /// The id of the key.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    client_id: &'a str,
    /// The username of the owner.
    #[schema(example = "ada")]
    username: &'a str,
    /// The id of the owner's account.
    #[schema(example = "acc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    sub: &'a str,
    #[schema(schema_with = key_type)]
    token_type: &'static str,
    /// When the key was created, in seconds since 1970.
    #[schema(example = 1_777_766_400)]
    iat: i64,
    /// When the key expires, in seconds since 1970. Missing: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1_785_542_400)]
    exp: Option<i64>,
    /// The public address of this server.
    #[schema(example = "https://account.example.org")]
    iss: &'a str,
    /// The id of the workspace that the key acts in.
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: &'a str,
    /// The role of the owner in the workspace.
    #[schema(schema_with = schema::role)]
    role: &'static str,
    /// The plan of the workspace.
    #[schema(example = "free")]
    plan: &'a str,
    /// The region of the workspace's data.
    #[schema(example = "eu")]
    region: &'a str,
    /// Whether the key has all required scopes. Missing: the request has no `scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = true)]
    granted: Option<bool>,
}

/// An access token that is valid: its claims, as any verifier reads them.
#[derive(Serialize, ToSchema)]
struct TokenIntrospection<'a> {
    #[schema(schema_with = schema::only_true)]
    active: bool,
    #[schema(schema_with = access_token_type)]
    token_type: &'static str,
    #[serde(flatten)]
    claims: &'a tokens::Claims,
    /// Whether the token has all required scopes. Missing: the request has no `scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = true)]
    granted: Option<bool>,
}

/// Everything else, whatever the reason.
#[derive(Serialize, ToSchema)]
struct Inactive {
    #[schema(schema_with = only_false)]
    active: bool,
}

const KEY_TYPE: &str = "api_key";
const ACCESS_TOKEN_TYPE: &str = "Bearer";

fn key_type() -> utoipa::openapi::Object {
    schema::one_of("An API key.", [KEY_TYPE])
}

fn access_token_type() -> utoipa::openapi::Object {
    schema::one_of("An access token.", [ACCESS_TOKEN_TYPE])
}

fn only_false() -> utoipa::openapi::Object {
    schema::only(false)
}

/// Tells whether an API key or an access token is valid, and whose it is (RFC 7662).
///
/// For everything that is not valid the answer is exactly {"active":false}, whatever the reason. An access token is
/// valid only for the service that its audience names, by name or by id. For a service that is limited to some workspaces,
/// nothing of another workspace is valid.
#[utoipa::path(
    post,
    path = "/v1/introspect",
    operation_id = "introspect",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What is known about the key or token.", body = Introspection),
        (
            status = 400,
            description = "The form cannot be read, has no `token` or a field twice, or its `ip` is not an IP address. Or \
                           the credential of the service is in the header and in the form.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusals,
        TooLarge,
        ServerProblem
    )
)]
pub async fn introspect(
    verifier: Data<Verifier>,
    callers: Data<Callers>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let in_headers = caller_in_headers(&callers, request.headers())?;
    introspect_form(&verifier, &callers, in_headers, &body.map_err(json::body_problem)?)
}

/// As [`introspect`], with the whole body of the request. `in_headers`: what [`caller_in_headers`] found.
pub fn introspect_form(verifier: &Verifier, callers: &Callers, in_headers: Option<Caller>, body: &[u8]) -> Answer {
    // A caller without any credential learns that first, whatever the body is.
    let fields = match http::decode_form(body) {
        Err(_) if in_headers.is_none() => return Err(no_service().into()),
        fields => fields?,
    };
    let caller = &caller_in_form(callers, in_headers, &fields)?.ok_or_else(no_service)?;
    caller.require(ServiceScope::KeysVerify)?;
    let field = |name| sole_field(&fields, name).map(|value| value.filter(|value| !value.is_empty()));
    let Some(token) = field("token")? else {
        let sentence = "The form needs the field token, with the key to check.";
        return Err(Problem::field("token", "token_missing", sentence).into());
    };
    let app = verifier.app();
    let config = app.config();
    let address = field("ip")?.map(read_address).transpose()?;
    let required = field("scope")?.map(|scope| config.scopes.parse(scope));
    let granted = |rights: Scopes| required.map(|required| required.is_some_and(|required| rights.contains(required)));
    let question = VerifyRequest {
        address,
        required: required.flatten().unwrap_or_default(),
        workspaces: caller.workspaces(),
        ..VerifyRequest::new(Channel::Introspect)
    };
    let Verdict::Valid(verified) = verifier.verify_request(token, &question)? else {
        return introspect_token(app, caller, token, granted);
    };
    let answer = KeyIntrospection {
        active: true,
        scope: &verified.effective_scope(&config.scopes),
        client_id: &verified.key.to_text(),
        username: &verified.username(),
        sub: &verified.account_text(),
        token_type: KEY_TYPE,
        iat: verified.created_at.unix_seconds(),
        exp: verified.expires_at.map(|end| end.unix_seconds()),
        iss: &config.public_url,
        workspace: &verified.workspace_text(),
        role: verified.role.as_str(),
        plan: &verified.plan(),
        region: &verified.region(),
        granted: granted(verified.rights),
    };
    respond(&Introspection::Key(answer))
}

/// The response about a text that is not a good key: it can be an access token. A text without the form of a token
/// costs no look-up.
fn introspect_token(app: &App, caller: &Caller, token: &str, granted: impl Fn(Scopes) -> Option<bool>) -> Answer {
    if !tokens::is_token_shaped(token) {
        return Ok(json::private(200, INACTIVE));
    }
    let id = caller.service.id.to_string();
    let found = app.query_inline(|view| tokens::examine(view, token, &[&caller.service.name, &id]))?;
    let Some(claims) = found.filter(|claims| caller.may_touch(&claims.workspace)) else {
        return Ok(json::private(200, INACTIVE));
    };
    let granted = granted(app.config().scopes.rights_of(&claims.scope));
    respond(&Introspection::Token(TokenIntrospection {
        active: true,
        token_type: ACCESS_TOKEN_TYPE,
        claims: &claims,
        granted,
    }))
}

fn respond(answer: &Introspection<'_>) -> Result<HttpResponse, http::Fault> {
    let mut text = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut text, answer).map_err(Problem::internal)?;
    Ok(json::private(200, text))
}
