//! Why the database was not upgraded.

use crate::db;
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
