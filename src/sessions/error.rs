//! The answers to people who must wait.

use super::model::RetryAfter;
use crate::base::Problem;

/// Why no mail is sent to somebody who is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyMails {
    /// The address got several in a short time.
    #[error("too many mails to this address")]
    ToThisAddress(RetryAfter),
    /// The network of the visitor asked for many.
    #[error("too many mails from this network")]
    FromThisNetwork(RetryAfter),
    /// All visitors together asked for many.
    #[error("too many mails of the site")]
    OfTheSite(RetryAfter),
}

impl From<RetryAfter> for Problem {
    fn from(wait: RetryAfter) -> Self {
        let sentence = format!("Too many wrong attempts. Wait {}, then try again.", wait.in_words());
        Self { retry_after_seconds: Some(wait.wait_seconds), ..Self::new(429, "too_many_tries", sentence) }
    }
}

impl From<TooManyMails> for Problem {
    fn from(refused: TooManyMails) -> Self {
        let (wait, sentence) = match refused {
            TooManyMails::ToThisAddress(wait) => (
                wait,
                format!(
                    "Several mails were sent to this address in a short time. Use the newest one, or wait {} and try again.",
                    wait.in_words()
                ),
            ),
            TooManyMails::FromThisNetwork(wait) => (
                wait,
                format!("Many mails were requested from your network. Wait {}, then try again.", wait.in_words()),
            ),
            TooManyMails::OfTheSite(wait) => (
                wait,
                format!("Many mails are being requested at the moment. Wait {}, then try again.", wait.in_words()),
            ),
        };
        Self { retry_after_seconds: Some(wait.wait_seconds), ..Self::new(429, "too_many_mails", sentence) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must_wait_is_told_how_long() {
        let wait = RetryAfter { wait_seconds: 90 };
        let refused: [Problem; 4] = [
            wait.into(),
            TooManyMails::ToThisAddress(wait).into(),
            TooManyMails::FromThisNetwork(wait).into(),
            TooManyMails::OfTheSite(wait).into(),
        ];
        for problem in refused {
            assert_eq!((problem.status, problem.retry_after_seconds), (429, Some(90)));
            assert!(problem.sentence.to_lowercase().contains("wait 90 seconds"), "{}", problem.sentence);
        }
    }
}
