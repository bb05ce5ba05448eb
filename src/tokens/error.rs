//! What can be wrong with an exchange.

use crate::api_keys::Refusal;
use crate::base::Problem;
use crate::db;

/// A refusal or failure about tokens. The codes are those of RFC 6749 §5.2 and RFC 8693 §2.2.2.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key is not good here and now.
    #[error("the key is not good: {0:?}")]
    BadKey(Refusal),
    /// More was asked for than the key may do, or a scope nobody knows.
    #[error("more than the key may do")]
    Scope,
    /// The key ends within a second: nothing is left to be made of it.
    #[error("the key ends now")]
    Ended,
    /// A sealed signing key does not open, or does not sign.
    #[error("a signing key cannot be used: {0}")]
    SigningKey(String),
    /// Only the operator and the house change signing keys.
    #[error("not allowed")]
    NotAllowed,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::BadKey(refusal @ Refusal::TooFast { .. }) => refusal.into(),
            // Told to whoever has the whole key, as at the key holder's own routes.
            TokenError::BadKey(refusal @ (Refusal::Network | Refusal::BudgetSpent)) => {
                Problem { status: 400, code: "invalid_request", ..Problem::from(refusal) }
            }
            TokenError::BadKey(_) | TokenError::Ended => Problem::field(
                "subject_token",
                "invalid_request",
                "The subject_token is not a good API key. Make a new key, or ask its owner for one.",
            ),
            TokenError::Scope => Problem::field(
                "scope",
                "invalid_scope",
                "The key does not have one of these scopes. Ask for fewer, or leave the scope out to get all it has.",
            ),
            TokenError::SigningKey(cause) => Problem::ours(cause),
            TokenError::NotAllowed => Problem::not_found(),
            TokenError::Db(error) => error.into(),
        }
    }
}
