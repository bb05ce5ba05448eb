//! **For:** keeping a record of what happened that nobody can change unseen, and that can still forget a person.
//! **Words:** event, chain, leaf, commitment, private part, subject key.
//! **Tables:** `audit_event`, `audit_private`, `subject_key`.
//! **Never:** knows what the other slices do; records outside the transaction of what it records; stores a secret.
//! **Start reading:** [`ops::record`], then `chain.rs`.

mod chain;
mod error;
mod model;
mod ops;
mod store;

pub use chain::{Digest, GENESIS};
pub use error::AuditError;
pub use model::{Event, Filter, Outcome, Part, Recorded, Verified};
pub use ops::{forget, head, list, own_events, purge_strangers, record, verify};
pub use store::STATEMENTS;
