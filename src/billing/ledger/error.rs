//! Why money does not move, and what can be wrong with the book.

use crate::base::{Credits, Problem};
use crate::db;

/// A failure of the ledger. Nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Only more than nothing can be granted or charged.
    #[error("the amount is not above zero")]
    NotPositive,
    /// The wallet, or what it owes, would be more than an amount may be.
    #[error("the balance would be beyond what a wallet may hold")]
    TooLarge,
    /// A spend that may not overdraw.
    #[error("{needed} credits are needed, and {available} are there")]
    InsufficientCredit {
        /// What the wallet holds; below zero: what it owes.
        available: Credits,
        /// What was asked for.
        needed: Credits,
    },
    /// The key was used for something else before.
    #[error("this idempotency key was used for another transaction")]
    Conflict,
    /// A draft without two postings, with an empty one, or not adding up to zero.
    #[error("the postings are not two or more that add up to zero")]
    Unbalanced,
    /// The book is damaged; this is the first row where it shows.
    #[error("the ledger is damaged at {row}: {what}")]
    Damaged {
        /// The table and the row's key.
        row: String,
        /// What does not fit.
        what: &'static str,
    },
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotPositive => {
                Problem::field("amount", "not_positive", "The amount must be more than zero. Give a higher one.")
            }
            LedgerError::TooLarge => Problem::field(
                "amount",
                "too_large",
                "A wallet cannot go beyond 1,000,000,000 credits either way. Choose a smaller amount.",
            ),
            LedgerError::InsufficientCredit { available, needed } => Problem::new(
                402,
                "insufficient_credit",
                format!("This needs {needed} credits, and {available} are available. Add credit and try again."),
            ),
            LedgerError::Conflict => Problem::new(
                409,
                "idempotency_mismatch",
                "This key was already used for another transaction. Use a new key for a new one.",
            ),
            LedgerError::Unbalanced | LedgerError::Damaged { .. } => Problem::ours(error),
            LedgerError::Db(error) => error.into(),
        }
    }
}
