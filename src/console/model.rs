//! What the pages of the console show, read at one moment.

use crate::base::Timestamp;
use crate::maintenance::{DrillState, Escrow};

/// How the appliance is doing.
pub struct Overview {
    #[allow(missing_docs)]
    pub snapshot: SnapshotState,
    #[allow(missing_docs)]
    pub drills: DrillState,
    /// Whether the keyring was copied to a safe place.
    pub escrow: Escrow,
    /// What an operator has to do about the keyring. `None`: nothing.
    pub reminder: Option<&'static str>,
    /// Lines of the journal.
    pub journal_lines: i64,
    /// Accounts, also those that are suspended or not yet verified.
    pub accounts: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// Connected services.
    pub services: usize,
}

/// The published snapshot.
pub enum SnapshotState {
    /// It was made then.
    Published(Timestamp),
    /// None was made yet, or it cannot be read.
    Missing,
}
