//! What can be wrong with a database file, and why no snapshot was published.

use crate::audit::AuditError;
use crate::base::{Problem, file_cure};
use crate::billing::ledger::LedgerError;
use crate::db;

/// What is wrong with a database file. The messages are for an admin.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file cannot be read at all.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// The file has no content.
    #[error("it is empty")]
    Empty,
    /// The file is not a database, or is shorter than one page.
    #[error("it is not a database of Domicile")]
    NotADatabase,
    /// The file is an SQLite database that is not encrypted.
    #[error("it is an unencrypted SQLite database; databases of Domicile are encrypted")]
    NotEncrypted,
    /// No page can be decrypted. SQLCipher cannot tell a wrong key from random bytes.
    #[error("the keyring {keyring} cannot decrypt it: it belongs to another keyring, or is not a database of Domicile")]
    WrongKey {
        /// The id of the keyring that was tried.
        keyring: String,
    },
    /// The end of the file is missing.
    #[error("it is truncated after {bytes} bytes")]
    Truncated {
        /// The size of the file.
        bytes: u64,
    },
    /// The authentication codes of some pages do not match.
    #[error("{count} of its pages are damaged, the first at bytes {from} to {to}{}", in_tables(.tables))]
    Pages {
        /// The number of damaged pages.
        count: u64,
        /// First byte of the first damaged page.
        from: u64,
        /// Last byte of the first damaged page.
        to: u64,
        /// The tables with such pages. Empty: they are pages of indexes, of long values, or free.
        tables: Vec<String>,
    },
    /// A newer version of the program wrote it.
    #[error("it has schema {found}, but this program supports schemas up to {known} only")]
    Newer {
        /// The schema of the file.
        found: usize,
        /// The newest schema that this program supports.
        known: usize,
    },
    /// The pages are inconsistent, for example because the file was copied while it changed.
    #[error("its pages are inconsistent: {0}")]
    Structure(String),
    /// Each page is authentic, but they are not those that the stamp describes: the file is mixed from two moments.
    #[error("it is mixed from two snapshots")]
    Mixed,
    /// A foreign key refers to a row that is missing.
    #[error("rows of table {0} refer to rows that do not exist")]
    Dangling(String),
    /// It is a copy of the live database, which may lack the latest changes.
    #[error("it is not a published snapshot: copy domicile.sqlite, not the live database")]
    NotASnapshot,
    /// The stamp does not match the content.
    #[error("its stamp says {stamped}, but it contains {actual}")]
    WrongStamp {
        /// A summary of the stamp.
        stamped: String,
        /// A summary of the content.
        actual: String,
    },
    /// The audit chain is damaged.
    #[error(transparent)]
    Audit(AuditError),
    /// The ledger is damaged.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The chain of the journal's entries is damaged.
    #[error("entry {seq} of the journal does not follow the one before it")]
    Journal {
        /// The number of the first entry that does not match.
        seq: i64,
    },
    /// SQLite returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Damage {
    /// Whether the content of the file is at fault. Otherwise it could not be read: a full disk, a wrong owner or a busy
    /// database are no damage, and another file would not help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unreadable(_) => false,
            Self::Db(error) => Self::is_damage_of(error),
            _ => true,
        }
    }

    pub(super) fn is_damage_of(error: &db::Error) -> bool {
        error.is_damage() || matches!(error, db::Error::Damaged(_))
    }
}

