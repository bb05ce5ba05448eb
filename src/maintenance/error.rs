//! Why the database was not upgraded, why a restore drill failed, and why a copy of the keyring was not recorded.

use crate::app::OpenError;
use crate::audit::AuditError;
use crate::base::Problem;
use crate::billing::ledger::LedgerError;
use crate::db;
use crate::restore::RestoreError;
use crate::signin::SigninError;
use crate::snapshots::Damage;

/// Why the database was not upgraded. Where it is not said otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The disk has too little space for two copies and the log.
    #[error("the upgrade of the database needs {needed} bytes of free space in {folder}, and {free} are free")]
    NoSpace {
        /// The data folder.
        folder: String,
        /// Bytes: a bit more than three times the size of the database.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A server of an earlier version still uses the database.
    #[error("the database has schema {found}, and a server of an earlier version uses it")]
    ServerRuns {
        /// The schema of the database.
        found: usize,
    },
    /// A migration failed on the copy.
    #[error("the database cannot be brought from schema {from} to {to}: {reason}")]
    Trial {
        /// The schema of the database.
        from: usize,
        /// The schema of this program.
        to: usize,
        /// What failed.
        reason: db::Error,
    },
    /// The migrated copy is not correct, so the database was damaged before.
    #[error("the copy of the database on which the upgrade was tried is damaged: {0}")]
    Damaged(Damage),
    /// The trial succeeded, and then the migration of the database itself failed. It has its old schema.
    #[error("the upgrade succeeded on a copy, but not on the database itself: {0}")]
    Live(db::Error),
    /// The database cannot be read or copied.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// Why no restore drill was made. A drill that was made and failed is a [`super::Drill`].
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// Nothing was published yet.
    #[error("there is no snapshot yet")]
    NoSnapshot,
    /// Another process makes one.
    #[error("another restore drill is running")]
    Running,
    /// A file could not be copied, or the database could not be written.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// Why a published snapshot could not be restored and used.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The input of the rehearsal cannot be read.
    #[error("the input of the drill cannot be used: {0}")]
    Input(#[from] std::io::Error),
    /// The restore refused it.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The restored database does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The restored audit log is damaged.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The restored ledger is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A new account could not be made, or could not sign in.
    #[error("a new account could not sign in to the restored database: {0}")]
    SignIn(#[from] SigninError),
    /// The restored database cannot be read.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// Why a copy of the keyring was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum EscrowError {
    /// Only the admin at the machine has the keyring.
    #[error("only the admin at the machine may do this")]
    NotAllowed,
    /// The reason is missing or too long.
    #[error("the reason must have 1 to 500 characters")]
    Reason,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<EscrowError> for Problem {
    fn from(error: EscrowError) -> Self {
        match error {
            EscrowError::NotAllowed => Problem::new(403, "not_allowed", "Only the admin at the machine may do this."),
            EscrowError::Reason => Problem::field("reason", "bad_reason", "Give a reason with 1 to 500 characters."),
            EscrowError::Db(error) => error.into(),
        }
    }
}
