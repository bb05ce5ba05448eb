//! Why credit is not given.

use super::ledger::LedgerError;
use super::ops::REASON_CHARS_MAX;
use crate::base::Problem;
use crate::db;

/// A failure of billing. Nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// Only an operator or the appliance gives credit.
    #[error("only an operator gives credit")]
    NotAllowed,
    /// There is no such workspace.
    #[error("there is no such workspace")]
    NoWorkspace,
    /// The reason is empty or too long.
    #[error("the reason has {chars} characters")]
    BadReason {
        /// What it has.
        chars: usize,
    },
    /// The ledger.
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
                Problem::new(403, "not_allowed", "Only an operator can give credit. Ask yours.")
            }
            BillingError::NoWorkspace => Problem::not_found(),
            BillingError::BadReason { .. } => Problem::field(
                "reason",
                "bad_reason",
                format!(
                    "The reason has 1 to {REASON_CHARS_MAX} characters. Say in a few words what the credit is for."
                ),
            ),
            BillingError::Ledger(error) => error.into(),
        }
    }
}
