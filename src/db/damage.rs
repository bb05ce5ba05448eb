//! What the store tells the operator about damage of the live database.

use std::sync::atomic::Ordering;

use super::{Error, Store};

/// The fault of readiness while the database is damaged.
const DAMAGE_FAULT: &str = "database";

impl Store {
    /// Reports that a read met damage, until [`Store::clear_damage`]. `None`: it met none.
    pub(super) fn note_failure(&self, failure: Option<&Error>) {
        if !failure.is_some_and(Error::is_damage) {
            return;
        }
        self.report_damage(&"a page of it cannot be read");
        self.is_suspected.store(true, Ordering::SeqCst);
    }

    /// Tells the operator that the database is damaged: in the log, once, and in the readiness probe. `what`: a clause.
    pub fn report_damage(&self, what: &dyn std::fmt::Display) {
        let command = self.layout().restore_command();
        let reason = format!("The database is damaged: {what}. Stop the server, then run: {command}");
        if self.readiness().set_fault(DAMAGE_FAULT, &reason) {
            tracing::error!("{reason}");
        }
    }

    /// Whether a read met damage that nobody has looked for yet. Answers `true` once for each time.
    pub fn take_suspicion(&self) -> bool {
        self.is_suspected.swap(false, Ordering::SeqCst)
    }

    /// Records that the whole database was verified and is not damaged.
    pub fn clear_damage(&self) {
        if self.readiness().clear_fault(DAMAGE_FAULT) {
            tracing::info!("The database was verified and is not damaged.");
        }
    }

    /// Whether the process that had the database open before was killed, or another one has it open.
    pub fn was_left_open(&self) -> bool {
        self.was_left_open
    }
}
