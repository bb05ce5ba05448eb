//! `domicile restore`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments::{Common, RestoreArguments};
use super::context;
use super::failure::{Exit, Failure};
use super::output::{out, tell};
use super::waiting::Waiting;
use crate::base::{Clock, Rng};
use crate::config::Config;
use crate::db;
use crate::journal::JournalError;
use crate::restore::{self, Backup, Options, RestoreError, Restored, Source, Stage};
use crate::snapshots::Damage;

pub(super) fn run(common: &Common, arguments: &RestoreArguments) -> Result<(), Failure> {
    require_settings(common)?;
    let config = context::config(common)?;
    let keyring = context::keyring(&config).map_err(|failure| without_keyring(&config, failure))?;
    // Opened as the user who runs the command: backups may be readable for root only.
    let snapshot = open_source(&arguments.file)?;
    let expected = match &arguments.journal {
        Some(path) => path.clone(),
        None => journal_beside(&arguments.file),
    };
    let journal = match Source::open(&expected) {
        Ok(journal) => Some(journal),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && arguments.journal.is_none() => None,
        Err(error) => return Err(unreadable(&expected, &error)),
    };
    let checkpoints = checkpoints_beside(&arguments.file)
        .map(|path| Source::open(&path).map_err(|error| unreadable(&path, &error)))
        .transpose()?;
    create_data_folder(&config.data_dir)?;
    context::drop_privileges(&config.data_dir)?;
    // Otherwise the restored appliance would not start, and the admin would look for the fault in the backup.
    context::check_settings_readable(common)?;
    let site = Arc::new(db::Site { config, keyring });
    let options = Options { replace: arguments.replace, accept_missing_journal: arguments.accept_missing_journal };
    let backup = Backup {
        snapshot: &snapshot,
        journal: (journal.as_ref(), expected.as_path()),
        checkpoints: checkpoints.as_ref(),
    };
    let waiting = Waiting::start();
    let progress = |stage: Stage| waiting.begin(&stage.to_string());
    let restored = restore::restore(&site, &backup, options, &Clock::system(), &mut Rng::system(), &progress);
    drop(waiting);
    let restored = restored?;
    if common.json {
        return out!("{}", restored.to_json());
    }
    print(&arguments.file, &restored)
}

/// The usual sentences name `init`, which is for new appliances.
fn require_settings(common: &Common) -> Result<(), Failure> {
    if common.config.exists() {
        return Ok(());
    }
    Err(Failure::configuration(format!(
        "there are no settings at {}. Put those of the appliance there, or write region and public_url, then run the command again.",
        common.config.display()
    )))
}

fn without_keyring(config: &Config, failure: Failure) -> Failure {
    if config.keyring.exists() || std::env::var_os("CREDENTIALS_DIRECTORY").is_some() {
        return failure;
    }
    Failure::configuration(format!(
        "there is no keyring at {}. Put the keyring of the appliance there with mode 0600, then run the command again.",
        config.keyring.display()
    ))
}

fn open_source(path: &Path) -> Result<Source, Failure> {
    Source::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let name = path.display();
    Failure::refused(match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file {name}, so nothing was changed. Check the path."),
        _ => format!("{name} cannot be read: {error}. Nothing was changed. Run the command as root."),
    })
}

/// Where the journal of a snapshot is expected: under the name that a purge of the package gives it, if it is there, or
/// under its usual name.
fn journal_beside(file: &Path) -> PathBuf {
    let of_purge = file.with_extension("tombstones.jsonl");
    if of_purge.exists() { of_purge } else { file.with_file_name("tombstones.jsonl") }
}

/// The file of all checkpoints of a backup: as a purge of the package names it, as it lies in a data folder and in a folder
/// of `domicile backup`, or beside the snapshot. `None`: the backup has none.
fn checkpoints_beside(file: &Path) -> Option<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let places = [file.with_extension("checkpoints"), folder.join("audit/checkpoints"), folder.join("checkpoints")];
    places.into_iter().find(|path| path.is_file())
}

fn create_data_folder(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Failure::configuration(format!(
            "{} cannot be created: {error}. Create it, give it to the user that runs the server, and try again.",
            folder.display()
        ))
    })
}

fn print(file: &Path, restored: &Restored) -> Result<(), Failure> {
    out!(
        "{} is restored: the snapshot of {}, with {} audit events.",
        file.display(),
        restored.report.stamp.made_at.day_and_time(),
        restored.report.audit_events
    )?;
    let replayed = &restored.replayed;
    if replayed.lines > 0 {
        out!(
            "After the snapshot, the journal has {}: {} erased again, {} made again.",
            counted(replayed.lines, "line", "lines"),
            counted(replayed.erased, "account was", "accounts were"),
            counted(replayed.changed, "other change was", "other changes were"),
        )?;
    }
    let ended = i64::try_from(restored.sessions_ended).unwrap_or(i64::MAX);
    out!("{} ended. People must sign in again.", counted(ended, "session was", "sessions were"))?;
    if restored.epoch.has_accepted_missing_journal {
        out!("The journal was not complete, as you accepted: access that ended after the snapshot may work again.")?;
    }
    out!("{}", restore::loss(&restored.epoch))?;
    if let Some((first, last)) = restored.proven_loss() {
        out!("A checkpoint proves that the audit had {last} events: the events {first} to {last} are lost.")?;
    }
    for (path, fault) in &restored.checkpoints.refused {
        out!("The checkpoints in {} were not used: {fault}.", path.display())?;
    }
    if let Some((path, until)) = &restored.replaced {
        out!("The replaced data is in {} until {}.", path.display(), until.day())?;
    }
    tell!("Next: systemctl start domicile");
    Ok(())
}

fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A failure with the one command that helps.
impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Snapshot { path, damage } => of_snapshot(&path, *damage),
            RestoreError::OtherRegion { .. }
            | RestoreError::OldKeyring(_)
            | RestoreError::OnlySnapshot(_)
            | RestoreError::PutBack { .. }
            | RestoreError::StaleLog { .. } => of_place(&error),
            RestoreError::Damaged { live, damage, command } => {
                Self::damage(format!("{} is damaged: {damage}. Nothing was changed. Run: {command}", live.display()))
            }
            RestoreError::Journal(error) => of_journal(&error),
            RestoreError::InUse(folder) => Self::refused(format!(
                "a server or a command is using {}. Run `systemctl stop domicile.socket domicile`, then restore again.",
                folder.display()
            )),
            RestoreError::Running(folder) => Self::configuration(format!(
                "a restore of {} is running. Wait until it has finished, then try again.",
                folder.display()
            )),
            RestoreError::Exists(folder) => Self::refused(format!(
                "{} already contains an appliance, and nothing was changed. To move its data aside and keep it for 30 days, run the command again with --replace.",
                folder.display()
            )),
            RestoreError::NoSpace { needed, free } => Self::refused(format!(
                "the restore needs {needed} bytes on the disk of the data folder, but only {free} are free. Nothing was changed. Free some space, then run the command again."
            )),
            RestoreError::UnknownEntry { .. } => Self::refused(format!(
                "{error}. The data is as it was. Restore with the version of Domicile that wrote the journal, or a newer one."
            )),
            RestoreError::Privacy(error) => crate::base::Problem::from(error).into(),
            RestoreError::Db(error) => {
                Self::refused(format!("{error}. The data is as it was. {} Then run the command again.", error.cure()))
            }
        }
    }
}

fn of_snapshot(path: &Path, damage: Damage) -> Failure {
    let name = path.display();
    let (exit, fix) = match &damage {
        Damage::Unreadable(error) => return unreadable(path, error),
        Damage::Newer { .. } => {
            (Exit::Refused, "Install the version of domicile that made it, or a newer one, then run the command again.")
        }
        Damage::NotASnapshot => {
            (Exit::Refused, "A copy of the live database may be torn. Restore the domicile.sqlite of the same backup.")
        }
        Damage::NotADatabase | Damage::NotEncrypted => (Exit::Refused, "Restore the domicile.sqlite of a backup."),
        Damage::WrongKey { .. } => {
            (Exit::Configuration, "Put the keyring of its appliance in place, then run the command again.")
        }
        _ => (Exit::Damage, "Restore an older copy: `domicile verify FILE` says which is good."),
    };
    Failure::new(exit, format!("{name} cannot be restored: {damage}. Nothing was changed. {fix}"))
}

fn of_journal(error: &JournalError) -> Failure {
    let fix = "Restore with the newest copy of the journal: --journal FILE. If there is none, run the command again with --accept-missing-journal: access that ended after the snapshot may then work again.";
    let sentence = format!("{error}. Nothing was changed. {fix}");
    match error {
        JournalError::Damaged { .. } => Failure::damage(sentence),
        _ => Failure::refused(sentence),
    }
}

fn of_place(error: &RestoreError) -> Failure {
    let command = |file: &Option<PathBuf>| match file {
        Some(file) => format!("Run: domicile restore {} --replace", file.display()),
        None => "Run: domicile restore FILE --replace, with the domicile.sqlite of a backup.".to_owned(),
    };
    let sentence = match error {
        RestoreError::OtherRegion { stamped, configured } => format!(
            "the snapshot belongs to region \"{stamped}\", but the configuration has region = \"{configured}\". Nothing was changed. Set region = \"{stamped}\", then run the command again."
        ),
        RestoreError::OnlySnapshot(file) => format!(
            "there is a snapshot but no live database in the data folder. Run: domicile restore {}",
            file.display()
        ),
        RestoreError::PutBack { live, newer_events, restore } => {
            let newer = match newer_events {
                0 => String::new(),
                count => format!(
                    "It has {count} audit events that the snapshot lacks: if it was moved from another place, stop the server there, and copy the folder again. "
                ),
            };
            format!(
                "{} was copied or put there by hand, is older than the snapshot beside it, or lacks its latest changes. It is not used, because it may be torn, and access that has ended would work again. {newer}{}",
                live.display(),
                command(restore)
            )
        }
        RestoreError::StaleLog { live, log } => format!(
            "{} belongs to another database than {}, which was put there by hand. {}",
            log.display(),
            live.display(),
            command(&None)
        ),
        other => format!(
            "{other}. Nothing was changed. Put the newest copy of the keyring in place, made after `domicile keyring rotate`, then run the command again."
        ),
    };
    Failure::configuration(sentence)
}
