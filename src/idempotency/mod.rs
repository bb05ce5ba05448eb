//! **For:** answering a repeated request with its first answer, instead of doing it twice.
//! **Words:** idempotency key (draft-ietf-httpapi-idempotency-key-header), stored answer (`kept_answer`).
//! **Tables:** `kept_answer`.
//! **Never:** stores a secret or the key as it was sent; stores the answer of a request that changed nothing.
//! **Start reading:** [`once`].

mod error;
mod model;
mod ops;
mod store;
mod tables;

pub use error::IdempotencyError;
pub use model::{Answer, Request};
pub use ops::{once, purge_expired, stored};
pub use store::{STATEMENTS, delete_of_workspace as forget};
pub use tables::TABLES;
