//! **For:** the statement of a wallet: page by page, and by time for programs that know only days and times.
//! **Words:** window (the newest lines of a range of time).
//! **Tables:** reads `statement_line`.
//! **Never:** writes.
//! **Start reading:** [`statement`], then [`window`].

mod ops;
mod store;

pub use ops::{Window, statement, window};
pub use store::{STATEMENTS, find_next_expiry as next_expiry, list_by_event as by_event};
