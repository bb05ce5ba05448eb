//! Why a whole batch is refused; a single event's trouble is a [`super::Fault`].

use super::super::ledger::LedgerError;
use crate::base::Problem;
use crate::db;

/// A failure of a batch. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Only connected services report usage.
    #[error("only a connected service reports usage")]
    NotAService,
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::NotAService => Problem::new(
                403,
                "not_a_service",
                "Only a connected service may report usage. Use the service's own credential.",
            ),
            UsageError::Ledger(error) => error.into(),
            UsageError::Db(error) => error.into(),
        }
    }
}
