//! The failure of a command: a sentence and an exit status.

use crate::app::OpenError;
use crate::base::{Problem, file_cure};
use crate::config::ConfigError;
use crate::crypto::KeyringError;
use crate::db;
use crate::journal::JournalError;
use crate::maintenance::UpgradeError;

/// The cure of damage.
const RESTORE: &str = "Stop the server, then run: domicile restore FILE --replace, where FILE is the domicile.sqlite in the data folder or in a backup.";

/// Exit statuses (contract section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Refused or failed.
    Refused = 1,
    /// Wrong usage or configuration, and every refusal of `serve` to start.
    Configuration = 2,
    /// A verification found damage.
    Damage = 3,
    /// An I/O error while serving (EX_IOERR of sysexits.h).
    Io = 74,
}

/// What went wrong and what to do, for the admin.
#[derive(Debug)]
pub struct Failure {
    /// One or more sentences: the cause, then the fix.
    pub sentence: String,
    /// The exit status of the process.
    pub exit: Exit,
    /// Stable, lower snake_case, for programs.
    pub code: &'static str,
    /// What programs are told besides the sentence: members of the JSON object.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// Nobody reads the output any more, so nothing is said: the command has done its work.
    pub is_closed_pipe: bool,
    /// The person at the terminal knows it already.
    pub is_told: bool,
}

impl Failure {
    /// A failure with this exit status.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        let code = match exit {
            Exit::Refused => "refused",
            Exit::Configuration => "configuration",
            Exit::Damage => "damage",
            Exit::Io => "io",
        };
        Self {
            sentence: sentence.into(),
            exit,
            code,
            details: serde_json::Map::new(),
            is_closed_pipe: false,
            is_told: false,
        }
    }

    /// A failure with [`Exit::Refused`].
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Refused, sentence)
    }

    /// A failure with [`Exit::Configuration`].
    pub fn configuration(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Configuration, sentence)
    }

    /// A failure with [`Exit::Damage`].
    pub fn damage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Damage, sentence)
    }

    /// The reader of stdout has gone.
    pub fn closed_pipe() -> Self {
        Self { is_closed_pipe: true, ..Self::refused("") }
    }

    /// Sets the code for programs.
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    /// Adds a member for programs.
    pub fn with_detail(mut self, name: &str, value: serde_json::Value) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }

    /// The form for programs: `{"error":"<sentence>","code":"…"}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut members = self.details.clone();
        members.insert("error".into(), self.sentence.clone().into());
        members.insert("code".into(), self.code.into());
        members.into()
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
        let fix = match &error {
            KeyringError::Missing(_) => {
                "For a new appliance, run `domicile init`. Otherwise put the keyring of this appliance back from its safe place."
                    .to_owned()
            }
            KeyringError::Exists(_) => "It is never overwritten, because without it its data is lost. If its data is in a backup, run: domicile restore FILE. If you want a new appliance, move the keyring away first.".to_owned(),
            KeyringError::ReadableByOthers { path, .. } => format!("Run: chmod 600 {}", path.display()),
            KeyringError::NotAKeyring { .. } => "Restore the keyring of this appliance from its safe place.".to_owned(),
            KeyringError::Io { path, source } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("Run the command as root, or as a user that may read {}.", path.display())
            }
            KeyringError::Busy(_) => "Wait until it has finished, then try again.".to_owned(),
            KeyringError::Io { path, source } => file_cure(path, source),
        };
        Self::configuration(format!("the keyring cannot be used: {error}. {fix}"))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let sentence = match &error {
            OpenError::NotInitialised(path) => {
                format!(
                    "there is a keyring, but no data: {path} does not exist. To put a backup in place, run: domicile restore FILE. For a new appliance, run: domicile init"
                )
            }
            OpenError::Unfinished { folder, keyring } => format!(
                "the database in {folder} is incomplete, because `domicile init` was interrupted. It contains no data, so nothing can be lost. Remove that folder, move {keyring} away, and run `domicile init` again."
            ),
            OpenError::OtherRegion { stamped, configured } => format!(
                "the database belongs to region \"{stamped}\", but the configuration has region = \"{configured}\". The region cannot be changed. Set region = \"{stamped}\", or use another data_dir for \"{configured}\"."
            ),
            OpenError::OldKeyring(_) => format!(
                "the keyring is older than the database: {error}. Nothing was changed. Restore the newest copy of the keyring, made after `domicile keyring rotate`."
            ),
            OpenError::OldEngine(..) => format!("{error}. Use a build with SQLite 3.51.3 or newer."),
            OpenError::Transport(inner) => format!("{inner}. Check [mail] in the configuration."),
            OpenError::Db(inner) => return Self::opening(inner),
        };
        Self::configuration(sentence)
    }
}

