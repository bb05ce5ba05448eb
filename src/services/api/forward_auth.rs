//! `/v1/forward-auth` and all paths below it, with any method: tells a gateway whether to forward a request.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use utoipa::IntoParams;

use super::super::callers::{Caller, Callers};
use super::super::model::ServiceScope;
use super::super::ops::{self, NotGranted};
use crate::api_keys::Channel;
use crate::app::App;
use crate::base::{Problem, Role, ScopeTable, Scopes, SharedText, WorkspaceId};
use crate::http;
use crate::http::schema::{self, ServerProblem};
use crate::http::{Answer, Identity, RepeatedCredential, UnreadableHop, sole_header};
use crate::verification::{Refusal, Verdict, VerifiedKey, Verifier, VerifyRequest};

// The headers of requests and responses. They are constants, so that they are not parsed for each request.
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

/// The identity behind an allowed request, as response headers that a gateway copies into the request to the service.
struct IdentityHeaders {
    account: SharedText,
    username: SharedText,
    display_name: SharedText,
    email: SharedText,
    workspace: SharedText,
    role: Role,
    scopes: SharedText,
    /// Empty for a session, which has no key.
    key: SharedText,
    plan: SharedText,
    region: SharedText,
}

/// What a gateway sends. Only describes: [`decide`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes")]
struct GatewayQuery {
    /// The scopes that the request requires.
    #[param(nullable = false, example = "models:read")]
    scope: Option<String>,
    /// Answers 403 instead of 429, because nginx accepts only 401 and 403 as a refusal.
    #[param(schema_with = only_one, required = false)]
    nginx: Option<String>,
}

fn only_one() -> utoipa::openapi::Object {
    schema::one_of("Answers 403 instead of 429, because nginx accepts only 401 and 403 as a refusal.", ["1"])
}

// An allowed request gets exactly 200 with an empty body, because Envoy accepts nothing else. A denied one gets 401 or
// 403, because nginx accepts nothing else; for other gateways also 429.
/// Tells a gateway whether a request is allowed. Accepts every method and every path below this one.
///
/// All scopes in the query and in the header must be granted. So a client that adds scopes to the request can only
/// require more and never less. Envoy asks for paths below /v1/forward-auth.
#[utoipa::path(
    get,
    path = "/v1/forward-auth",
    operation_id = "forwardAuth",
    tag = "services",
    security(("apiKey" = []), ("apiKeyHeader" = []), ()),
    params(
        GatewayQuery,
        (
            "X-Domicile-Service" = Option<String>,
            Header,
            nullable = false,
            description = "A service credential. Required if the gateway is not on a trusted network, and if a trusted \
                           proxy in front of this server could send the request for a visitor."
        ),
        (
            "X-Domicile-Scope" = Option<String>,
            Header,
            nullable = false,
            description = "The scopes that the request requires, for gateways that cannot add a query."
        )
    ),
    responses(
        (
            status = 200,
            description = "The request is allowed. The headers say who sends it. `Remote-Email` and `Remote-Name` are \
                           empty for a key without the scope account:read.",
            headers(
                ("Domicile-Account"),
                ("Domicile-Username"),
                ("Domicile-Workspace"),
                ("Domicile-Role"),
                ("Domicile-Scopes"),
                ("Domicile-Key"),
                ("Domicile-Plan"),
                ("Domicile-Region"),
                ("Remote-User"),
                ("Remote-Email"),
                ("Remote-Name"),
                ("Remote-Groups"),
                ("RateLimit-Policy", description = "The rate limit of the key, if it has one."),
                ("RateLimit", description = "The remaining requests of the rate limit.")
            )
        ),
        (
            status = 401,
            description = "The request has no valid key and no session. `Domicile-Reason` says why: malformed_key, \
                           invalid_key, key_expired, key_disabled, key_quarantined, no_credential, repeated_credential."
        ),
        (
            status = 403,
            description = "The scope is not granted, or the gateway is not trusted. `Domicile-Reason` says why: \
                           insufficient_scope, unknown_scope, network_not_allowed, budget_exhausted, \
                           caller_not_allowed (no credential of a service with the scope keys:verify, and no trusted \
                           network), workspace_not_granted (the session is of a workspace that the service may not \
                           touch), forwarded_unreadable (the gateway sends an X-Forwarded-For that is no \
                           list of addresses), and rate_limited if nginx asks."
        ),
        (
            status = 429,
            description = "There were too many requests with this key.",
            headers(
                ("Retry-After" = u32, description = "The seconds to wait."),
                ("RateLimit-Policy", description = "The rate limit of the key."),
                ("RateLimit", description = "No requests remain.")
            )
        ),
        ServerProblem
    )
)]
pub async fn forward_auth(verifier: Data<Verifier>, callers: Data<Callers>, request: HttpRequest) -> Answer {
    decide(&verifier, &callers, request.head(), |workspaces| session_identity(verifier.app(), &request, workspaces))
}

