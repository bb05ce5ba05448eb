//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), for writes that can be repeated.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::base::Problem;

/// The Idempotency-Key of the request, with quotes as in the IETF draft, or without. `None`: the header is missing.
///
/// # Errors
/// 400 `idempotency_key_invalid`.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > 255 {
        let sentence = "An Idempotency-Key must have 1 to 255 visible characters. Use a random key for each request.";
        return Err(Problem::new(400, "idempotency_key_invalid", sentence));
    }
    Ok(Some(key.to_owned()))
}

/// Says that this answer is that of an earlier request with the same key.
pub fn set_replayed_header(response: &mut HttpResponse) {
    response.headers_mut().insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
}
