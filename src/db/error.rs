//! Failures of the database.

use std::path::Path;

use crate::base::{Problem, file_cure};

/// A failure of the store. The errors of slices contain it as their `Db` variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused or failed; the transaction was rolled back.
    #[error("the database refused: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// No reading connection became free in time.
    #[error("no reading connection became free: {0}")]
    Pool(#[from] r2d2::Error),
    /// The file has migrations that this program does not know.
    #[error("the database has schema {found}, and this program knows schemas up to {known}")]
    Newer {
        /// `PRAGMA user_version` of the file.
        found: usize,
        /// The last migration of this program.
        known: usize,
    },
    /// The file has an older schema, and only an upgrade may change it.
    #[error("the database has schema {found}, and this program needs schema {known}")]
    Older {
        /// `PRAGMA user_version` of the file.
        found: usize,
        /// The last migration of this program.
        known: usize,
    },
    /// A migration failed; the schema is what it was before.
    #[error("migration {number} of the database failed: {reason}")]
    Migration {
        /// The number of the migration, as in the name of its file.
        number: usize,
        /// What SQLite said.
        reason: String,
    },
    /// The key does not open the file, or the file is not a database. SQLCipher cannot distinguish the two.
    #[error("the key does not open {0}")]
    KeyDoesNotOpen(String),
    /// The key is right, and does not open the file: its first page is damaged.
    #[error(
        "the beginning of {path} is damaged, or it is a file of another appliance: the keyring is right, because {proof}"
    )]
    BeginningDamaged {
        /// The database.
        path: String,
        /// What proves that the keyring is right, in a clause.
        proof: &'static str,
    },
    /// The file is of another appliance than the key.
    #[error("the key does not open {0}, and has not signed the journal beside it")]
    OtherKeyring(String),
    /// A pragma has no effect, so the connection is not safe to use.
    #[error("the connection answered {found} for `{pragma}`, and {wanted} is needed")]
    Unsafe {
        /// Which pragma.
        pragma: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// A restore replaces the database at this moment.
    #[error("a restore is running")]
    Restoring,
    /// The writer's queue is full.
    #[error("the writer has more work than it can take")]
    Busy,
    /// The change is committed, but its line could not be written into the journal. It is written later.
    #[error("the change is made, but the journal could not be written: {0}")]
    JournalNotWritten(String),
    /// The writer stopped after an I/O error, or is stopping.
    #[error("the writer has stopped")]
    Stopped,
    /// An operation panicked; its savepoint was rolled back.
    #[error("an operation panicked")]
    Panicked,
    /// A stored value does not have the form of its column.
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The cure of damage, for sentences without the path of the snapshot to restore.
const DAMAGE_CURE: &str = "Run `domicile doctor`, which names what is damaged and the command that restores it.";

impl Error {
    /// A file error with its path.
    pub fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }

    /// Whether writes to the file can no longer be trusted. After EIO, SQLite's handle answers "malformed" forever, so
    /// the server must stop and be started again (safety 7.3).
    pub fn is_fatal(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, ReadOnly, SystemIoFailure};
        matches!(self.code(), Some(SystemIoFailure | DatabaseCorrupt | NotADatabase | CannotOpen | ReadOnly))
    }

    /// Whether the content of the database is not what was written. A connection that met an I/O error says so too, for
    /// ever, so a look at the file has to confirm it.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self, Self::KeyDoesNotOpen(_) | Self::BeginningDamaged { .. })
            || matches!(self.code(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// Whether the disk is full. Nothing was changed, and a later attempt may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self.code(), Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether a timeout ended the wait for a resource: no reader became free, or another process had the lock.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self, Self::Busy | Self::Pool(_)) || matches!(self.code(), Some(DatabaseBusy | DatabaseLocked))
    }

    /// What an operator can do about it, in one sentence. Each cause has its own: a full disk is not a damaged file.
    pub fn cure(&self) -> String {
        use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly, SystemIoFailure};
        match self {
            Self::File { path, source } => file_cure(Path::new(path), source),
            error if error.is_full() => "The disk is full: free some space on the disk of the data folder.".into(),
            error if error.is_busy() => "Another process uses the database: wait until it has finished.".into(),
            Self::Damaged(_) => DAMAGE_CURE.into(),
            error if error.is_damage() => DAMAGE_CURE.into(),
            Self::Stopped => "The server stops. Start it again: systemctl restart domicile".into(),
            Self::Restoring => "Wait until the restore has finished.".into(),
            _ => match self.code() {
                Some(CannotOpen | PermissionDenied | ReadOnly) => {
                    "Give the data folder to the user that runs the server, and check that it can be written.".into()
                }
                Some(SystemIoFailure) => {
                    "Check the disk of the data folder: the log of the kernel has its errors (journalctl -k).".into()
                }
                _ => "Run `domicile doctor`, which looks for the cause.".into(),
            },
        }
    }

    /// Whether a unique constraint refused the row.
    pub fn is_duplicate(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
                if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                    || failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        )
    }

    /// Makes the same failure for other callers of the same commit, because a full disk concerns all of them. SQLite's
    /// error cannot be copied, but its code can.
    pub(super) fn copies(&self) -> impl Fn() -> Self + use<> {
        let code = match self {
            Self::Sqlite(inner) if !self.is_fatal() => inner.sqlite_error().copied(),
            _ => None,
        };
        move || code.map_or(Self::Stopped, |code| rusqlite::Error::SqliteFailure(code, None).into())
    }

    /// What SQLite reported.
    pub(super) fn sqlite_failure(&self) -> Option<rusqlite::ffi::Error> {
        match self {
            Self::Sqlite(error) => error.sqlite_error().copied(),
            _ => None,
        }
    }

    fn code(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(if is_undecrypted(&error) { undecrypted() } else { error })
    }
}

