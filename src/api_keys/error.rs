//! The errors of API keys, and the sentences about them.

use super::model::{KEYS_PER_WORKSPACE_MAX, KeyEvent, KeyState, LimitFault, NETWORKS_MAX, NOTE_CHARS_MAX, RATE_MAX};
use crate::base::Problem;
use crate::crypto::seal::DoesNotOpen;
use crate::db;

/// An error of an operation on API keys.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// The key does not exist, or belongs to another person.
    #[error("no such key")]
    NotFound,
    /// The name is empty, too long, or has characters that do not print.
    #[error("not a key name")]
    Name,
    /// The note is too long, or has characters that do not print.
    #[error("not a key note")]
    Note,
    /// The scope does not exist.
    #[error("no such scope: {0}")]
    UnknownScope(String),
    /// No scope was chosen. A key without scopes can do nothing.
    #[error("no scope")]
    NoScope,
    /// The chosen scopes allow something that the key may not do.
    #[error("scopes of a key cannot grow")]
    ScopesGrow,
    /// The expiry is not a choice of the list, a day or a span, or is more than ten years away.
    #[error("not an expiry")]
    Expiry,
    /// The site or the workspace does not allow such a long lifetime.
    #[error("the key would live too long")]
    LifetimeTooLong {
        /// The maximum lifetime in days.
        max_days: u64,
    },
    /// A network of the list is invalid, or there are too many.
    #[error("not a list of networks")]
    Networks,
    /// The rate is not a whole number of requests a minute, or too high.
    #[error("not a rate")]
    Rate,
    /// The budget is not an amount of more than zero.
    #[error("not a budget")]
    Budget,
    /// The overlap of a rotation is longer than a week.
    #[error("not an overlap")]
    Overlap,
    /// The workspace has the maximum number of live keys.
    #[error("too many keys: {held}")]
    TooMany {
        /// The number of its live keys.
        held: i64,
    },
    /// A report about exposed keys has too many.
    #[error("too many keys in one report")]
    TooManyReported,
    /// The event is not possible in the key's state.
    #[error("{event:?} cannot happen to a key that is {}", state.as_str())]
    InvalidState {
        #[allow(missing_docs)]
        state: KeyState,
        #[allow(missing_docs)]
        event: KeyEvent,
    },
    /// The key has expired or was revoked, so it cannot be changed.
    #[error("the key has ended")]
    AlreadyEnded,
    /// The text of the key is not stored.
    #[error("the text of the key is not stored")]
    NotStored,
    /// The stored text cannot be decrypted.
    #[error(transparent)]
    DoesNotOpen(#[from] DoesNotOpen),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<LimitFault> for ApiKeyError {
    fn from(fault: LimitFault) -> Self {
        match fault {
            LimitFault::Networks => Self::Networks,
            LimitFault::Rate => Self::Rate,
            LimitFault::Budget => Self::Budget,
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => Problem::not_found(),
            ApiKeyError::Name => Problem::field(
                "name",
                "key_name_invalid",
                "The name of a key needs 1 to 64 visible characters. Choose another name.",
            ),
            ApiKeyError::Note => Problem::field(
                "note",
                "key_note_invalid",
                format!(
                    "The note can have at most {NOTE_CHARS_MAX} visible characters, on any number of lines. Shorten it."
                ),
            ),
            ApiKeyError::UnknownScope(_) => {
                Problem::field("scope", "unknown_scope", "One of these scopes does not exist. Choose from the list.")
            }
            ApiKeyError::NoScope => {
                Problem::field("scope", "no_scope", "A key without scopes can do nothing. Choose at least one scope.")
            }
            ApiKeyError::ScopesGrow => {
                Problem::field("scope", "scopes_grow", "A key can only lose scopes. To get more, create another key.")
            }
            ApiKeyError::Expiry => Problem::field(
                "expires",
                "expiry_invalid",
                "This expiration is not valid. Choose one from the list, a day in the next ten years, or a span such as 90d.",
            ),
            ApiKeyError::LifetimeTooLong { max_days } => Problem::field(
                "expires",
                "expiry_too_long",
                format!("The maximum lifetime of keys is {max_days} days. Choose an earlier expiration."),
            ),
            ApiKeyError::Networks => Problem::field(
                "networks",
                "networks_invalid",
                format!(
                    "One of these is not a network. Enter at most {NETWORKS_MAX} addresses or CIDR blocks, such as 203.0.113.0/24."
                ),
            ),
            ApiKeyError::Rate => Problem::field(
                "rate",
                "rate_invalid",
                format!(
                    "The rate has to be a whole number of requests a minute, from 1 to {RATE_MAX}. Leave it empty for no limit."
                ),
            ),
            ApiKeyError::Budget => Problem::field(
                "budget",
                "budget_invalid",
                "The budget has to be an amount of credits above zero, such as 25.00. Leave it empty for no budget.",
            ),
            ApiKeyError::Overlap => Problem::field(
                "overlap",
                "overlap_invalid",
                "The old key can stay valid for at most 7 days. Choose a shorter time, such as 24h.",
            ),
            ApiKeyError::TooMany { .. } => Problem::new(
                409,
                "too_many_keys",
                format!(
                    "This workspace has {KEYS_PER_WORKSPACE_MAX} keys, which is the maximum. Revoke a key that is not in use."
                ),
            ),
            ApiKeyError::TooManyReported => {
                Problem::new(400, "too_many_keys", "A report has at most 100 keys. Send the rest in another one.")
            }
            ApiKeyError::InvalidState { state, event } => Problem::new(409, "key_state", invalid_state(state, event)),
            ApiKeyError::AlreadyEnded => {
                Problem::new(409, "key_state", "This key has ended and cannot be changed. Create a new one.")
            }
            ApiKeyError::NotStored => Problem::new(
                409,
                "key_not_kept",
                "This key was shown once and is not stored. Rotate it to get a new one.",
            ),
            ApiKeyError::DoesNotOpen(error) => Problem::internal(error),
            ApiKeyError::Db(error) => error.into(),
        }
    }
}

fn invalid_state(state: KeyState, event: KeyEvent) -> String {
    let why = match state {
        KeyState::Active => "it is active",
        KeyState::Retiring => "it was rotated already, and ends when its overlap ends",
        KeyState::Disabled => "it is disabled. Enable it first",
        KeyState::Quarantined => "it is in quarantine. Restore or revoke it first",
        KeyState::Expired => "it has expired. Create a new one",
        KeyState::Revoked => "it was revoked. Create a new one",
    };
    let what = match event {
        KeyEvent::Rotate => "rotated",
        KeyEvent::Retire => "retired",
        KeyEvent::Disable => "disabled",
        KeyEvent::Enable => "enabled",
        KeyEvent::Expose => "put into quarantine",
        KeyEvent::Restore => "restored",
        KeyEvent::Revoke => "revoked",
    };
    format!("This key cannot be {what}: {why}.")
}
