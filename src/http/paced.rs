//! What is left of a rate, in the headers of draft-ietf-httpapi-ratelimit-headers-11.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Noted in the request by whoever counts, and told in its answer.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    /// Requests in a window.
    pub quota: u32,
    /// Its length, in seconds.
    pub window_seconds: u32,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Seconds until all of the quota is there again, or the next request is let in.
    pub reset_seconds: u32,
}

impl Paced {
    /// Writes both headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
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
