//! What can be wrong with a copy, and with making one.

use crate::audit::AuditError;
use crate::base::Problem;
use crate::billing::ledger::LedgerError;
use crate::db;

/// What is wrong with a database file, in words for an admin.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file cannot be read at all.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It has no content.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it is not a database of Domicile")]
    NotADatabase,
    /// It is a database, but nobody encrypted it.
    #[error("it is a plain SQLite database, and those of Domicile are encrypted")]
    NotEncrypted,
    /// No page of it opens: SQLCipher cannot tell another key from noise.
    #[error("the keyring {keyring} does not open it: it belongs to another keyring, or is not a database of Domicile")]
    OtherKey {
        /// Names the keyring that was tried.
        keyring: String,
    },
    /// Bytes are missing at the end.
    #[error("it is cut off after {bytes} bytes")]
    Truncated {
        /// What is left.
        bytes: u64,
    },
    /// Some pages were changed.
    #[error("{count} of its pages are damaged, the first in bytes {from} to {to}")]
    Pages {
        /// How many.
        count: usize,
        /// First byte of the first damaged page.
        from: u64,
        /// Last byte of it.
        to: u64,
    },
    /// A newer program wrote it.
    #[error("it has schema {found}, and this program knows schemas up to {known}")]
    Newer {
        /// The file's.
        found: usize,
        /// This program's.
        known: usize,
    },
    /// Pages do not belong together: a copy that was made while its original changed.
    #[error("its pages do not fit together: {0}")]
    Structure(String),
    /// Rows are missing that others refer to.
    #[error("rows of table {0} refer to rows that are not there")]
    Dangling(String),
    /// It is a copy of the live database, which may lack what was written last.
    #[error("it is not a published snapshot: copy domicile.sqlite, not the live database")]
    NotASnapshot,
    /// What it says of itself is not what it holds.
    #[error("it says {said} of itself, and holds {found}")]
    OtherStamp {
        /// What its stamp says.
        said: String,
        /// What is true.
        found: String,
    },
    /// The audit.
    #[error(transparent)]
    Audit(AuditError),
    /// The book.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The erasure journal's table.
    #[error("tombstone {seq} does not continue the one before it")]
    Tombstone {
        /// Which.
        seq: i64,
    },
    /// SQLite refused to read on.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<AuditError> for Damage {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Db(error) => error.into(),
            damaged => Self::Audit(damaged),
        }
    }
}

impl From<LedgerError> for Damage {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Db(error) => error.into(),
            damaged => Self::Ledger(damaged),
        }
    }
}

/// Why no snapshot was published, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk has too little room for a second copy.
    #[error("a snapshot needs {needed} bytes, and {free} are free")]
    NoSpace {
        /// 1.2 times the database.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The new copy did not pass its checks.
    #[error("the new snapshot was not published: {0}")]
    Damaged(#[from] Damage),
    /// The new snapshot is in place, checked and whole. Its manifest is the one of the snapshot before, or a power failure
    /// now could still bring that snapshot back; publishing again cures both.
    #[error(
        "the new snapshot is in place, but its manifest could not be written or the folder not be synchronised: {0}"
    )]
    InPlace(#[source] db::Error),
    /// A file could not be read, written or replaced, or SQLite refused. The snapshot before is still there.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::NoSpace { .. } => Problem {
                cause: Some(error.to_string()),
                ..Problem::busy(
                    "no_space",
                    "There is too little room on the disk for a new snapshot; the last one is still there. Make room, then try again.",
                    60,
                )
            },
            SnapshotError::Damaged(_) | SnapshotError::InPlace(_) => Problem::ours(error),
            SnapshotError::Db(error) => error.into(),
        }
    }
}
