//! The state of a rate limit, as the headers of draft-ietf-httpapi-ratelimit-headers-11.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The state of the rate limit of a key. The extractor of the key puts it into the request; the middleware sends it in
/// the response.
#[derive(Clone, Copy, Debug)]
pub struct RateLimitStatus {
    /// Requests that are allowed in one window.
    pub quota: u32,
    /// The length of the window in seconds.
    pub window_seconds: u32,
    /// Requests that would be accepted now.
    pub remaining: u32,
    /// Seconds until the whole quota is available again; for a refused request, until the next one is accepted.
    pub reset_seconds: u32,
}

impl RateLimitStatus {
    /// Sets the headers `RateLimit-Policy` and `RateLimit`.
    pub fn set_headers(&self, headers: &mut HeaderMap) {
        let Self { quota, window_seconds, remaining, reset_seconds } = self;
        let lines = [
            (HeaderName::from_static("ratelimit-policy"), format!("\"key\";q={quota};w={window_seconds}")),
            (HeaderName::from_static("ratelimit"), format!("\"key\";r={remaining};t={reset_seconds}")),
        ];
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
