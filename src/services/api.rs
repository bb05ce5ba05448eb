//! What services ask: is this key good (RFC 7662), and may this request pass.

use std::fmt::{Display, Write};
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::callers::{Caller, Callers};
use crate::api_keys::api::paced;
use crate::api_keys::{Asked, Door, Refusal, Verified, Verifier};
use crate::app::App;
use crate::base::{AccountId, ApiKeyId, Problem, Role, WorkspaceId};
use crate::http::{Answer, Fault, Identity, json};
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

/// Room for the answer about a good key.
const ANSWER_BYTES: usize = 512;
/// Every reason why a key is not good gets these bytes and no others.
const INACTIVE: &str = r#"{"active":false}"#;
/// The browser session's rights: a person in a session may do what every key of theirs may.
const SESSION_SCOPE: &str = "admin";

impl FromRequest for Caller {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller_of(request))
    }
}

fn caller_of(request: &HttpRequest) -> Result<Caller, Fault> {
    let callers = request.app_data::<Data<Callers>>().ok_or_else(|| Problem::ours("no callers in the request"))?;
    let refused = || Fault(Problem::new(401, "invalid_service", "This needs the credential of a connected service."));
    let header =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    if let Some(credential) = strip_scheme(header, "bearer ") {
        return callers.find(credential)?.ok_or_else(refused);
    }
    // HTTP Basic (RFC 7617): the service's name or id, and its credential, as Apache and Kong send them.
    let pair = strip_scheme(header, "basic ").and_then(|encoded| STANDARD.decode(encoded).ok()).ok_or_else(refused)?;
    let pair = String::from_utf8(pair).map_err(|_| refused())?;
    let (name, credential) = pair.split_once(':').ok_or_else(refused)?;
    let caller = callers.find(credential)?.ok_or_else(refused)?;
    if name == caller.0.name || name == caller.0.id.to_string() { Ok(caller) } else { Err(refused()) }
}

/// The credential after its scheme, whatever the case of the scheme (RFC 9110 §11.1).
fn strip_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (found, rest) = header.split_at_checked(scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a str,
    client_id: Shown<ApiKeyId>,
    username: &'a str,
    sub: Shown<AccountId>,
    token_type: &'static str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iss: &'a str,
    workspace: Shown<WorkspaceId>,
    role: &'static str,
    plan: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
}

/// An id written straight into the answer.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// `POST /v1/introspect`: whether a key is good, and whose (RFC 7662 §2). `granted` only where `scope` was asked.
pub async fn introspect(
    app: Data<Arc<App>>,
    verifier: Data<Verifier>,
    _caller: Caller,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let fields = http::decode_form(&body)?;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let Some(token) = field("token").filter(|token| !token.is_empty()) else {
        return Err(
            Problem::field("token", "token_missing", "The form needs the field token: the key to be checked.").into()
        );
    };
    let config = app.config();
    let address = match field("ip").filter(|ip| !ip.is_empty()).map(str::parse::<IpAddr>) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => {
            return Err(Problem::field(
                "ip",
                "ip_invalid",
                "The field ip is not an address. Send one, or leave it out.",
            )
            .into());
        }
    };
    let wanted = field("scope").filter(|scope| !scope.is_empty()).map(|scope| config.scopes.wanted(scope));
    let asked = Asked { address, wanted: wanted.flatten().unwrap_or_default(), ..Asked::at(Door::Introspect) };
    let Ok(verified) = verifier.verify_at(token, &asked)? else { return Ok(json::private(200, INACTIVE)) };
    let granted = wanted.map(|wanted| wanted.is_some_and(|wanted| verified.rights.grant(wanted)));
    let answer = Introspection {
        active: true,
        scope: &verified.scope,
        client_id: Shown(verified.key),
        username: &verified.username,
        sub: Shown(verified.account),
        token_type: "api_key",
        iat: verified.created_at.unix_seconds(),
        exp: verified.expires_at.map(|end| end.unix_seconds()),
        iss: &config.public_url,
        workspace: Shown(verified.workspace),
        role: verified.role.as_str(),
        plan: &verified.plan,
        region: &verified.region,
        granted,
    };
    let mut text = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut text, &answer).map_err(Problem::ours)?;
    Ok(json::private(200, text))
}

/// Who passes, in the words gateways copy into the request behind them.
struct Pass<'a> {
    account: AccountId,
    username: &'a str,
    display_name: &'a str,
    email: &'a str,
    workspace: WorkspaceId,
    role: Role,
    scopes: &'a str,
    key: Option<ApiKeyId>,
    plan: &'a str,
    region: &'a str,
}

