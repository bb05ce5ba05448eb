//! **For:** credit in double-entry bookkeeping: transactions are written once, and every grant is a lot of its own.
//! **Words:** transaction, posting, account, lot, overdraft, wallet (all lots less the overdraft), hold, statement.
//! **Tables:** `ledger_account`, `ledger_tx`, `ledger_posting`, `ledger_balance`, `credit_lot`, `statement_line`, and those of [`holds`].
//! **Never:** changes or deletes what was posted; rounds; lets a wallet have free credit and debt at the same time.
//! **Start reading:** `model.rs`, then [`grant`] and [`charge`].

mod check;
mod error;
pub mod holds;
mod model;
mod ops;
pub mod statement;
mod store;
mod tables;

pub use check::{LedgerSummary, STATEMENTS as CHECK_STATEMENTS, check, check_in_parts, check_since, last_transaction};
pub use error::LedgerError;
pub use model::{
    Account, Category, Charge, Draft, Filter, Grant, Kind, NewLot, Origin, Place, PostedTransaction, Posting, Reason,
    Refund, STATEMENT_LINES_MAX, StatementLine, Withdrawal, WriteOff,
};
pub use ops::{balance, charge, expire_due, grant, post, refund, spend, withdraw, write_off};
pub(super) use ops::{balance_now, charge_new, debt, expire_due_of, is_posted, returnable};
pub use statement::{Window, by_event, next_expiry, statement, window};
pub use store::{STATEMENTS, find_head as head, find_id as transaction_id, update_lines_blank as blank_details};
pub use tables::TABLES;
pub(crate) use tables::{BOOKS, CREDIT_LOT, LEDGER_BALANCE, LEDGER_TX, STATEMENT_LINE};
