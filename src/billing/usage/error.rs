//! Why a whole batch is refused. A single invalid event has a [`super::Fault`].

use super::super::ledger::LedgerError;
use crate::base::Problem;
use crate::db;

/// A failure of a batch. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The actor is not a connected service.
    #[error("only a connected service can report usage")]
    NotAService,
    /// The ledger refused a charge.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::NotAService => Problem::new(
                403,
                "not_a_service",
                "Only a connected service can do this. Use the credential of the service.",
            ),
            UsageError::Ledger(error) => error.into(),
            UsageError::Db(error) => error.into(),
        }
    }
}
