//! Request bodies and responses of the JSON API.

use std::io::ErrorKind;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::error::{PayloadError, QueryPayloadError};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use serde_json::error::Category;

use super::Answer;
use crate::base::Problem;
use crate::threads::spawn_blocking;

/// When a client that was refused should come back, in seconds.
const RETRY_SECONDS: u32 = 5;

/// The problem when the server has too many requests at once.
pub fn overloaded() -> Problem {
    let sentence = "The server has too many requests at once. Try again in a few seconds.";
    Problem::busy("overloaded", sentence, RETRY_SECONDS)
}

/// The problem for a query that cannot be read, for example because a parameter is there twice.
pub fn query_problem(error: &QueryPayloadError) -> Problem {
    Problem::new(400, "invalid_request", format!("The parameters in the address cannot be read: {error}."))
}

/// The problem for a body that arrives too slowly.
pub fn body_too_slow() -> Problem {
    Problem::new(408, "timeout", "The request took too long to arrive. Send it again.")
}

/// The problem for a body that could not be received.
pub fn body_problem(error: actix_web::Error) -> Problem {
    if let Some(problem) = error.as_error().and_then(payload_problem) {
        return problem;
    }
    match error.as_response_error().status_code().as_u16() {
        413 => Problem::new(413, "too_large", "The request is larger than this address accepts. Send less at once."),
        _ => Problem::new(400, "malformed_body", "The body could not be read to its end. Send it again."),
    }
}

/// The problem for a body that is too slow, or one too many. `None`: something else is wrong with it.
pub fn payload_problem(error: &PayloadError) -> Option<Problem> {
    match error {
        PayloadError::Io(error) if error.kind() == ErrorKind::TimedOut => Some(body_too_slow()),
        PayloadError::Io(error) if error.kind() == ErrorKind::QuotaExceeded => Some(overloaded()),
        _ => None,
    }
}

/// Reads a JSON body. Every address answers the same fault with the same code.
///
/// # Errors
/// 400 `malformed_json` if it is no JSON, or no object where one is expected; `unknown_member`, `missing_member`; `bad_member` if
/// a member has another type or is none of the allowed texts.
pub fn parse<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let is_object = body.trim_ascii_start().first() == Some(&b'{');
        if !is_object || error.classify() != Category::Data {
            return malformed_json(&error);
        }
        let text = error.to_string();
        let named = |start: &str| text.strip_prefix(start)?.split('`').next();
        if let Some(name) = named("unknown field `") {
            return Problem::unknown_member(name);
        }
        if let Some(name) = named("missing field `") {
            return Problem::missing_member(name);
        }
        Problem::new(400, "bad_member", format!("A member of the body has a wrong value: {text}."))
    })
}

/// The problem of a body that is no JSON, or not of the expected kind.
pub fn malformed_json(error: &serde_json::Error) -> Problem {
    Problem::new(400, "malformed_json", format!("The body is not the JSON that this address expects: {error}."))
}

/// The largest body, in bytes, that a worker parses on its own thread, in about a millisecond. A larger body would
/// delay the other requests of the worker.
const INLINE_PARSE_BYTES_MAX: usize = 64 * 1024;

/// Parses a body, a large one on a blocking thread.
///
/// # Errors
/// That of `read`, or 500 if it panicked.
pub async fn parse_large<T: Send + 'static>(
    body: Bytes,
    read: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if body.len() <= INLINE_PARSE_BYTES_MAX {
        return read(&body);
    }
    spawn_blocking(move || read(&body)).await.map_err(Problem::internal)?
}

/// A JSON response that must not be cached, because it depends on a credential or has personal data.
pub fn private(status: u16, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap_or_default())
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(body)
}

/// A [`private`] response to a request with an idempotency key. `is_repetition`: the request repeats an earlier one, whose
/// response this is.
pub fn repeatable(status: u16, body: impl MessageBody + 'static, is_repetition: bool) -> HttpResponse {
    let mut response = private(status, body);
    if is_repetition {
        let header = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(header, HeaderValue::from_static("true"));
    }
    response
}

/// The `Idempotency-Key` of a request, with quotes as in the IETF draft, or without. `None`: the header is missing.
///
/// # Errors
/// 400 `idempotency_key_invalid`.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(header) = headers.get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > 255 {
        let sentence = "An Idempotency-Key must have 1 to 255 visible characters. Use a random key for each request.";
        return Err(Problem::new(400, "idempotency_key_invalid", sentence));
    }
    Ok(Some(key.to_owned()))
}

/// A body as a [`private`] response with status 200.
///
/// # Errors
/// 500, if the body cannot be written as JSON.
pub fn ok(body: &impl serde::Serialize) -> Answer {
    Ok(private(200, serde_json::to_string(body).map_err(Problem::internal)?))
}

/// Marks an error response that already has the right format, so that the middleware does not render it again.
pub fn final_form(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(HeaderName::from_static("x-page"), HeaderValue::from_static("1"));
    response
}
