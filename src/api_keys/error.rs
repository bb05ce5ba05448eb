//! What can be wrong with a key.

use super::model::{KEYS_PER_WORKSPACE_MAX, KeyEvent, KeyState, LimitFault, NETWORKS_MAX, RATE_MAX, Refusal};
use crate::base::Problem;
use crate::crypto::seal::DoesNotOpen;
use crate::db;

/// A refusal or failure about keys.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key, or it is not yours.
    #[error("no such key")]
    NotFound,
    /// The name is empty, too long or does not print.
    #[error("not a key name")]
    Name,
    /// A scope nobody knows.
    #[error("no such scope: {0}")]
    UnknownScope(String),
    /// No scope was chosen: such a key could do nothing.
    #[error("no scope")]
    NoScope,
    /// The expiry is not one of the choices, or beyond ten years.
    #[error("not an expiry")]
    Expiry,
    /// The site or the workspace does not allow a key to live that long.
    #[error("the key would live too long")]
    TooLong {
        /// Days it may live at most.
        max_days: u64,
    },
    /// A network of the list is none, or there are too many.
    #[error("not a list of networks")]
    Networks,
    /// The rate is not a number of requests a minute.
    #[error("not a rate")]
    Rate,
    /// The budget is not an amount above zero.
    #[error("not a budget")]
    Budget,
    /// The overlap of a rotation is longer than a week.
    #[error("not an overlap")]
    Overlap,
    /// The workspace has as many live keys as it may have.
    #[error("too many keys: {held}")]
    TooMany {
        /// How many.
        held: i64,
    },
    /// This cannot happen to a key in this state.
    #[error("{event:?} cannot happen to a key that is {}", state.as_str())]
    NotNow {
        /// Where the key is.
        state: KeyState,
        /// What was asked for.
        event: KeyEvent,
    },
    /// The key has ended.
    #[error("the key has ended")]
    Over,
    /// The key's text is not kept.
    #[error("the text of the key is not kept")]
    NotKept,
    /// The kept text does not open.
    #[error(transparent)]
    DoesNotOpen(#[from] DoesNotOpen),
    /// The store.
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
                "A key's name has 1 to 64 visible characters. Choose another one.",
            ),
            ApiKeyError::UnknownScope(_) => Problem::field(
                "scope",
                "unknown_scope",
                "One of these scopes does not exist here. Choose from the list.",
            ),
            ApiKeyError::NoScope => {
                Problem::field("scope", "no_scope", "A key without a scope can do nothing. Choose at least one.")
            }
            ApiKeyError::Expiry => Problem::field(
                "expires",
                "expiry_invalid",
                "This is not an expiry. Choose one from the list, a day in the next ten years, or a span such as 90d.",
            ),
            ApiKeyError::TooLong { max_days } => Problem::field(
                "expires",
                "expiry_too_long",
                format!("Keys live at most {max_days} days here. Choose an earlier expiry."),
            ),
            ApiKeyError::Networks => Problem::field(
                "networks",
                "networks_invalid",
                format!(
                    "One of these is not a network. Write addresses or CIDR blocks such as 203.0.113.0/24, {NETWORKS_MAX} at most."
                ),
            ),
            ApiKeyError::Rate => Problem::field(
                "rate",
                "rate_invalid",
                format!(
                    "A rate is a whole number of requests a minute, from 1 to {RATE_MAX}. Leave it empty for no limit."
                ),
            ),
            ApiKeyError::Budget => Problem::field(
                "budget",
                "budget_invalid",
                "A budget is an amount of credits above zero, such as 25.00. Leave it empty for none.",
            ),
            ApiKeyError::Overlap => Problem::field(
                "overlap",
                "overlap_invalid",
                "The old key can stay good for at most 7 days. Choose a shorter time, such as 24h.",
            ),
            ApiKeyError::TooMany { .. } => Problem::new(
                409,
                "too_many_keys",
                format!(
                    "This workspace has {KEYS_PER_WORKSPACE_MAX} keys, the most it can have. Revoke one that is not used."
                ),
            ),
            ApiKeyError::NotNow { state, event } => Problem::new(409, "key_state", not_now(state, event)),
            ApiKeyError::Over => {
                Problem::new(409, "key_state", "This key has ended and stays as it is. Create a new one.")
            }
            ApiKeyError::NotKept => Problem::new(
                409,
                "key_not_kept",
                "This key was shown once and is kept nowhere. Rotate it to get a new one.",
            ),
            ApiKeyError::DoesNotOpen(error) => Problem::ours(error),
            ApiKeyError::Db(error) => error.into(),
        }
    }
}

fn not_now(state: KeyState, event: KeyEvent) -> String {
    let why = match state {
        KeyState::Active => "it is active",
        KeyState::Retiring => "it was rotated already and ends by itself",
        KeyState::Disabled => "it is disabled; enable it first",
        KeyState::Quarantined => "it is in quarantine; restore or revoke it first",
        KeyState::Expired => "it has expired; create a new one",
        KeyState::Revoked => "it was revoked; create a new one",
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

/// What the holder of a key is told. The sentences are those that the reference's client knows, the codes say more.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let sentence = match refusal {
            Refusal::Malformed | Refusal::Unknown | Refusal::Replaced => "Invalid API key",
            Refusal::Expired => "Invalid API key: it has expired. Create a new one",
            Refusal::Disabled => "Invalid API key: its owner disabled it",
            Refusal::Quarantined => "Invalid API key: it was found in public and waits for its owner",
            Refusal::Network => "Permission denied for this operation: the key may not be used from this network",
            Refusal::BudgetSpent => "Permission denied for this operation: the key's budget is spent",
            Refusal::TooFast { .. } => "Rate limit exceeded",
        };
        let retry_after_seconds = match refusal {
            Refusal::TooFast { retry_after_seconds, .. } => Some(retry_after_seconds),
            _ => None,
        };
        Problem { retry_after_seconds, ..Problem::new(refusal.status(), refusal.code(), sentence) }
    }
}
