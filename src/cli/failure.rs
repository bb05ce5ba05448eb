//! How a command fails: a sentence and an exit status.

use crate::app::OpenError;
use crate::base::Problem;
use crate::config::ConfigError;
use crate::crypto::KeyringError;
use crate::db;
use crate::privacy::tombstones::JournalError;

/// Exit statuses (contract section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Refused or failed.
    Refused = 1,
    /// Usage or configuration; every refusal of `serve` to start.
    Configuration = 2,
    /// A verification found damage.
    Damage = 3,
    /// An I/O error while serving (EX_IOERR of sysexits.h).
    Io = 74,
}

/// What went wrong and what to do, for a person at 3 a.m.
#[derive(Debug)]
pub struct Failure {
    /// One or more sentences.
    pub sentence: String,
    /// How the process ends.
    pub exit: Exit,
}

impl Failure {
    /// Refused or failed.
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), exit: Exit::Refused }
    }

    /// Usage or configuration.
    pub fn configuration(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), exit: Exit::Configuration }
    }

    /// Damage was found.
    pub fn damage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), exit: Exit::Damage }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::configuration(format!("the configuration cannot be used:\n{error}"))
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        let cure = match &error {
            KeyringError::Missing(_) => {
                "Run `domicile init` for a new appliance, or put the keyring of this appliance back from its safe place."
                    .to_owned()
            }
            KeyringError::Exists(_) => "It is never overwritten: without it the data it belongs to is lost. Move both away first if you want to begin anew.".to_owned(),
            KeyringError::ReadableByOthers { path, .. } => format!("Run: chmod 600 {}", path.display()),
            KeyringError::NotAKeyring { .. } => "Put the keyring of this appliance back from its safe place.".to_owned(),
            KeyringError::Io { path, source } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("Run the command as root, or as the person who may read {}.", path.display())
            }
            KeyringError::Busy(_) => "Wait for it to end, then try again.".to_owned(),
            KeyringError::Io { .. } => "Check the disk and the folder.".to_owned(),
        };
        Self::configuration(format!("the keyring cannot be used: {error}. {cure}"))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let sentence = match &error {
            OpenError::NotInitialised(path) => {
                format!(
                    "{path} does not exist, so there is nothing to open. Run `domicile init` first, or check data_dir."
                )
            }
            OpenError::Unfinished { folder, keyring } => format!(
                "the database in {folder} was never finished, because `domicile init` was interrupted: nothing is in it, and nothing can be lost. Remove that folder, move {keyring} away, and run `domicile init` again."
            ),
            OpenError::OtherRegion { stamped, configured } => format!(
                "the database belongs to region \"{stamped}\", and the configuration says region = \"{configured}\". A region never changes: set region = \"{stamped}\", or use another data_dir for \"{configured}\"."
            ),
            OpenError::OldKeyring(_) => format!(
                "the keyring is older than the database: {error}. Put the newest copy of the keyring back, made after `domicile keyring rotate`; nothing was changed."
            ),
            OpenError::OldEngine(..) => format!("{error}. Use a build with SQLite 3.51.3 or newer."),
            OpenError::Transport(inner) => format!("{inner}. Check [mail] in the configuration."),
            OpenError::Db(inner) => return Self::opening(inner),
        };
        Self::configuration(sentence)
    }
}

impl Failure {
    fn opening(error: &db::Error) -> Self {
        let sentence = match error {
            db::Error::KeyDoesNotOpen(path) => format!(
                "the keyring does not open {path}: it belongs to another appliance, or the file is not a database of Domicile. Put the right keyring back; nothing was changed."
            ),
            db::Error::Newer { found, known } => format!(
                "the database has schema {found}, made by a newer version; this version knows schemas up to {known}. Install the newer version again, or restore the snapshot made before the upgrade."
            ),
            db::Error::File { .. } => format!("{error}. Check the folder and its owner."),
            other => format!(
                "the database cannot be opened: {other}. Check that the folder exists, belongs to this person and can be written."
            ),
        };
        Self::configuration(sentence)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let cure = match &error {
            JournalError::Damaged { path, .. } => format!(
                "Put the journal back as your backup has it. If it has none, move {path} away: the next start writes the journal anew from the database, which knows every erasure up to its own age."
            ),
            JournalError::Ahead { path, journal, database } => format!(
                "Put the newest copy of the database back, the one that goes with this journal. If this is the newest, people who were erased after it are in it again: move {path} away, start, and run `domicile account delete ID --yes` for each \"id\" of its lines {} to {journal}.",
                database + 1
            ),
            JournalError::Diverged { path, .. } => format!(
                "Put the journal back that was copied together with this database, or the database that goes with {path}."
            ),
            JournalError::Db(_) => "Check the folder and its owner.".to_owned(),
        };
        Self::configuration(format!("{error}. {cure}"))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match &problem.cause {
            Some(cause) => Self::refused(format!("{} ({cause})", problem.sentence)),
            None => Self::refused(problem.sentence),
        }
    }
}
