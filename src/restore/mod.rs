//! **For:** a data folder that serves, made of keyring, settings, a snapshot and the journal; also over older data.
//! **Words:** restore, staging (the folder where the new data is built), note (a file that describes a restore that has
//! begun), replaced data (kept for 30 days), epoch (what follows a restore; see `audit`).
//! **Tables:** none; it opens an `epoch` of the audit.
//! **Never:** writes into the snapshot or into the data that is there; serves what it did not verify; brings back access
//! that the journal ended.
//! **Start reading:** [`restore`], then `swap.rs`.

mod error;
mod flows;
mod journal;
mod mails;
mod model;
mod ops;
mod placement;
mod replay;
mod swap;

pub use error::RestoreError;
pub use flows::restore;
pub use model::{Backup, Checkpoints, Notice, Options, Restored, Source, Stage, loss};
pub use ops::notice;
pub use placement::{check_placement, claim};
pub use replay::{Replayed, apply, can_replay};
pub use swap::{Recovered, recover, unfinished};
