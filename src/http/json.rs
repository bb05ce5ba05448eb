//! JSON doors: bodies in, answers out.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;

use crate::base::Problem;

/// What a body that did not arrive becomes.
pub fn body_problem(error: actix_web::Error) -> Problem {
    match error.as_response_error().status_code().as_u16() {
        413 => Problem::new(413, "too_large", "The body is larger than this address takes. Send less at once."),
        _ => Problem::new(400, "malformed_body", "The body could not be read to its end. Send it again."),
    }
}

/// Reads a JSON body.
///
/// # Errors
/// 400 `malformed_json` with line and column, and the member where serde names one.
pub fn parse<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(400, "malformed_json", format!("The body is not the JSON this address reads: {error}."))
    })
}

/// An answer that carries rights or a person's data: never cached.
pub fn private(status: u16, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap_or_default())
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(body)
}

/// Marks a fault that was told in a form of its own, so that the outermost layer leaves it as it is.
pub fn final_form(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(HeaderName::from_static("x-page"), HeaderValue::from_static("1"));
    response
}