fn in_tables(tables: &[String]) -> String {
    match tables {
        [] => String::new(),
        [table] => format!("; table {table} cannot be read to its end"),
        tables => format!("; tables {} cannot be read to their end", tables.join(", ")),
    }
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

/// Why publishing failed, or was not completed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk has too little free space for a second copy.
    #[error("a snapshot needs {needed} bytes, but only {free} are free")]
    NoSpace {
        /// Bytes: 1.2 times the size of the database.
        needed: u64,
        /// Bytes that are free on the disk.
        free: u64,
    },
    /// The new copy failed verification.
    #[error("the new snapshot was not published: {0}")]
    Damaged(#[from] Damage),
    /// The new snapshot is published and verified, but its manifest is missing or not durable: the manifest may still
    /// describe the previous snapshot, and a power failure now could bring the previous snapshot back. Publishing again
    /// repairs both.
    #[error(
        "the new snapshot is in place, but its manifest could not be written or the folder could not be synced: {0}"
    )]
    InPlace(#[source] db::Error),
    /// Something read the database all the time, such as a large export, so that the main file could not be copied. The
    /// previous snapshot is still there.
    #[error("something reads the database for a long time, such as a large export, so it could not be copied")]
    InUse,
    /// The database lacks what the published snapshot has, and no restore began a new epoch. The previous snapshot is
    /// still there, because it may be the only copy of that.
    #[error("the database lacks changes that the published snapshot contains")]
    NoContinuation,
    /// The process is about to end. The previous snapshot is still there, and the next start publishes.
    #[error("the server stops before the snapshot is complete")]
    Interrupted,
    /// A file could not be read, written or replaced, or SQLite returned an error. The previous snapshot is still
    /// there.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl SnapshotError {
    /// One sentence for the readiness probe, without figures that differ each time, and with what to do next.
    pub(super) fn reason(&self, layout: &db::Layout) -> String {
        match self {
            Self::NoSpace { .. } => {
                "The disk has too little space for a snapshot, so backups get an old one. Free some space, then run `domicile snapshot now`.".into()
            }
            Self::NoContinuation => format!(
                "No snapshot is published, because the database lacks changes that the published snapshot contains. Stop the server, then run: {}",
                layout.restore_command()
            ),
            Self::Damaged(damage) if damage.is_damage() => format!(
                "No snapshot is published, because the database is damaged: {damage}. Stop the server, then run: {}",
                layout.restore_command()
            ),
            Self::InUse => "No snapshot could be published, so backups get an old one: something reads the database for a long time, such as a large export. The server tries again by itself.".into(),
            other => format!(
                "No snapshot could be published, so backups get an old one: {other}. {} Run `domicile snapshot now`.",
                other.cure(layout)
            ),
        }
    }
}

impl SnapshotError {
    /// The cure of a file or a database that could not be used.
    fn cure(&self, layout: &db::Layout) -> String {
        match self {
            Self::Damaged(Damage::Unreadable(error)) => file_cure(layout.root(), error),
            Self::Damaged(Damage::Db(error)) | Self::InPlace(error) | Self::Db(error) => error.cure(),
            _ => String::new(),
        }
    }
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::NoSpace { .. } => Problem {
                cause: Some(error.to_string().into()),
                ..Problem::busy(
                    "no_space",
                    "There is not enough free disk space for a new snapshot. The last snapshot is still there. Free some space, then try again.",
                    60,
                )
            },
            SnapshotError::InUse | SnapshotError::Interrupted => Problem {
                cause: Some(error.to_string().into()),
                ..Problem::busy(
                    "snapshot_waits",
                    "No snapshot could be made now. The last snapshot is still there. Try again in a minute.",
                    60,
                )
            },
            SnapshotError::Damaged(_) | SnapshotError::InPlace(_) | SnapshotError::NoContinuation => {
                Problem::internal(error)
            }
            SnapshotError::Db(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_damage_is_cured_by_a_restore() {
        let layout = db::Layout::new(std::path::Path::new("/data"));
        let sqlite = |code| db::Error::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        let denied = || std::io::Error::from_raw_os_error(13);
        for (damage, is_damage, cure) in [
            (Damage::Unreadable(denied()), false, "chown"),
            (Damage::Db(sqlite(rusqlite::ffi::SQLITE_FULL)), false, "free some space"),
            (Damage::Db(sqlite(rusqlite::ffi::SQLITE_IOERR)), false, "journalctl -k"),
            (Damage::Db(sqlite(rusqlite::ffi::SQLITE_CORRUPT)), true, "domicile restore"),
            (Damage::Mixed, true, "domicile restore"),
        ] {
            assert_eq!(damage.is_damage(), is_damage, "{damage}");
            let reason = SnapshotError::Damaged(damage).reason(&layout);
            assert!(reason.contains(cure), "{reason}");
            assert_eq!(reason.contains("domicile restore"), is_damage, "{reason}");
        }
        let reason = SnapshotError::Db(db::Error::file(std::path::Path::new("/data/x"), denied())).reason(&layout);
        assert!(reason.contains("/data/x and its folder"), "{reason}");
        assert!(SnapshotError::InUse.reason(&layout).contains("by itself"));
    }
}
