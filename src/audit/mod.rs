//! **For:** a tamper-evident record of events that can still erase the data of a person.
//! **Words:** event, event type (each module declares its own in `events.rs`), chain, leaf, commitment, private part, subject key,
//! epoch (what follows a restore).
//! **Tables:** `audit_event`, `audit_private`, `subject_key`, `epoch`.
//! **Never:** knows the other slices; records an event outside the transaction of its change; stores a secret.
//! **Start reading:** [`ops::record`], then `chain.rs`.

mod chain;
mod error;
mod event_type;
mod events;
mod model;
mod ops;
mod store;
mod tables;

pub use error::AuditError;
pub(crate) use event_type::events;
pub use event_type::{AccessChange, Audience, EventKind, EventType, Outcome, Part};
pub use events::SiteEvent;
pub use model::{AuditSummary, Epoch, Event, Filter, KnownHead, RecordedEvent};
pub use ops::{
    epoch_number, forget, head, last_about, leaf_of_event, list, own_events, purge_anonymous, record, verify,
    verify_since,
};
pub use store::{STATEMENTS, insert_epoch as open_epoch, list_epochs as epochs};
pub use tables::TABLES;

/// What the chain is made of.
pub use crate::base::{Digest, GENESIS};
