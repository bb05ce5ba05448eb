//! The answer to a person who must wait.

use super::model::RetryAfter;
use crate::base::Problem;

impl From<RetryAfter> for Problem {
    fn from(wait: RetryAfter) -> Self {
        let sentence = format!("Too many wrong attempts. Wait {}, then try again.", wait.in_words());
        Self { retry_after_seconds: Some(wait.wait_seconds), ..Self::new(429, "too_many_tries", sentence) }
    }
}
