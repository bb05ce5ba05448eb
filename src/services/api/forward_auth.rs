//! Any method on `/v1/forward-auth` and below: whether a gateway may let a request pass.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::super::callers::Callers;
use super::strip_scheme;
use crate::api_keys::api::paced;
use crate::api_keys::{Asked, Door, Refusal, Verified, Verifier};
use crate::app::App;
use crate::base::{Problem, Role, ScopeTable, Scopes, SharedText};
use crate::http::{Answer, Identity};
use crate::{accounts, http};

// What gateways are told of who passes, and where a service that asks proves itself. Made here and not for each request.
const ACCOUNT: HeaderName = HeaderName::from_static("domicile-account");
const USERNAME: HeaderName = HeaderName::from_static("domicile-username");
const WORKSPACE: HeaderName = HeaderName::from_static("domicile-workspace");
const ROLE: HeaderName = HeaderName::from_static("domicile-role");
const SCOPES: HeaderName = HeaderName::from_static("domicile-scopes");
const KEY: HeaderName = HeaderName::from_static("domicile-key");
const PLAN: HeaderName = HeaderName::from_static("domicile-plan");
const REGION: HeaderName = HeaderName::from_static("domicile-region");
const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
const REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
const REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SERVICE: HeaderName = HeaderName::from_static("x-domicile-service");
const SCOPE: HeaderName = HeaderName::from_static("x-domicile-scope");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The browser session's rights: a person in a session may do what every key of theirs may.
const SESSION_SCOPE: &str = "admin";

/// Who passes, in the words gateways copy into the request behind them.
struct Pass {
    account: SharedText,
    username: SharedText,
    display_name: SharedText,
    email: SharedText,
    workspace: SharedText,
    role: Role,
    scopes: SharedText,
    /// Empty: there is none.
    key: SharedText,
    plan: SharedText,
    region: SharedText,
}

/// Any method on `/v1/forward-auth` and below: whether a gateway may let a request pass. Exactly 200 with an empty body
/// on yes (Envoy takes nothing else for a yes), 401 or 403 on no (nginx takes nothing else for a no).
pub async fn forward_auth(verifier: Data<Verifier>, callers: Data<Callers>, request: HttpRequest) -> Answer {
    decide(&verifier, &callers, request.head(), || session_pass(verifier.app(), &request))
}

/// As [`forward_auth`], of a request without a cookie, so that nobody in a session can be behind it.
pub fn forward_auth_at_once(verifier: &Verifier, callers: &Callers, head: &RequestHead) -> Answer {
    decide(verifier, callers, head, || Ok(None))
}

fn decide(
    verifier: &Verifier,
    callers: &Callers,
    head: &RequestHead,
    session_pass: impl FnOnce() -> Result<Option<HttpResponse>, Problem>,
) -> Answer {
    let (app, headers) = (verifier.app(), head.headers());
    let query = head.uri.query().unwrap_or_default();
    if !may_ask(app, callers, head)? {
        return Ok(no(403, None, "caller_not_allowed"));
    }
    let Some(wanted) = wanted(&app.config().scopes, headers, query) else {
        return Ok(no(403, Some("insufficient_scope"), "unknown_scope"));
    };
    if let Some(text) = key_of(headers) {
        let asked = Asked {
            door: Door::ForwardAuth,
            address: http::program_behind(headers, |hop| is_gateway(app, hop)),
            agent: headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            wanted,
        };
        return match verifier.verify_at(text, &asked)? {
            Err(refusal) => Ok(refused(refusal, query)),
            Ok(verified) if !verified.rights.grant(wanted) => {
                Ok(no(403, Some("insufficient_scope"), "insufficient_scope"))
            }
            Ok(verified) => {
                let mut response = yes(pass_of(&verified, &app.config().scopes));
                if let Some(paced) = paced(&Ok(verified)) {
                    paced.tell(response.headers_mut());
                }
                Ok(response)
            }
        };
    }
    Ok(session_pass()?.unwrap_or_else(|| no(401, Some("invalid_token"), "no_credential")))
}

/// A trusted network asks, or a service that proves itself in `X-Domicile-Service`. The address is the connection's own:
/// what a client writes into `X-Forwarded-For` must not open this door. On a socket of both families an IPv4 peer comes mapped
/// into IPv6 (RFC 4291 §2.5.5.2), and is the same peer.
fn may_ask(app: &App, callers: &Callers, head: &RequestHead) -> Result<bool, Problem> {
    if let Some(credential) = head.headers().get(SERVICE).and_then(|value| value.to_str().ok()) {
        return Ok(callers.find(credential)?.is_some());
    }
    let allowed = &app.config().forward_auth.allow;
    Ok(head.peer_addr.is_some_and(|peer| allowed.iter().any(|network| network.contains(&peer.ip().to_canonical()))))
}

