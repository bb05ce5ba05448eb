//! `POST /v1/token`: exchanges a key for a short-lived access token (RFC 8693).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::callers::{Caller, Callers};
use super::super::model::ServiceScope;
use super::credentials::{NO_SERVICE, caller_in_form, caller_in_headers};
use super::{read_address, sole_field};
use crate::app::App;
use crate::base::{Problem, Secret, Visitor};
use crate::http;
use crate::http::schema::{self, ServerProblem, TooLarge};
use crate::http::{Answer, RepeatedCredential, VisitorOf, json};
use crate::tokens::flows::exchange;
use crate::tokens::{Audience, ExchangeRequest, IssuedToken, TOKEN_TYPE};
use crate::verification::Verifier;

const BEARER: &str = "Bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The types of a subject token: our own, and the one for clients that only know registered types. It can be left out.
const KEY_TYPES: [&str; 2] = ["urn:domicile:api-key", TOKEN_TYPE];
/// The types that can be requested. Both mean the same token.
const TOKEN_TYPES: [&str; 2] = [TOKEN_TYPE, "urn:ietf:params:oauth:token-type:jwt"];

// Only describes: `parse_request` reads it.
/// The exchange that is requested (RFC 8693).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes")]
struct TokenRequest {
    #[schema(schema_with = grant_type)]
    grant_type: String,
    /// The API key.
    #[schema(example = "dok_eu_0123456789abcdefghijklmnopqrstuvwxyz")]
    subject_token: String,
    #[schema(schema_with = subject_token_type, required = false)]
    subject_token_type: Option<String>,
    /// The service that the token is for: one word, such as its name or URL. The default for a service is its own name.
    #[schema(nullable = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$", example = "training")]
    audience: Option<String>,
    /// The wanted scopes, separated by spaces. The default is all scopes of the key.
    #[schema(nullable = false, example = "models:read")]
    scope: Option<String>,
    #[schema(schema_with = requested_token_type, required = false)]
    requested_token_type: Option<String>,
    /// The IP address that the key was used from, for keys with a list of networks. Only a service may send it.
    #[schema(nullable = false)]
    ip: Option<String>,
    /// The name or id of the service, for clients that authenticate in the form (`client_secret_post`).
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// The credential of the service, instead of the Authorization header.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

fn grant_type() -> utoipa::openapi::Object {
    schema::one_of("The exchange of a token (RFC 8693).", [EXCHANGE])
}

fn subject_token_type() -> utoipa::openapi::Object {
    schema::one_of("The type of `subject_token`. Both mean an API key.", KEY_TYPES)
}

fn requested_token_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the wanted token. Both mean an access token.", TOKEN_TYPES)
}

/// The response of an exchange (RFC 8693 §2.2.1).
#[derive(Serialize, ToSchema)]
struct TokenResponse<'a> {
    /// A JWT with the claims iss, sub, aud, exp, iat, nbf, jti, client_id (the key), scope, workspace, role, plan, region
    /// and epoch.
    #[schema(
        example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2FjY291bnQuZXhhbXBsZS5vcmcifQ.c2ln"
    )]
    access_token: &'a str,
    #[schema(schema_with = issued_token_type)]
    issued_token_type: &'static str,
    #[schema(schema_with = token_type)]
    token_type: &'static str,
    /// The lifetime of the token in seconds.
    #[schema(example = 300)]
    expires_in: i64,
    /// Every scope that the token grants. Bundles are expanded, so that verifiers need no table of them.
    #[schema(example = "models:read")]
    scope: &'a str,
}

fn issued_token_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the token (RFC 8693).", [TOKEN_TYPE])
}

fn token_type() -> utoipa::openapi::Object {
    schema::one_of("How the token is used (RFC 6750).", [BEARER])
}

/// An error for OAuth clients (RFC 6749 §5.2), with the members of our other errors too.
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError)]
struct ErrorResponse<'a> {
    #[schema(schema_with = error_code)]
    error: &'a str,
    #[schema(example = "Only grant_type=urn:ietf:params:oauth:grant-type:token-exchange is supported.")]
    error_description: &'a str,
    #[schema(example = "about:blank")]
    r#type: &'static str,
    #[schema(example = "Bad Request")]
    title: &'a str,
    #[schema(example = 400)]
    status: u16,
    /// The same as `error_description`.
    #[schema(example = "Only grant_type=urn:ietf:params:oauth:grant-type:token-exchange is supported.")]
    detail: &'a str,
    /// The same as `error`.
    #[schema(example = "unsupported_grant_type")]
    code: &'a str,
}

fn error_code() -> utoipa::openapi::Object {
    schema::one_of(
        "The code of the error (RFC 6749).",
        [
            "invalid_request",
            "invalid_client",
            "unsupported_grant_type",
            "invalid_scope",
            "invalid_target",
            "ip_invalid",
            "rate_limited",
        ],
    )
}

