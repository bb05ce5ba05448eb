//! Puts the new data in place in one step, and completes or undoes a restore that was interrupted.
//!
//! ```text
//! data folder/.restore-x/live        the new live folder, complete and on the disk
//! data folder/.restore-x/..          hard links to what is replaced: snapshot, manifest, journal
//! data folder/restore.unfinished     the note
//!     live  <── exchanged in one step ──>  .restore-x/live
//! data folder/tombstones.jsonl       the journal of the new data
//! data folder/audit/checkpoints      what the backup and the old data have of it
//! data folder/before-restore-<day>   .restore-x under its last name, with the old live folder
//! ```
//! Before the exchange the old data is in place, after it the new data; the new live folder has a file with the id of
//! the note, so that the next command can tell.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::error::RestoreError;
use crate::db::{Error, Layout};

/// The prefix of the staging folder.
const STAGING: &str = ".restore-";
/// In the new live folder: the id of its restore.
const ID_FILE: &str = "restored";
/// In the staging folder: the journal of the new data.
pub(super) const JOURNAL: &str = "journal.new";
/// In the staging folder: the file of all checkpoints of the new data.
pub(super) const CHECKPOINTS: &str = "checkpoints.new";
/// In the staging folder: the old live folder, on file systems that cannot exchange two folders.
const SET_ASIDE: &str = "live.replaced";

/// What happens to the journal of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalStep {
    /// The staged one takes its place.
    Replace,
    /// It belongs to another history and goes. The database has every line that counts; the next start writes them.
    Remove,
}

/// A restore that is ready for its last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub id: String,
    /// The file that is restored, for messages.
    pub file: PathBuf,
    /// The name of the folder with the replaced data. `None`: nothing is replaced.
    pub replaced: Option<String>,
    pub journal: JournalStep,
}

/// How an interrupted restore ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// The new data was in place. What was left to do is done.
    Completed(PathBuf),
    /// The old data is in place, as it was.
    Undone(PathBuf),
}

