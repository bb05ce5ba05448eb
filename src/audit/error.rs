//! What can be wrong with the audit chain.

use crate::base::Problem;
use crate::db;

/// A failure of the audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The chain is damaged. `seq` is the first event that does not match.
    #[error("the audit is damaged at event {seq}: {what}")]
    Damaged {
        /// The number of the event.
        seq: i64,
        /// What does not match, as a clause.
        what: &'static str,
    },
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Damaged { .. } => Problem::internal(error),
            AuditError::Db(error) => error.into(),
        }
    }
}
