//! **For:** a tamper-evident record of events that can still erase the data of a person.
//! **Words:** event, chain, leaf, commitment, private part, subject key.
//! **Tables:** `audit_event`, `audit_private`, `subject_key`.
//! **Never:** knows the other slices; records an event outside the transaction of its change; stores a secret.
//! **Start reading:** [`ops::record`], then `chain.rs`.

mod chain;
mod error;
mod model;
mod ops;
mod store;

pub use chain::{Digest, GENESIS};
pub use error::AuditError;
pub use model::{AuditSummary, Event, Filter, Outcome, Part, RecordedEvent};
pub use ops::{forget, head, list, own_events, purge_anonymous, record, verify};
pub use store::STATEMENTS;
