//! `POST /v1/token`: exchanges a key for a short-lived access token (RFC 8693).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;

use super::super::callers::{Caller, Callers};
use super::{find_caller, read_address};
use crate::app::App;
use crate::base::{Problem, Secret, Visitor};
use crate::http;
use crate::http::{Answer, VisitorOf, json};
use crate::tokens::flows::exchange;
use crate::tokens::{Audience, ExchangeRequest, IssuedToken, TOKEN_TYPE};
use crate::verification::Verifier;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The types of a subject token: our own, and the one for clients that only know registered types. It can be left out.
const KEY_TYPES: [&str; 2] = ["urn:domicile:api-key", TOKEN_TYPE];
/// The types that can be requested. Both mean the same token.
const TOKEN_TYPES: [&str; 2] = [TOKEN_TYPE, "urn:ietf:params:oauth:token-type:jwt"];

/// The response of an exchange (RFC 8693 §2.2.1).
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'a str,
}

/// An error for OAuth clients (RFC 6749 §5.2), with the members of our other errors too.
#[derive(Serialize)]
struct ErrorResponse<'a> {
    error: &'a str,
    error_description: &'a str,
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// `POST /v1/token`. The key is proof enough for the exchange: a service exchanges the key of its caller, or a program
/// exchanges its own key without another credential. If the request has `Authorization`, it must be the good credential
/// of a service.
pub async fn token(
    app: Data<Arc<App>>,
    verifier: Data<Verifier>,
    callers: Data<Callers>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let caller = find_caller(&callers, request.headers())?;
    if caller.is_none() && request.headers().contains_key(header::AUTHORIZATION) {
        let sentence =
            "The Authorization header is not the credential of a connected service. Leave it out, or send a good one.";
        return Ok(error_response(&Problem::new(401, "invalid_client", sentence)));
    }
    let body = body.map_err(json::body_problem)?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default().0;
    let exchange_request = match parse_request(&body, caller.as_ref(), &visitor) {
        Ok(exchange_request) => exchange_request,
        Err(problem) => return Ok(error_response(&problem)),
    };
    match exchange(&app, &verifier, exchange_request).await.map_err(Problem::from) {
        Ok(issued) => token_response(&issued),
        Err(problem) if problem.status < 500 => Ok(error_response(&problem)),
        Err(problem) => Err(problem.into()),
    }
}

fn parse_request(body: &Bytes, caller: Option<&Caller>, visitor: &Visitor) -> Result<ExchangeRequest, Problem> {
    let invalid = |name: &'static str, sentence: &str| Problem::field(name, "invalid_request", sentence);
    let fields = http::decode_form(body).map_err(|problem| Problem { code: "invalid_request", ..problem })?;
    // RFC 6749 §3.2: a parameter that is sent twice is an error, and one without a value counts as not sent.
    let field = |name: &'static str| {
        let mut sent = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
        match (sent.next(), sent.next()) {
            (Some(_), Some(_)) => Err(invalid(name, &format!("The form has {name} twice. Send it once."))),
            (first, _) => Ok(first.map(|(_, value)| value.as_ref())),
        }
    };
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
        (None, Some(caller)) => Audience::of_service(&caller.0.name),
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
    Ok(ExchangeRequest { key: Secret::new(key.to_owned()), audience, scope, address, agent })
}

fn token_response(issued: &IssuedToken) -> Answer {
    let exchanged = TokenResponse {
        access_token: issued.token.expose(),
        issued_token_type: TOKEN_TYPE,
        token_type: "Bearer",
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
