//! The form in which every error is shown to a caller.

/// An error as the caller sees it: status, stable code and one sentence. The API sends it as a problem document (RFC
/// 9457).
///
/// The error types of the slices describe facts. `From<SliceError> for Problem` is the only place that gives them a
/// status and a sentence.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// Stable, lower snake_case, for programs.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub sentence: String,
    /// The form field or JSON member that is wrong. `None`: it is not about one field.
    pub field: Option<&'static str>,
    /// What is wrong with other fields of the same form: each with its sentence.
    pub others: Vec<(&'static str, String)>,
    /// The limit of a plan that is reached. `None`: it is not about one.
    pub reached: Option<Box<ReachedLimit>>,
    /// How many seconds to wait before the next attempt. `None`: waiting does not help, or we do not know.
    pub retry_after_seconds: Option<u32>,
    /// The internal cause, for the log only.
    pub cause: Option<Box<str>>,
}

/// How many characters of an unknown member's name an answer repeats.
const UNKNOWN_NAME_CHARS_MAX: usize = 40;

/// A limit of a plan that a request would go beyond, for programs: `limit_reached`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachedLimit {
    /// The name of the limit, as the settings have it.
    pub limit: &'static str,
    /// What the plan allows: things or bytes.
    pub max: i64,
    /// What is there, with what is reserved.
    pub current: i64,
    /// The code of the plan.
    pub plan: String,
}

impl Problem {
    /// A problem with a status, a code and a sentence.
    pub fn new(status: u16, code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            code,
            sentence: sentence.into(),
            field: None,
            others: Vec::new(),
            reached: None,
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// 400 about one field.
    pub fn field(field: &'static str, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(400, code, sentence) }
    }

    /// 400: the address does not know a member of the body.
    pub fn unknown_member(name: &str) -> Self {
        let name: String = name.chars().take(UNKNOWN_NAME_CHARS_MAX).collect();
        Self::new(400, "unknown_member", format!("The member {name} is not known. Leave it out."))
    }

    /// 400: a member of the body is not there.
    pub fn missing_member(name: &str) -> Self {
        Self::new(400, "missing_member", format!("The member {name} is missing. Send it."))
    }

    /// Several problems of one form. One that is about no field comes first, and of two about one field the first counts.
    pub fn of_several(problems: impl IntoIterator<Item = Self>) -> Self {
        let mut problems: Vec<Self> = problems.into_iter().collect();
        problems.sort_by_key(|problem| problem.field.is_some());
        let mut problems = problems.into_iter();
        let Some(mut first) = problems.next() else { return Self::internal("a form without a problem") };
        for other in problems {
            let is_known = |field| first.field == Some(field) || first.others.iter().any(|(known, _)| *known == field);
            if let Some(field) = other.field.filter(|field| !is_known(*field)) {
                first.others.push((field, other.sentence));
            }
        }
        first
    }

    /// 404: it does not exist, or it belongs to someone else. Both get the same answer, so that it does not reveal
    /// which.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is nothing at this address. Check the address, or go back to your account.")
    }

    /// 500: a fault of the server. The cause goes to the log, never to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string().into()),
            ..Self::new(
                500,
                "internal",
                "Something went wrong on our side. Try again. If it happens again, give your operator the request ID.",
            )
        }
    }

    /// 503: the server cannot answer now. The caller should try again later.
    pub fn busy(code: &'static str, sentence: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(503, code, sentence) }
    }
}