impl From<UpgradeError> for Failure {
    fn from(error: UpgradeError) -> Self {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        match &error {
            UpgradeError::NoSpace { folder, needed, free } => Self::configuration(format!(
                "the upgrade of the database needs {} MiB of free space in {folder}, and {} MiB are free. Nothing was changed, and the previous version still works. Free some space, then run: systemctl restart domicile",
                mebibytes(*needed),
                mebibytes(*free)
            )),
            UpgradeError::ServerRuns { found } => Self::refused(format!(
                "the database has schema {found}, and a server of an earlier version uses it. Nothing was changed. Run: systemctl restart domicile"
            )),
            UpgradeError::Trial { .. } => Self::configuration(format!(
                "{error}. This was tried on a copy: the database was not changed, and the previous version still works. Install it again: apt install domicile=VERSION"
            )),
            UpgradeError::Damaged(_) => Self::damage(format!(
                "{error}. The database itself was not changed. Restore the last good snapshot with the previous version: domicile restore FILE --replace"
            )),
            UpgradeError::Live(cause) => Self::configuration(format!(
                "{error}. The database has its old schema, and the previous version still works. {} Then run: systemctl restart domicile",
                cause.cure()
            )),
            UpgradeError::Db(inner) => Self::opening(inner),
        }
    }
}

impl Failure {
    fn opening(error: &db::Error) -> Self {
        let sentence = match error {
            db::Error::OtherKeyring(path) => format!(
                "the keyring does not open {path}: it belongs to another appliance, as the journal says. Nothing was changed. Restore the right keyring."
            ),
            db::Error::KeyDoesNotOpen(path) => format!(
                "the keyring does not open {path}: it belongs to another appliance, or the file is damaged or not a database of Domicile. Nothing was changed. Restore the right keyring. If its copy from the safe place does not open the file either, the file is damaged: run domicile restore FILE --replace"
            ),
            db::Error::Newer { found, known } => format!(
                "the database has schema {found}, made by a newer version. This version knows schemas up to {known}. Install the newer version again, or restore the snapshot made before the upgrade."
            ),
            db::Error::Restoring => {
                "a restore of this data folder is running. Wait until it has finished, then try again.".to_owned()
            }
            db::Error::Older { .. } => format!("{error}. Nothing was changed. Run: systemctl restart domicile"),
            damage if damage.is_damage() => {
                return Self::damage(format!("{error}. {RESTORE}"));
            }
            db::Error::File { .. } => format!("{error}. {}", error.cure()),
            waits if waits.is_full() || waits.is_busy() => {
                format!("the database cannot be opened: {error}. {}", error.cure())
            }
            other => format!(
                "the database cannot be opened: {other}. Check that the folder exists, belongs to this user and can be written."
            ),
        };
        Self::configuration(sentence)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let sentence = format!("{error}. {}", error.cure());
        match error {
            JournalError::Damaged { .. } => Self::damage(sentence),
            _ => Self::configuration(sentence),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match &problem.cause {
            Some(cause) if problem.code == "database_damaged" => {
                Self::damage(format!("the database is damaged: {cause}. {RESTORE}"))
            }
            Some(_) if problem.code == "disk_full" => Self::refused(
                "the disk of the data folder is full, so nothing was changed. Free some space, then run the command again. `domicile doctor` says how much is needed.",
            )
            .with_code(problem.code),
            Some(cause) if problem.code == "internal" => {
                Self::refused(format!("the command failed: {cause}.")).with_code(problem.code)
            }
            Some(cause) => Self::refused(format!("{} ({cause})", problem.sentence)).with_code(problem.code),
            None => Self::refused(in_the_words_of_a_command(&problem)).with_code(problem.code),
        }
    }
}

/// Most sentences are for pages too: they name no option, and know only addresses.
fn in_the_words_of_a_command(problem: &Problem) -> String {
    match (problem.code, problem.field) {
        ("not_found", _) => "there is nothing with this name or id. Check it, or list what there is.".to_owned(),
        (_, Some(option)) => {
            // A list on a page is an option that is given several times.
            let option = if option == "networks" { "network" } else { option };
            let sentence = problem.sentence.replace("Leave it empty for", "Leave the option out for");
            let sentence = sentence.replace("Choose one from the list, a day", "Give a day");
            format!("{}: {sentence}", option.replace('_', "-"))
        }
        (_, None) => problem.sentence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_to_the_one_who_can_free_it() {
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        let failure = Failure::from(Problem::from(db::Error::from(full)));

        assert!(failure.sentence.contains("Free some space"), "{failure}");
        assert!(!failure.sentence.contains("your operator"), "{failure}");
        assert_eq!((failure.exit, failure.code), (Exit::Refused, "disk_full"));
    }
}
