//! What every error becomes at a door.

/// A refusal or failure as a visitor sees it: status, stable code, one sentence (RFC 9457 carries it on the JSON doors).
///
/// The slices' errors are facts; `From<SliceError> for Problem` is the only place where they become status and words.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// Stable, lower snake_case, for programs.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub sentence: String,
    /// The form field or JSON member at fault. `None`: not about one.
    pub field: Option<&'static str>,
    /// Seconds to wait before trying again. `None`: no such advice.
    pub retry_after_seconds: Option<u32>,
    /// The internal story, for the log only.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem with a status, a code and a sentence.
    pub fn new(status: u16, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, code, sentence: sentence.into(), field: None, retry_after_seconds: None, cause: None }
    }

    /// 400 about one field.
    pub fn field(field: &'static str, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(400, code, sentence) }
    }

    /// 404: it is not there, or not yours, which is the same to a stranger.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is nothing at this address. Check it, or go back to where you came from.")
    }

    /// 500: our fault. The cause goes to the log, never to the visitor.
    pub fn ours(cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(
                500,
                "internal",
                "Something went wrong on our side. Try again; if it stays, give the request id to your operator.",
            )
        }
    }

    /// 503: try again later.
    pub fn busy(code: &'static str, sentence: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(503, code, sentence) }
    }
}
