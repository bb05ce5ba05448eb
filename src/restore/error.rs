//! Why a restore was refused or failed, and why a data folder is not opened.

use std::path::PathBuf;

use crate::crypto::TooOld;
use crate::db;
use crate::journal::JournalError;
use crate::privacy::PrivacyError;
use crate::snapshots::Damage;

/// Why a restore was refused or failed; the data folder is as it was then. `cli/restore.rs` has the sentences.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot is damaged, or is none.
    #[error("{path}: {damage}")]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Box<Damage>,
    },
    /// The region of the snapshot is not the region in the settings.
    #[error("the snapshot belongs to region \"{stamped}\", and the settings say \"{configured}\"")]
    OtherRegion {
        /// The region of the snapshot.
        stamped: String,
        /// The region in the settings.
        configured: String,
    },
    /// The snapshot uses keys that the keyring does not have.
    #[error(transparent)]
    OldKeyring(#[from] TooOld),
    /// A server or a command has the database open.
    #[error("{0} is in use")]
    InUse(PathBuf),
    /// Another restore of the data folder is running.
    #[error("another restore of {0} is running")]
    Running(PathBuf),
    /// The data folder has data, and the operator did not allow to replace it.
    #[error("{0} already contains an appliance")]
    Exists(PathBuf),
    /// There is no journal, or it is damaged, ends before the snapshot, or belongs to another history.
    #[error(transparent)]
    Journal(JournalError),
    /// The disk has too little free space.
    #[error("the restore needs {needed} bytes, but only {free} are free")]
    NoSpace {
        /// Bytes.
        needed: u64,
        /// Bytes that are free on the disk of the data folder.
        free: u64,
    },
    /// There is a snapshot, but no live database.
    #[error("there is no live database, but the snapshot {0}")]
    OnlySnapshot(PathBuf),
    /// The live database was copied or put back by hand.
    #[error("{live} was put there by hand")]
    PutBack {
        /// The live database.
        live: PathBuf,
        /// How many audit events it has that the snapshot lacks.
        newer_events: i64,
        /// What to restore instead. `None`: there is no snapshot in the data folder.
        restore: Option<PathBuf>,
    },
    /// The write-ahead log beside the live database belongs to another database.
    #[error("{log} does not belong to {live}")]
    StaleLog {
        /// The live database.
        live: PathBuf,
        /// The write-ahead log.
        log: PathBuf,
    },
    /// The live database cannot be read.
    #[error("{live} is damaged: {damage}")]
    Damaged {
        /// The live database.
        live: PathBuf,
        /// What is wrong with it.
        damage: Box<Damage>,
        /// The command that helps.
        command: String,
    },
    /// The journal has a line that this version does not know.
    #[error("line {line} of the journal is about {event}, which this version does not know")]
    UnknownEntry {
        /// The number of the line.
        line: i64,
        /// The name of the event.
        event: String,
    },
    /// An erased account could not be erased again.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The database or a file returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<JournalError> for RestoreError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Db(error) => Self::Db(error),
            other => Self::Journal(other),
        }
    }
}