/// As [`forward_auth`], for a request without a cookie, which cannot have a session.
pub fn forward_auth_without_session(verifier: &Verifier, callers: &Callers, head: &RequestHead) -> Answer {
    decide(verifier, callers, head, |_| Ok(None))
}

fn decide(
    verifier: &Verifier,
    callers: &Callers,
    head: &RequestHead,
    session_identity: impl FnOnce(Option<&[WorkspaceId]>) -> Result<Option<HttpResponse>, Problem>,
) -> Answer {
    let (app, headers) = (verifier.app(), head.headers());
    let query = head.uri.query().unwrap_or_default();
    let service = match find_asker(app, callers, head)? {
        Asker::Service(service) => Some(service),
        Asker::TrustedNetwork => None,
        Asker::NotAllowed => return Ok(deny(403, None, "caller_not_allowed")),
    };
    let workspaces = service.as_ref().and_then(Caller::workspaces);
    let Some(required) = required_rights(&app.config().scopes, headers, query) else {
        return Ok(deny(403, Some("insufficient_scope"), "unknown_scope"));
    };
    let Ok(sent) = key_from_headers(headers) else {
        return Ok(deny(401, Some("invalid_token"), RepeatedCredential::CODE));
    };
    if let Some(text) = sent {
        let Ok(address) = http::forwarded_client(headers, |hop| ops::is_own_hop(app.config(), hop)) else {
            return Ok(deny(403, None, UnreadableHop::CODE));
        };
        let question = VerifyRequest {
            channel: Channel::ForwardAuth,
            address,
            agent: headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            required,
            workspaces,
        };
        return match verifier.verify_request(text, &question)? {
            Verdict::Refused(refusal) => Ok(deny_key(refusal, query)),
            Verdict::Valid(verified) if !verified.rights.contains(required) => {
                Ok(deny(403, Some("insufficient_scope"), "insufficient_scope"))
            }
            Verdict::Valid(verified) => {
                let mut response = allow(identity_of_key(&verified, &app.config().scopes));
                if let Some(rate_limit) = verified.rate_limit {
                    http::set_rate_limit(response.headers_mut(), rate_limit);
                }
                Ok(response)
            }
        };
    }
    Ok(session_identity(workspaces)?.unwrap_or_else(|| deny(401, Some("invalid_token"), "no_credential")))
}

/// Who asks.
enum Asker {
    Service(Caller),
    /// A gateway in a trusted network, which may ask about everybody.
    TrustedNetwork,
    NotAllowed,
}

/// Who asks, and whether they may: a gateway sends the credential of a service in `X-Domicile-Service`, or it is in a trusted
/// network. The address is that of the connection, because a client can write anything into `X-Forwarded-For`. Only if a
/// trusted proxy sends the request, it is that of the proxy's visitor: otherwise everybody could ask through the proxy in
/// front of the pages. So a gateway at the address of such a proxy needs a credential.
fn find_asker(app: &App, callers: &Callers, head: &RequestHead) -> Result<Asker, Problem> {
    match sole_header(head.headers(), &SERVICE) {
        Ok(Some(credential)) => {
            let service = callers.find(credential)?.filter(|service| service.require(ServiceScope::KeysVerify).is_ok());
            return Ok(service.map_or(Asker::NotAllowed, Asker::Service));
        }
        Err(RepeatedCredential) => return Ok(Asker::NotAllowed),
        Ok(None) => {}
    }
    let is_proxy = |hop| app.config().listen.trusted_proxies.iter().any(|network| network.contains(&hop));
    let asker = head.peer_addr.map(|peer| http::client_address(peer.ip(), head.headers(), is_proxy));
    let is_trusted = asker.is_some_and(|asker| asker.is_ok_and(|asker| ops::may_ask(app.config(), asker)));
    Ok(if is_trusted { Asker::TrustedNetwork } else { Asker::NotAllowed })
}

/// The rights of every scope that the gateway requires: in the query, and in a header for gateways that cannot add a
/// query (Envoy). All of them are required together, so a client that adds scopes can only require more. `None`: a
/// scope is unknown, or cannot be read.
fn required_rights(table: &ScopeTable, headers: &HeaderMap, query: &str) -> Option<Scopes> {
    let mut required = Scopes::NONE;
    for names in query_values(query, "scope") {
        required = required.union(table.parse(&names?)?);
    }
    for names in headers.get_all(SCOPE) {
        required = required.union(table.parse(names.to_str().ok()?)?);
    }
    Some(required)
}

