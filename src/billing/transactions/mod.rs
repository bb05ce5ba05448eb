//! **For:** the transactions of a wallet as a person reads and searches them, by when they happened.
//! **Words:** transaction (a line of the statement, with the names of its service and key), place (where a page begins).
//! **Tables:** none; it reads the statement of the ledger.
//! **Never:** reads more lines than a bound, whatever is searched for.
//! **Start reading:** [`list`].

mod model;
mod ops;

pub use model::{Transaction, TransactionFilter, TransactionPage, title_of};
pub use ops::{DOWNLOAD_MAX, list};
