//! Why a repeated request is refused.

use crate::base::Problem;
use crate::db;

/// The error of a request with an idempotency key.
#[derive(Debug)]
pub enum IdempotencyError<E> {
    /// The key was used with another body.
    Mismatch,
    /// The error of the operation itself.
    Operation(E),
}

impl<E: From<db::Error>> From<db::Error> for IdempotencyError<E> {
    fn from(error: db::Error) -> Self {
        Self::Operation(error.into())
    }
}

impl<E: Into<Problem>> From<IdempotencyError<E>> for Problem {
    fn from(error: IdempotencyError<E>) -> Self {
        match error {
            IdempotencyError::Mismatch => Problem::new(
                409,
                "idempotency_mismatch",
                "This Idempotency-Key was already used with another body. Use a new key for a new request.",
            ),
            IdempotencyError::Operation(error) => error.into(),
        }
    }
}