/// The values of a parameter of the gateway. What else is in the query is the business of the service behind the gateway,
/// also if it is not encoded as a form. `None`: a value that cannot be decoded.
fn query_values<'q>(query: &'q str, name: &'q str) -> impl Iterator<Item = Option<Cow<'q, str>>> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let named = pairs.filter(move |(known, _)| http::decode_form_part(known).is_some_and(|known| known == name));
    named.map(|(_, value)| http::decode_form_part(value))
}

/// The key of the request.
fn key_from_headers(headers: &HeaderMap) -> Result<Option<&str>, RepeatedCredential> {
    match (http::bearer(headers)?, sole_header(headers, &API_KEY)?) {
        (Some(bearer), Some(other)) if bearer != other => Err(RepeatedCredential),
        (bearer, other) => Ok(bearer.or(other)),
    }
}

fn identity_of_key(verified: &VerifiedKey, table: &ScopeTable) -> IdentityHeaders {
    // What a program with the key could not read itself, the service behind the gateway does not learn either.
    let may_read_account = verified.rights.contains(table.rights_of("account:read"));
    IdentityHeaders {
        account: verified.account_text(),
        username: verified.username(),
        display_name: if may_read_account { verified.display_name() } else { SharedText::default() },
        email: if may_read_account { verified.email() } else { SharedText::default() },
        workspace: verified.workspace_text(),
        role: verified.role,
        scopes: verified.effective_scope(table),
        key: verified.key.to_text().into(),
        plan: verified.plan(),
        region: verified.region(),
    }
}

/// The response for the person of the browser session, if there is one.
fn session_identity(
    app: &Arc<App>,
    request: &HttpRequest,
    workspaces: Option<&[WorkspaceId]>,
) -> Result<Option<HttpResponse>, Problem> {
    let Some(identity) = request.extensions().get::<Identity>().cloned() else { return Ok(None) };
    let found = app.read_inline(|view| ops::find_person(view, identity.account, identity.workspace, workspaces))?;
    let person = match found {
        Some(Ok(person)) => person,
        Some(Err(NotGranted)) => return Ok(Some(deny(403, None, "workspace_not_granted"))),
        None => return Ok(None),
    };
    let identity = IdentityHeaders {
        account: identity.account.to_text().into(),
        username: identity.username.into(),
        display_name: identity.display_name.into(),
        email: person.email.as_ref().map_or("", |address| address.as_str()).into(),
        workspace: person.workspace.id.to_text().into(),
        role: person.role,
        scopes: person.scope.into(),
        key: SharedText::default(),
        plan: person.workspace.plan.into(),
        region: person.workspace.region.into(),
    };
    Ok(Some(allow(identity)))
}

/// The response always has every header. If one were missing, a gateway could forward the client's own header of this
/// name.
fn allow(identity: IdentityHeaders) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    let role = HeaderValue::from_static(identity.role.as_str());
    let username = value_of(identity.username);
    headers.insert(ACCOUNT, value_of(identity.account));
    headers.insert(USERNAME, username.clone());
    headers.insert(WORKSPACE, value_of(identity.workspace));
    headers.insert(ROLE, role.clone());
    headers.insert(SCOPES, value_of(identity.scopes));
    headers.insert(KEY, value_of(identity.key));
    headers.insert(PLAN, value_of(identity.plan));
    headers.insert(REGION, value_of(identity.region));
    headers.insert(REMOTE_USER, username);
    headers.insert(REMOTE_EMAIL, value_of(identity.email));
    headers.insert(REMOTE_NAME, value_of(identity.display_name));
    headers.insert(REMOTE_GROUPS, role);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// A header value. Names can have letters beyond ASCII, whose bytes gateways forward unchanged. A text that a header
/// cannot hold becomes empty, so that it still replaces the client's header.
fn value_of(text: SharedText) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into_bytes()).unwrap_or(HeaderValue::from_static(""))
}

/// The response for a refused key. nginx accepts only 401 and 403, so it gets 403 instead of 429.
fn deny_key(refusal: Refusal, query: &str) -> HttpResponse {
    let is_nginx = query_values(query, "nginx").any(|value| value.is_some_and(|value| value == "1"));
    let status = if refusal.status() == 429 && is_nginx { 403 } else { refusal.status() };
    let mut response = deny(status, (status == 401).then_some("invalid_token"), refusal.code());
    if let Refusal::RateLimited { retry_after_seconds, .. } = refusal {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    }
    if let Some(rate_limit) = refusal.rate_limit() {
        http::set_rate_limit(response.headers_mut(), rate_limit);
    }
    response
}

fn deny(status: u16, error: Option<&str>, reason: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default());
    if let Some(error) = error {
        response.insert_header((header::WWW_AUTHENTICATE, format!("Bearer error=\"{error}\"")));
    }
    response.insert_header(("domicile-reason", reason)).insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}
