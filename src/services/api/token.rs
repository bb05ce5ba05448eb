//! `POST /v1/token`: a short access token in exchange for a key (RFC 8693).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;

use super::super::callers::{Caller, Callers};
use super::{find_caller, read_address};
use crate::api_keys::Verifier;
use crate::app::App;
use crate::base::{Problem, Secret, Visitor};
use crate::http;
use crate::http::{Answer, VisitorOf, json};
use crate::tokens::flows::exchange;
use crate::tokens::{Asked, Audience, Issued, TOKEN_TYPE};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What a key may be called: our own word, or the one that clients know who know no other. It may be left out.
const KEY_TYPES: [&str; 2] = ["urn:domicile:api-key", TOKEN_TYPE];
/// What may be asked for; it is the same thing by two names.
const TOKEN_TYPES: [&str; 2] = [TOKEN_TYPE, "urn:ietf:params:oauth:token-type:jwt"];

/// RFC 8693 §2.2.1.
#[derive(Serialize)]
struct Exchanged<'a> {
    access_token: &'a str,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'a str,
}

/// An error as clients of OAuth read it (RFC 6749 §5.2), and beside it the members of our other errors.
#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
    error_description: &'a str,
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// `POST /v1/token`. Whoever has the key may exchange it: a service for whoever called it, or the key's own program without any
/// other credential. An `Authorization` that is sent must be a service's, and a good one.
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
            "The Authorization is not the credential of a connected service. Leave it out, or send a good one.";
        return Ok(refusal(&Problem::new(401, "invalid_client", sentence)));
    }
    let body = body.map_err(json::body_problem)?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default().0;
    let asked = match read(&body, caller.as_ref(), &visitor) {
        Ok(asked) => asked,
        Err(problem) => return Ok(refusal(&problem)),
    };
    match exchange(&app, &verifier, asked).await.map_err(Problem::from) {
        Ok(issued) => told(&issued),
        Err(problem) if problem.status < 500 => Ok(refusal(&problem)),
        Err(problem) => Err(problem.into()),
    }
}

fn read(body: &Bytes, caller: Option<&Caller>, visitor: &Visitor) -> Result<Asked, Problem> {
    let wrong = |field: &'static str, sentence: &str| Problem::field(field, "invalid_request", sentence);
    let fields = http::decode_form(body).map_err(|problem| Problem { code: "invalid_request", ..problem })?;
    // RFC 6749 §3.2: a parameter that comes twice is an error, and one without a value is as if it were left out.
    let one = |name: &'static str| {
        let mut sent = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
        match (sent.next(), sent.next()) {
            (Some(_), Some(_)) => Err(wrong(name, &format!("The form has {name} twice. Send it once."))),
            (first, _) => Ok(first.map(|(_, value)| value.as_ref())),
        }
    };
    match one("grant_type")? {
        Some(EXCHANGE) => {}
        None => return Err(wrong("grant_type", &format!("The form needs grant_type={EXCHANGE}."))),
        Some(_) => {
            let sentence = format!("Only grant_type={EXCHANGE} is known here.");
            return Err(Problem::field("grant_type", "unsupported_grant_type", sentence));
        }
    }
    if one("subject_token_type")?.is_some_and(|kind| !KEY_TYPES.contains(&kind)) {
        return Err(wrong("subject_token_type", &format!("Only API keys are exchanged: {}.", KEY_TYPES[0])));
    }
    if one("requested_token_type")?.is_some_and(|kind| !TOKEN_TYPES.contains(&kind)) {
        return Err(wrong("requested_token_type", &format!("Only access tokens are made: {TOKEN_TYPE}.")));
    }
    if one("actor_token")?.is_some() {
        return Err(wrong("actor_token", "A key is exchanged alone. Leave actor_token out."));
    }
    let key =
        one("subject_token")?.ok_or_else(|| wrong("subject_token", "The form needs subject_token: the API key."))?;
    let audience = match (one("audience")?, caller) {
        (Some(named), _) => Audience::parse(named).ok_or_else(|| {
            let sentence =
                "An audience is one word of 1 to 255 visible characters, such as a service's name or address.";
            Problem::field("audience", "invalid_target", sentence)
        })?,
        (None, Some(caller)) => Audience::of_service(&caller.0.name),
        (None, None) => return Err(wrong("audience", "The form needs audience: the service that the token is for.")),
    };
    let scope = one("scope")?.map(str::to_owned);
    let (address, agent) = match (one("ip")?, caller) {
        (said, Some(_)) => (said.map(read_address).transpose()?, String::new()),
        // The program itself: where it is, nobody need say.
        (None, None) => (visitor.address.parse().ok(), visitor.agent.clone()),
        (Some(_), None) => return Err(wrong("ip", "Only a service says where a key came from. Leave ip out.")),
    };
    Ok(Asked { key: Secret::new(key.to_owned()), audience, scope, address, agent })
}

fn told(issued: &Issued) -> Answer {
    let exchanged = Exchanged {
        access_token: issued.token.expose(),
        issued_token_type: TOKEN_TYPE,
        token_type: "Bearer",
        expires_in: issued.expires_in_seconds,
        scope: &issued.scope,
    };
    let mut response = json::private(200, serde_json::to_string(&exchanged).map_err(Problem::ours)?);
    // RFC 6749 §5.1 asks for both.
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn refusal(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let document = Refusal {
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