/// Exchanges an API key for a short-lived access token (RFC 8693).
///
/// The key is the only credential that is required: a service may exchange the key of its caller, and the program with
/// the key may exchange it itself. If the request has an Authorization header, it must have a service credential. The
/// token is a JWT (RFC 9068, type at+jwt, EdDSA). It never outlives the key.
#[utoipa::path(
    post,
    path = "/v1/token",
    operation_id = "exchangeToken",
    tag = "verification",
    security((), ("service" = []), ("serviceBasic" = [])),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The access token.", body = TokenResponse),
        (
            status = 400,
            description = "An OAuth error (RFC 6749 section 5.2): a field is missing or wrong, or the key is not valid. Or \
                           `forwarded_unreadable`, as a problem document (RFC 9457): a proxy in front of this site does not \
                           tell it the address that the request came from.",
            body = ErrorResponse
        ),
        (
            status = 401,
            description = "An OAuth error: the Authorization header or the form has a credential that is not that of a \
                           connected service.",
            body = ErrorResponse
        ),
        (
            status = 403,
            description = "The service does not have the scope keys:verify.",
            body = schema::ProblemDocument,
            content_type = "application/problem+json"
        ),
        TooLarge,
        (
            status = 429,
            description = "An OAuth error: the rate limit of the key is exceeded.",
            body = ErrorResponse,
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
        (
            status = 503,
            description = "No token can be signed now. Try again later.",
            body = schema::ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn token(
    app: Data<Arc<App>>,
    verifier: Data<Verifier>,
    callers: Data<Callers>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let in_headers = match caller_in_headers(&callers, request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return refuse_caller(problem),
    };
    let body = body.map_err(json::body_problem)?;
    let fields = match http::decode_form(&body) {
        Ok(fields) => fields,
        Err(problem) => return Ok(error_response(&Problem { code: "invalid_request", ..problem })),
    };
    let caller = match caller_in_form(&callers, in_headers, &fields) {
        Ok(caller) => caller,
        Err(problem) => return refuse_caller(problem),
    };
    if let Some(caller) = &caller {
        caller.require(ServiceScope::KeysVerify)?;
    }
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default().0;
    let exchange_request = match parse_request(&fields, caller.as_ref(), &visitor) {
        Ok(exchange_request) => exchange_request,
        Err(problem) => return Ok(error_response(&problem)),
    };
    match exchange(&app, &verifier, exchange_request).await.map_err(Problem::from) {
        Ok(issued) => token_response(&issued),
        Err(problem) if problem.status < 500 => Ok(error_response(&problem)),
        Err(problem) => Err(problem.into()),
    }
}

/// The answer to a caller whose credential is wrong.
fn refuse_caller(problem: Problem) -> Answer {
    match problem {
        Problem { code: NO_SERVICE | RepeatedCredential::CODE, .. } => {
            let sentence = "The request has a credential that is not that of a connected service. Leave it out, or send a good one.";
            Ok(error_response(&Problem::new(401, "invalid_client", sentence)))
        }
        Problem { status: 400, .. } => Ok(error_response(&problem)),
        problem => Err(problem.into()),
    }
}

fn parse_request(
    fields: &[http::Field<'_>],
    caller: Option<&Caller>,
    visitor: &Visitor,
) -> Result<ExchangeRequest, Problem> {
    let invalid = |name: &'static str, sentence: &str| Problem::field(name, "invalid_request", sentence);
    let field = |name: &'static str| sole_field(fields, name);
    match field("grant_type")? {
        Some(EXCHANGE) => {}
        None => return Err(invalid("grant_type", &format!("The form needs grant_type={EXCHANGE}."))),
        Some(_) => {
            let sentence = format!("Only grant_type={EXCHANGE} is supported.");
            return Err(Problem::field("grant_type", "unsupported_grant_type", sentence));
        }
    }
    if field("subject_token_type")?.is_some_and(|kind| !KEY_TYPES.contains(&kind)) {
        return Err(invalid("subject_token_type", &format!("Only API keys can be exchanged: {}.", KEY_TYPES[0])));
    }
    if field("requested_token_type")?.is_some_and(|kind| !TOKEN_TYPES.contains(&kind)) {
        return Err(invalid("requested_token_type", &format!("Only access tokens can be requested: {TOKEN_TYPE}.")));
    }
    if field("actor_token")?.is_some() {
        return Err(invalid("actor_token", "An exchange takes only a key. Leave actor_token out."));
    }
    let key = field("subject_token")?
        .ok_or_else(|| invalid("subject_token", "The form needs subject_token, with the API key."))?;
    let audience = match (field("audience")?, caller) {
        (Some(named), _) => Audience::parse(named).ok_or_else(|| {
            let sentence =
                "An audience is one word of 1 to 255 visible characters, such as a service's name or address.";
            Problem::field("audience", "invalid_target", sentence)
        })?,
        (None, Some(caller)) => Audience::of_service(&caller.service.name),
        (None, None) => {
            return Err(invalid("audience", "The form needs audience, with the service that the token is for."));
        }
    };
    let scope = field("scope")?.map(str::to_owned);
    let (address, agent) = match (field("ip")?, caller) {
        (ip, Some(_)) => (ip.map(read_address).transpose()?, String::new()),
        // The program itself: its address is that of the connection.
        (None, None) => (visitor.address.parse().ok(), visitor.agent.clone()),
        (Some(_), None) => return Err(invalid("ip", "Only a service can send the address of a key. Leave ip out.")),
    };
    let workspaces = caller.and_then(Caller::workspaces).map(<[_]>::to_vec);
    Ok(ExchangeRequest { key: Secret::new(key.to_owned()), audience, scope, address, agent, workspaces })
}

fn token_response(issued: &IssuedToken) -> Answer {
    let exchanged = TokenResponse {
        access_token: issued.token.expose(),
        issued_token_type: TOKEN_TYPE,
        token_type: BEARER,
        expires_in: issued.expires_in_seconds,
        scope: &issued.scope,
    };
    let mut response = json::private(200, serde_json::to_string(&exchanged).map_err(Problem::internal)?);
    // RFC 6749 §5.1 requires both Cache-Control and Pragma.
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn error_response(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let document = ErrorResponse {
        error: problem.code,
        error_description: &problem.sentence,
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: problem.status,
        detail: &problem.sentence,
        code: problem.code,
    };
    let mut response = json::private(problem.status, serde_json::to_string(&document).unwrap_or_default());
    if problem.status == 401 {
        let schemes = HeaderValue::from_static("Basic realm=\"domicile\", Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, schemes);
    }
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    http::json::final_form(response)
}
