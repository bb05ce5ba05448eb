//! **For:** a tamper-evident record of events that can still erase the data of a person.
//! **Words:** event, event type (each module declares its own in `events.rs`), chain, leaf, commitment, private part, subject key,
//! epoch (what follows a restore), tree (over the leaves), checkpoint (its signed root).
//! **Tables:** `audit_event`, `audit_private`, `subject_key`, `epoch`, `audit_tree`.
//! **Never:** knows the other slices; records an event outside the transaction of its change; stores a secret.
//! **Start reading:** [`ops::record`], then `chain.rs`.

pub mod api;
mod chain;
mod checkpoint;
mod checkpoint_file;
mod error;
mod event_type;
mod events;
mod flows;
mod jobs;
mod model;
mod ops;
mod store;
mod tables;
mod tree;

pub use checkpoint::{Checkpoint, NoteFault};
pub use checkpoint_file::{CheckpointFile, merge as merge_checkpoints};
pub use error::AuditError;
pub(crate) use event_type::events;
pub use event_type::{AccessChange, Audience, EventKind, EventType, Fact, Outcome, Part};
pub use events::SiteEvent;
pub use flows::make_checkpoint;
pub use jobs::{CHECKPOINT, checkpoint};
pub use model::{AuditSummary, Epoch, Event, Filter, KnownHead, RecordedEvent};
pub use ops::{
    Lost, NewCheckpoint, Verified, epoch_number, forget, head, journal_restore, last_about, leaf_of_event, list,
    newest_checkpoint, next_checkpoint, open_checkpoints, own_events, public_key, purge_anonymous, record,
    store_checkpoint, verify, verify_against, verify_since,
};
pub use store::{STATEMENTS, insert_epoch as open_epoch, list_epochs as epochs};
pub use tables::TABLES;

/// What the chain is made of.
pub use crate::base::{Digest, GENESIS};
