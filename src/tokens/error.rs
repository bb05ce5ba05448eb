//! The errors of token operations.

use crate::base::Problem;
use crate::db;
use crate::verification::Refusal;

/// Why a token operation failed. The codes are those of RFC 6749 §5.2 and RFC 8693 §2.2.2.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key is not valid, or may not be used from here or at this rate.
    #[error("the key is not valid: {0:?}")]
    BadKey(Refusal),
    /// The request asks for a scope that the key does not have or that does not exist.
    #[error("the key does not have the scope")]
    Scope,
    /// The key ends within a second, too soon for a token.
    #[error("the key ends now")]
    Ended,
    /// A signing key cannot be decrypted, or cannot sign.
    #[error("a signing key cannot be used: {0}")]
    SigningKey(String),
    /// Only the operator and the system may change signing keys.
    #[error("not allowed")]
    NotAllowed,
    /// The database cannot be read or written.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::BadKey(refusal @ Refusal::RateLimited { .. }) => refusal.into(),
            // These reasons may be revealed, because the caller has the whole key. The routes of key holders reveal
            // them, too.
            TokenError::BadKey(refusal @ (Refusal::Network | Refusal::BudgetSpent)) => {
                Problem { status: 400, code: "invalid_request", ..Problem::from(refusal) }
            }
            TokenError::BadKey(_) | TokenError::Ended => Problem::field(
                "subject_token",
                "invalid_request",
                "The subject_token is not a valid API key. Create a new key, or ask its owner for one.",
            ),
            TokenError::Scope => Problem::field(
                "scope",
                "invalid_scope",
                "The key does not have one of these scopes. Ask for fewer, or leave the scope out to get all that the key has.",
            ),
            TokenError::SigningKey(cause) => Problem::internal(cause),
            TokenError::NotAllowed => Problem::not_found(),
            TokenError::Db(error) => error.into(),
        }
    }
}
