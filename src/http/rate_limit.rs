//! The state of a rate limit, as the headers of draft-ietf-httpapi-ratelimit-headers-11.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::base::{RateLimit, WINDOW_SECONDS};

/// Sets the headers `RateLimit-Policy` and `RateLimit` for the limit of a key. The extractor of the key puts the limit
/// into the request; the middleware sets the headers of the response.
pub fn set_rate_limit(headers: &mut HeaderMap, limit: RateLimit) {
    let RateLimit { quota, remaining, reset_seconds } = limit;
    let lines = [
        (HeaderName::from_static("ratelimit-policy"), format!("\"key\";q={quota};w={WINDOW_SECONDS}")),
        (HeaderName::from_static("ratelimit"), format!("\"key\";r={remaining};t={reset_seconds}")),
    ];
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