/// Every scope the gateway asks for: in the query, and in a header for gateways that cannot write a query of their own
/// (Envoy). All of them count, so that whatever a client adds under either name asks for more and never for less. `None`: one
/// of them is unknown, or cannot be read.
fn wanted(table: &ScopeTable, headers: &HeaderMap, query: &str) -> Option<Scopes> {
    let mut wanted = Scopes::NONE;
    if !query.is_empty() {
        for (_, names) in http::decode_form(query.as_bytes()).ok()?.iter().filter(|(name, _)| name == "scope") {
            wanted = wanted.and(table.wanted(names)?);
        }
    }
    for names in headers.get_all(SCOPE) {
        wanted = wanted.and(table.wanted(names.to_str().ok()?)?);
    }
    Some(wanted)
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| strip_scheme(value, "bearer "));
    bearer.or_else(|| text(API_KEY))
}

fn pass_of(verified: &Verified, table: &ScopeTable) -> Pass {
    Pass {
        account: verified.account_text(),
        username: verified.username(),
        display_name: verified.display_name(),
        email: verified.email(),
        workspace: verified.workspace_text(),
        role: verified.role,
        scopes: super::effective_scope(verified, table),
        key: verified.key.written().into(),
        plan: verified.plan(),
        region: verified.region(),
    }
}

/// A browser that is signed in passes as its person.
fn session_pass(app: &Arc<App>, request: &HttpRequest) -> Result<Option<HttpResponse>, Problem> {
    let Some(identity) = request.extensions().get::<Identity>().cloned() else { return Ok(None) };
    let (email, workspace) = app.query_inline(|view| {
        let email = accounts::primary_email(view, identity.account)?;
        Ok((email, crate::workspaces::find(view, identity.workspace)?))
    })?;
    let Some(workspace) = workspace else { return Ok(None) };
    let pass = Pass {
        account: identity.account.written().into(),
        username: identity.username.into(),
        display_name: identity.display_name.into(),
        email: email.as_ref().map_or("", |address| address.as_str()).into(),
        workspace: workspace.id.written().into(),
        role: Role::Owner,
        scopes: SESSION_SCOPE.into(),
        key: SharedText::default(),
        plan: workspace.plan.into(),
        region: workspace.region.into(),
    };
    Ok(Some(yes(pass)))
}

/// Always the whole set: a gateway that copies what it gets would else let through what the client wrote under a name that
/// is missing here.
fn yes(pass: Pass) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    let role = HeaderValue::from_static(pass.role.as_str());
    let username = value_of(pass.username);
    headers.insert(ACCOUNT, value_of(pass.account));
    headers.insert(USERNAME, username.clone());
    headers.insert(WORKSPACE, value_of(pass.workspace));
    headers.insert(ROLE, role.clone());
    headers.insert(SCOPES, value_of(pass.scopes));
    headers.insert(KEY, value_of(pass.key));
    headers.insert(PLAN, value_of(pass.plan));
    headers.insert(REGION, value_of(pass.region));
    headers.insert(REMOTE_USER, username);
    headers.insert(REMOTE_EMAIL, value_of(pass.email));
    headers.insert(REMOTE_NAME, value_of(pass.display_name));
    headers.insert(REMOTE_GROUPS, role);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// Names people chose may hold letters beyond ASCII; gateways pass the bytes on as they are. What no header can hold is
/// empty, which is not what the client wrote either.
fn value_of(text: SharedText) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into_bytes()).unwrap_or(HeaderValue::from_static(""))
}

/// A hop between the program and us that is one of the site's own.
fn is_gateway(app: &App, hop: IpAddr) -> bool {
    let config = app.config();
    config.forward_auth.allow.iter().chain(&config.listen.trusted_proxies).any(|network| network.contains(&hop))
}

/// What a gateway is told about a key that is not good here and now. nginx takes only 401 and 403 for a no.
fn refused(refusal: Refusal, query: &str) -> HttpResponse {
    let is_nginx = http::decode_form(query.as_bytes())
        .is_ok_and(|fields| fields.iter().any(|(name, value)| name == "nginx" && value == "1"));
    let status = if refusal.status() == 429 && is_nginx { 403 } else { refusal.status() };
    let mut response = no(status, (status == 401).then_some("invalid_token"), refusal.code());
    if let Refusal::TooFast { retry_after_seconds, .. } = refusal {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    }
    if let Some(paced) = paced(&Err(refusal)) {
        paced.tell(response.headers_mut());
    }
    response
}

fn no(status: u16, error: Option<&str>, reason: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default());
    if let Some(error) = error {
        response.insert_header((header::WWW_AUTHENTICATE, format!("Bearer error=\"{error}\"")));
    }
    response.insert_header(("domicile-reason", reason)).insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}
