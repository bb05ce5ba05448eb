//! Why a transaction is refused, and what can be wrong with the ledger.

use crate::base::{Credits, Problem};
use crate::db;

/// A failure of the ledger. Nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The amount of a grant or charge is zero or negative.
    #[error("the amount is not above zero")]
    NotPositive,
    /// The balance or the debt would be larger than the largest amount.
    #[error("the balance would be beyond the limit of a wallet")]
    TooLarge,
    /// A spend that must not overdraw the wallet needs more than its balance.
    #[error("{needed} credits are needed, but only {available} are available")]
    InsufficientCredit {
        /// The balance of the wallet. Below zero: its debt.
        available: Credits,
        /// The amount of the spend.
        needed: Credits,
    },
    /// A hold needs more than what is left of the budget of its key.
    #[error("{needed} credits are needed, but only {left} of the key's budget are left")]
    InsufficientBudget {
        /// What is left of the budget, less what other holds reserve. Below zero: it is overspent.
        left: Credits,
        /// The amount of the hold.
        needed: Credits,
    },
    /// The key does not exist in the workspace, or cannot be used now.
    #[error("the workspace has no such key")]
    UnknownKey,
    /// The idempotency key was used for another transaction before.
    #[error("this idempotency key was used for another transaction")]
    Conflict,
    /// The transaction that is to be taken back does not exist, is of another wallet, or cannot be taken back in this way.
    #[error("this transaction cannot be taken back")]
    UnknownTransaction,
    /// More than what is left to take back.
    #[error("at most {limit} credits are left to take back")]
    AboveLimit {
        /// What is left.
        limit: Credits,
    },
    /// The draft has fewer than two postings, an empty posting, or a sum that is not zero.
    #[error("a transaction needs two or more postings that add up to zero")]
    Unbalanced,
    /// The ledger is damaged. `row` is the first row that does not match.
    #[error("the ledger is damaged at {row}: {what}")]
    Damaged {
        /// The table and the key of the row.
        row: String,
        /// What does not match, as a clause.
        what: &'static str,
    },
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotPositive => {
                Problem::field("amount", "not_positive", "The amount must be more than zero. Choose a larger amount.")
            }
            LedgerError::TooLarge => Problem::field(
                "amount",
                "too_large",
                "A wallet can hold or owe at most 1,000,000,000 credits. Choose a smaller amount.",
            ),
            LedgerError::InsufficientCredit { available, needed } => Problem::new(
                402,
                "insufficient_credit",
                format!("This needs {needed} credits, but only {available} are available. Add credit, then try again."),
            ),
            LedgerError::InsufficientBudget { left, needed } => Problem::new(
                402,
                "insufficient_budget",
                format!(
                    "This needs {needed} credits, but only {left} of the key's budget are left. Raise the budget of the key, then \
                     try again."
                ),
            ),
            LedgerError::UnknownKey => {
                let sentence =
                    "The workspace has no such key, or it cannot be used now. Use a good key of this workspace.";
                Problem::field("key", "unknown_key", sentence)
            }
            LedgerError::Conflict => Problem::new(
                409,
                "idempotency_mismatch",
                "This idempotency key was already used for another transaction. Use a new key for a new transaction.",
            ),
            LedgerError::UnknownTransaction => Problem::new(
                404,
                "unknown_transaction",
                "This transaction does not exist, or it cannot be taken back. Check its id.",
            ),
            LedgerError::AboveLimit { limit } => Problem::new(
                422,
                "above_limit",
                format!("Only {limit} credits are left to take back. Choose a smaller amount."),
            ),
            LedgerError::Unbalanced | LedgerError::Damaged { .. } => Problem::internal(error),
            LedgerError::Db(error) => error.into(),
        }
    }
}
