//! Who has a username, and which sign-ups lose theirs.

pub(in crate::accounts) mod store;

pub use store::STATEMENTS;
