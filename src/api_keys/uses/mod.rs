//! The records about the use of keys. They are buffered in memory, and written once a minute.

pub(super) mod store;

pub use store::STATEMENTS;