/// Any method on `/v1/forward-auth` and below: whether a gateway may let a request pass. Exactly 200 with an empty body
/// on yes (Envoy takes nothing else for a yes), 401 or 403 on no (nginx takes nothing else for a no).
pub async fn forward_auth(
    app: Data<Arc<App>>,
    verifier: Data<Verifier>,
    callers: Data<Callers>,
    request: HttpRequest,
) -> Answer {
    if !may_ask(&app, &callers, &request)? {
        return Ok(no(403, None, "caller_not_allowed"));
    }
    let wanted = match scope_of(request.query_string()) {
        Some(scope) => match app.config().scopes.wanted(&scope) {
            Some(wanted) => wanted,
            None => return Ok(no(403, Some("insufficient_scope"), "unknown_scope")),
        },
        None => crate::base::Scopes::NONE,
    };
    if let Some(text) = key_of(request.headers()) {
        let asked = Asked {
            door: Door::ForwardAuth,
            address: http::program_behind(request.headers(), |hop| is_gateway(&app, hop)),
            agent: request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            wanted,
        };
        return match verifier.verify_at(text, &asked)? {
            Err(refusal) => Ok(refused(refusal, request.query_string())),
            Ok(verified) if !verified.rights.grant(wanted) => {
                Ok(no(403, Some("insufficient_scope"), "insufficient_scope"))
            }
            Ok(verified) => {
                let mut response = yes(&pass_of(&verified));
                if let Some(paced) = paced(&Ok(verified)) {
                    paced.tell(response.headers_mut());
                }
                Ok(response)
            }
        };
    }
    match session_pass(&app, &request)? {
        Some(response) => Ok(response),
        None => Ok(no(401, Some("invalid_token"), "no_credential")),
    }
}

/// A trusted network asks, or a service that proves itself in `X-Domicile-Service`. The address is the connection's own:
/// what a client writes into `X-Forwarded-For` must not open this door. On a socket of both families an IPv4 peer comes mapped
/// into IPv6 (RFC 4291 §2.5.5.2), and is the same peer.
fn may_ask(app: &App, callers: &Callers, request: &HttpRequest) -> Result<bool, Problem> {
    if let Some(credential) = request.headers().get(SERVICE).and_then(|value| value.to_str().ok()) {
        return Ok(callers.find(credential)?.is_some());
    }
    let allowed = &app.config().forward_auth.allow;
    Ok(request
        .peer_addr()
        .is_some_and(|peer| allowed.iter().any(|network| network.contains(&peer.ip().to_canonical()))))
}

fn scope_of(query: &str) -> Option<String> {
    let fields = http::decode_form(query.as_bytes()).ok()?;
    fields.into_iter().find(|(name, _)| name == "scope").map(|(_, value)| value).filter(|scope| !scope.is_empty())
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| strip_scheme(value, "bearer "));
    bearer.or_else(|| text(API_KEY))
}

fn pass_of(verified: &Verified) -> Pass<'_> {
    Pass {
        account: verified.account,
        username: &verified.username,
        display_name: &verified.display_name,
        email: &verified.email,
        workspace: verified.workspace,
        role: verified.role,
        scopes: &verified.scope,
        key: Some(verified.key),
        plan: &verified.plan,
        region: &verified.region,
    }
}

/// A browser that is signed in passes as its person.
fn session_pass(app: &Arc<App>, request: &HttpRequest) -> Result<Option<HttpResponse>, Problem> {
    let Some(identity) = request.extensions().get::<Identity>().cloned() else { return Ok(None) };
    let (email, workspace) = app.glance(|view| {
        let email = accounts::primary_email(view, identity.account)?;
        Ok((email, crate::workspaces::find(view, identity.workspace)?))
    })?;
    let Some(workspace) = workspace else { return Ok(None) };
    let pass = Pass {
        account: identity.account,
        username: &identity.username,
        display_name: &identity.display_name,
        email: email.as_ref().map_or("", |address| address.as_str()),
        workspace: workspace.id,
        role: Role::Owner,
        scopes: SESSION_SCOPE,
        key: None,
        plan: &workspace.plan,
        region: &workspace.region,
    };
    Ok(Some(yes(&pass)))
}

/// Room for the values of the headers below.
const PASS_BYTES: usize = 512;

/// Always the whole set: a gateway that copies what it gets would else let through what the client wrote under a name that
/// is missing here.
fn yes(pass: &Pass<'_>) -> HttpResponse {
    let role = pass.role.as_str();
    let key: &dyn Display = pass.key.as_ref().map_or(&"", |key| key);
    let values: [(HeaderName, &dyn Display); 12] = [
        (ACCOUNT, &pass.account),
        (USERNAME, &pass.username),
        (WORKSPACE, &pass.workspace),
        (ROLE, &role),
        (SCOPES, &pass.scopes),
        (KEY, key),
        (PLAN, &pass.plan),
        (REGION, &pass.region),
        (REMOTE_USER, &pass.username),
        (REMOTE_EMAIL, &pass.email),
        (REMOTE_NAME, &pass.display_name),
        (REMOTE_GROUPS, &role),
    ];
    let mut response = HttpResponse::Ok();
    // One piece of memory for all values instead of one for each: a gateway asks for every request behind it.
    let mut text = BytesMut::with_capacity(PASS_BYTES);
    for (name, value) in values {
        // Writing into memory does not fail.
        let _ = write!(text, "{value}");
        // Names people chose may hold letters beyond ASCII; gateways pass the bytes on as they are. What no header can hold is
        // empty, which is not what the client wrote either.
        let value = HeaderValue::from_maybe_shared(text.split().freeze());
        response.insert_header((name, value.unwrap_or(HeaderValue::from_static(""))));
    }
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store"))).finish()
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
    let mut response = HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap_or_default());
    if let Some(error) = error {
        response.insert_header((header::WWW_AUTHENTICATE, format!("Bearer error=\"{error}\"")));
    }
    response.insert_header(("domicile-reason", reason)).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}
