//! Why credit is not granted.

use super::ledger::LedgerError;
use super::model::REASON_CHARS_MAX;
use crate::base::Problem;
use crate::db;

/// A failure of billing. Nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The actor is neither an operator nor the system.
    #[error("only an operator can grant credit")]
    NotAllowed,
    /// The workspace does not exist.
    #[error("the workspace does not exist")]
    NoWorkspace,
    /// The reason is empty or too long.
    #[error("the reason has {chars} characters")]
    BadReason {
        /// The number of characters of the reason.
        chars: usize,
    },
    /// The ledger refused the transaction.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<db::Error> for BillingError {
    fn from(error: db::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<BillingError> for Problem {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::NotAllowed => {
                Problem::new(403, "not_allowed", "Only an operator can grant credit. Ask your operator.")
            }
            BillingError::NoWorkspace => Problem::not_found(),
            BillingError::BadReason { .. } => Problem::field(
                "reason",
                "bad_reason",
                format!(
                    "The reason must have 1 to {REASON_CHARS_MAX} characters. Describe briefly what the credit is for."
                ),
            ),
            BillingError::Ledger(error) => error.into(),
        }
    }
}
