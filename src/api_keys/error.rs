//! What can be wrong with a key.

use super::model::KEYS_PER_WORKSPACE_MAX;
use crate::base::Problem;
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
    /// The expiry is not one of the choices, or beyond the site's longest life.
    #[error("not an expiry")]
    Expiry,
    /// The site does not allow a key to live that long.
    #[error("the key would live too long")]
    TooLong {
        /// Days it may live at most.
        max_days: u64,
    },
    /// The workspace has as many live keys as it may have.
    #[error("too many keys: {held}")]
    TooMany {
        /// How many.
        held: i64,
    },
    /// Only a person, or the operator, may do this.
    #[error("not for keys")]
    NotForKeys,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
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
                "This is not an expiry. Choose one from the list, or give a span such as 90d.",
            ),
            ApiKeyError::TooLong { max_days } => Problem::field(
                "expires",
                "expiry_too_long",
                format!("Keys live at most {max_days} days on this site. Choose an earlier expiry."),
            ),
            ApiKeyError::TooMany { .. } => Problem::new(
                409,
                "too_many_keys",
                format!(
                    "This workspace has {KEYS_PER_WORKSPACE_MAX} keys, the most it can have. Revoke one that is not used."
                ),
            ),
            ApiKeyError::NotForKeys => Problem::new(
                403,
                "not_for_keys",
                "A key cannot create, widen or revoke keys. Sign in in a browser to do this.",
            ),
            ApiKeyError::Db(error) => error.into(),
        }
    }
}