/// SQLCipher reports a page with a wrong authentication code as SQLite's most general error. Every other error with this
/// code has a text of its own.
fn is_undecrypted(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqliteFailure(failure, text)
            if failure.extended_code == rusqlite::ffi::SQLITE_ERROR
                && text.as_deref().is_none_or(|text| text == "SQL logic error")
    )
}

fn undecrypted() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some("a page of it cannot be decrypted".into()))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.is_damage() {
            let sentence = "The database of this server is damaged. Tell your operator.";
            return Problem {
                cause: Some(error.to_string().into()),
                ..Problem::new(500, "database_damaged", sentence)
            };
        }
        if error.is_full() {
            let mut problem = Problem::busy(
                "disk_full",
                "The disk of this server is full, so nothing was changed. Tell your operator, and try again later.",
                60,
            );
            problem.cause = Some(error.to_string().into());
            return problem;
        }
        if error.is_busy() {
            let sentence = "This server is busy, so nothing was changed. Try again in a moment.";
            return Problem { cause: Some(error.to_string().into()), ..Problem::busy("busy", sentence, 1) };
        }
        match error {
            Error::Stopped => {
                Problem::busy("stopping", "This server is stopping, so nothing was changed. Try again in a moment.", 5)
            }
            Error::JournalNotWritten(cause) => {
                let sentence = "The change was made, but the server could not write it into its journal. Tell your operator. The server tries again by itself.";
                Problem { cause: Some(cause.into()), ..Problem::new(503, "journal_not_written", sentence) }
            }
            other => Problem::internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager whose connections never open.
    struct NeverOpens;

    impl r2d2::ManageConnection for NeverOpens {
        type Connection = ();
        type Error = std::fmt::Error;

        fn connect(&self) -> Result<(), std::fmt::Error> {
            Err(std::fmt::Error)
        }

        fn is_valid(&self, (): &mut ()) -> Result<(), std::fmt::Error> {
            Ok(())
        }

        fn has_broken(&self, (): &mut ()) -> bool {
            false
        }
    }

    #[test]
    fn a_timeout_is_reported_as_busy_and_not_as_an_internal_error() {
        let pool = r2d2::Pool::builder().max_size(1).connection_timeout(std::time::Duration::from_millis(10));
        let no_reader = pool.build_unchecked(NeverOpens).get().unwrap_err();
        let sqlite_error = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);

        for error in [
            Error::Busy,
            Error::Pool(no_reader),
            Error::Sqlite(sqlite_error(rusqlite::ffi::SQLITE_BUSY)),
            Error::Sqlite(sqlite_error(rusqlite::ffi::SQLITE_BUSY_SNAPSHOT)),
            Error::Sqlite(sqlite_error(rusqlite::ffi::SQLITE_LOCKED)),
        ] {
            let text = error.to_string();
            let problem = Problem::from(error);
            assert_eq!((problem.status, problem.code, problem.retry_after_seconds), (503, "busy", Some(1)), "{text}");
            assert_eq!(problem.cause, Some(text.into()));
        }
        let internal = Problem::from(Error::Sqlite(sqlite_error(rusqlite::ffi::SQLITE_ERROR)));
        assert_eq!((internal.status, internal.retry_after_seconds), (500, None));
    }
}
