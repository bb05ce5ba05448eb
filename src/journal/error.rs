//! What can be wrong with a journal.

use std::path::Path;

use crate::db::{self, Layout};

/// What can be wrong with a journal file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line was changed, is missing or is incomplete.
    #[error("line {line} of the journal {path} {what}")]
    Damaged {
        /// The path of the journal.
        path: String,
        /// The number of the line, from 1.
        line: i64,
        /// What does not match, as a clause.
        what: &'static str,
    },
    /// There is no such file.
    #[error("there is no journal at {path}")]
    Missing {
        /// The path of the journal.
        path: String,
    },
    /// The journal has entries that the database does not have: the database is older than the journal.
    #[error("the journal {path} has {journal} lines, but the database knows {database}: the database is an older copy")]
    Ahead {
        /// The path of the journal.
        path: String,
        /// The number of lines of the journal.
        journal: i64,
        /// The number of entries in the database.
        database: i64,
    },
    /// The database has entries that the journal does not have: the journal is older than the database.
    #[error("the journal {path} has {journal} lines, but the database knows {database}: the journal is an older copy")]
    Behind {
        /// The path of the journal.
        path: String,
        /// The number of lines of the journal.
        journal: i64,
        /// The number of entries in the database.
        database: i64,
    },
    /// The journal and the database have different entries with the same number.
    #[error("line {seq} of the journal {path} differs from the database: they belong to different histories")]
    Diverged {
        /// The path of the journal.
        path: String,
        /// The number of the entry, which is also the number of the line.
        seq: i64,
    },
    /// The file or the database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl JournalError {
    /// Whether the lines themselves are at fault. Otherwise the file, the disk or the database is.
    pub const fn is_about_lines(&self) -> bool {
        !matches!(self, Self::Db(_))
    }

    /// What the operator can do.
    pub fn cure(&self) -> String {
        match self {
            Self::Damaged { path, .. } => format!(
                "The database has all of its entries. Run: mv {path} {path}.damaged. The next start writes the journal again from the database."
            ),
            Self::Ahead { path, .. } | Self::Diverged { path, .. } => {
                let folder = Path::new(path).parent().unwrap_or(Path::new("."));
                format!("While the server is stopped, run: {}", Layout::new(folder).restore_command())
            }
            Self::Behind { .. } | Self::Missing { .. } => {
                "Put back the newest copy of the journal from your backup.".to_owned()
            }
            Self::Db(error) => error.cure(),
        }
    }
}

impl From<JournalError> for db::Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Db(error) => error,
            other => Self::JournalNotWritten(other.to_string()),
        }
    }
}
