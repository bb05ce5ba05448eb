//! What is recorded about the use of keys. Gathered in memory, written down once a minute.

pub(super) mod store;

pub use store::STATEMENTS;
