//! What can be wrong with the chain.

use crate::base::Problem;
use crate::db;

/// A failure of the audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The chain is damaged; this is the first event where it shows.
    #[error("the audit is damaged at event {seq}: {what}")]
    Damaged {
        /// The event.
        seq: i64,
        /// What does not fit.
        what: &'static str,
    },
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Damaged { .. } => Problem::ours(error),
            AuditError::Db(error) => error.into(),
        }
    }
}
