//! **For:** the statement of a wallet by time, for programs that know only days and times.
//! **Words:** window (the newest lines of a range of time).
//! **Tables:** reads `statement_line`.
//! **Never:** writes.
//! **Start reading:** [`window`].

mod ops;
mod store;

pub use ops::{Window, window};
pub use store::STATEMENTS;