impl Note {
    fn to_json(&self) -> Value {
        json!({
            "format": "domicile.restore/1",
            "id": self.id,
            "file": self.file,
            "replaced": self.replaced,
            "journal": match self.journal { JournalStep::Replace => "replace", JournalStep::Remove => "remove" },
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let journal = match value["journal"].as_str()? {
            "replace" => JournalStep::Replace,
            "remove" => JournalStep::Remove,
            _ => return None,
        };
        Some(Self {
            id: value["id"].as_str()?.to_owned(),
            file: value["file"].as_str()?.into(),
            replaced: value["replaced"].as_str().map(str::to_owned),
            journal,
        })
    }

    fn staging(&self, layout: &Layout) -> PathBuf {
        staging_path(layout, &self.id)
    }

    fn write(&self, layout: &Layout) -> std::io::Result<()> {
        let path = layout.restore_note();
        let temporary = self.staging(layout).join("note");
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(format!("{:#}\n", self.to_json()).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        sync_folder(layout.root())
    }
}

pub(super) fn staging_path(layout: &Layout, id: &str) -> PathBuf {
    layout.root().join(format!("{STAGING}{id}"))
}

/// Puts the staged data in place. Everything in the staging folder is complete and synced. When this returns, the new data
/// is in place and on the disk. If it fails before the exchange, the old data stays.
///
/// # Errors
/// [`Error::File`].
pub(super) fn put_in_place(layout: &Layout, note: &Note) -> Result<(), Error> {
    let failure = |error| Error::file(layout.root(), error);
    let live = note.staging(layout).join("live");
    std::fs::write(live.join(ID_FILE), &note.id).map_err(failure)?;
    for path in [live.join(ID_FILE), live.clone(), note.staging(layout)] {
        sync_folder(&path).map_err(failure)?;
    }
    note.write(layout).map_err(failure)?;
    exchange(layout, note).map_err(|error| Error::file(&layout.live_dir(), error))?;
    finish(layout, note).map_err(failure)
}

fn exchange(layout: &Layout, note: &Note) -> std::io::Result<()> {
    let (staging, live) = (note.staging(layout), layout.live_dir());
    let new = staging.join("live");
    if live.exists() {
        match renameat_with(CWD, &new, CWD, &live, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // A file system without this step. The next command completes it if it is interrupted.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                std::fs::rename(&live, staging.join(SET_ASIDE))?;
                std::fs::rename(&new, &live)?;
            }
            Err(error) => return Err(error.into()),
        }
    } else {
        std::fs::rename(&new, &live)?;
    }
    sync_folder(&staging)?;
    sync_folder(layout.root())
}

/// What is left after the new live folder is in place. Doing it twice is the same as once.
fn finish(layout: &Layout, note: &Note) -> std::io::Result<()> {
    let staging = note.staging(layout);
    if staging.exists() {
        match note.journal {
            JournalStep::Replace => ignore_missing(std::fs::rename(staging.join(JOURNAL), layout.tombstones()))?,
            JournalStep::Remove => ignore_missing(std::fs::remove_file(layout.tombstones()))?,
        }
        if staging.join(CHECKPOINTS).exists() {
            let folder = layout.root().join("audit");
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            std::fs::rename(staging.join(CHECKPOINTS), layout.checkpoints())?;
            sync_folder(&folder)?;
        }
        sync_folder(layout.root())?;
        ignore_missing(std::fs::rename(staging.join(SET_ASIDE), staging.join("live")))?;
        match &note.replaced {
            Some(name) => std::fs::rename(&staging, layout.root().join(name))?,
            None => std::fs::remove_dir_all(&staging)?,
        }
        sync_folder(layout.root())?;
    }
    ignore_missing(std::fs::remove_file(layout.restore_note()))?;
    sync_folder(layout.root())?;
    ignore_missing(std::fs::remove_file(layout.live_dir().join(ID_FILE)))
}

/// The restore that began in this data folder and was interrupted, or is running. `None`: there is none. Changes nothing.
pub fn unfinished(layout: &Layout) -> Option<PathBuf> {
    Some(read_note(layout)?.file)
}

/// Completes or undoes a restore that was interrupted, and removes what it left. Every command calls it before it opens the
/// database. `None`: there was none.
///
/// # Errors
/// [`RestoreError::Running`] when a restore is running; [`RestoreError::Db`].
pub fn recover(layout: &Layout) -> Result<Option<Recovered>, RestoreError> {
    if !has_leftovers(layout) {
        return Ok(None);
    }
    let _lock = lock_folder(layout)?;
    let recovered = recover_locked(layout).map_err(|error| Error::file(layout.root(), error))?;
    Ok(recovered)
}

/// As [`recover`], for a caller that holds the lock of the folder.
pub(super) fn recover_locked(layout: &Layout) -> std::io::Result<Option<Recovered>> {
    let Some(note) = read_note(layout) else {
        remove_staging(layout)?;
        return Ok(None);
    };
    let is_new = |live: &Path| std::fs::read_to_string(live.join(ID_FILE)).is_ok_and(|id| id == note.id);
    let (live, staging) = (layout.live_dir(), note.staging(layout));
    if !live.exists() && is_new(&staging.join("live")) {
        exchange(layout, &note)?;
    }
    let recovered = if is_new(&live) {
        finish(layout, &note)?;
        Recovered::Completed(note.file)
    } else if staging.exists() {
        std::fs::remove_file(layout.restore_note())?;
        sync_folder(layout.root())?;
        Recovered::Undone(note.file)
    } else {
        // Only the removal of the note was left.
        std::fs::remove_file(layout.restore_note())?;
        Recovered::Completed(note.file)
    };
    remove_staging(layout)?;
    Ok(Some(recovered))
}

/// The lock of everything that replaces the live folder: on the data folder itself, so that it leaves no file.
///
/// # Errors
/// [`RestoreError::Running`]; [`RestoreError::Db`].
pub(super) fn lock_folder(layout: &Layout) -> Result<File, RestoreError> {
    let folder = File::open(layout.root()).map_err(|error| Error::file(layout.root(), error))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(std::fs::TryLockError::WouldBlock) => Err(RestoreError::Running(layout.root().to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::file(layout.root(), error).into()),
    }
}

fn has_leftovers(layout: &Layout) -> bool {
    layout.restore_note().exists() || !staging_folders(layout).unwrap_or_default().is_empty()
}

fn staging_folders(layout: &Layout) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(layout.root())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

pub(super) fn remove_staging(layout: &Layout) -> std::io::Result<()> {
    staging_folders(layout)?.into_iter().try_for_each(std::fs::remove_dir_all)
}

fn read_note(layout: &Layout) -> Option<Note> {
    Note::parse(&std::fs::read_to_string(layout.restore_note()).ok()?)
}

fn ignore_missing(outcome: std::io::Result<()>) -> std::io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Syncs a file or a folder.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
