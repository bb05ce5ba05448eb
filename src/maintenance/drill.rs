//! Restore drills: the newest snapshot is restored and used, in a process and a folder of its own.
//!
//! ```text
//! domicile.sqlite, tombstones.jsonl ── copy ──> drill.unfinished/ ── restore, verify, sign in (rehearsal.rs) ──> removed
//! ```
//! A process of its own, because a restore of a large or damaged file must not take memory or time from the server; it has
//! the lowest priority. It gets the keyring through a pipe, because the file may be readable for root only.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::error::DrillError;
use super::model::Drill;
use super::ops;
use super::rehearsal::{JOURNAL, Rehearsed, SNAPSHOT};
use crate::app::App;
use crate::base::{Actor, Stopwatch};
use crate::db::{self, Error, Layout};
use crate::journal;
use crate::snapshots;
use crate::threads::spawn_blocking;

/// How often the drill looks whether its process has ended.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of the process's messages that are read: its last sentence.
const MESSAGE_MAX: i64 = 4096;

/// Makes a drill with the program at `program`, and records how it ended. `actor`: who asked for it. When the returned
/// future is dropped, the process is ended.
///
/// # Errors
/// [`DrillError`]: no drill was made. One that was made and failed is an `Ok` with `is_good = false`.
pub async fn drill(app: &Arc<App>, program: &Path, actor: Actor) -> Result<Drill, DrillError> {
    let watch = Stopwatch::start();
    let preparing = app.clone();
    let prepared = spawn_blocking(move || Prepared::new(&preparing)).await.map_err(|_| Error::Panicked)?;
    let outcome = match prepared {
        Ok(prepared) => prepared.run(app, program).await,
        // Recorded, because a disk that is too full for a drill is too full for a restore.
        Err(NotPrepared::Space(sentence)) => Err(sentence),
        Err(NotPrepared::Drill(error)) => return Err(error),
    };
    let published = snapshots::read_published(&app.store().layout().snapshot(), app.store().site(), app.now());
    let (is_good, made_at, result) = match outcome {
        Ok(done) => (true, Some(done.made_at), summary(&done)),
        Err(sentence) => (false, published.map(|published| published.stamp.made_at), sentence),
    };
    let finished_at = app.now();
    let made = Drill { finished_at, snapshot_made_at: made_at, is_good, result, duration: watch.elapsed() };
    Ok(app.write(move |tx| ops::record_drill(tx, &actor, made)).await?)
}

fn summary(done: &Rehearsed) -> String {
    format!(
        "The snapshot was restored with {} newer lines of the journal; {} audit events and {} ledger transactions are \
         correct, and a new account signed in.",
        done.applied, done.audit_events, done.ledger_transactions
    )
}

enum NotPrepared {
    /// One sentence.
    Space(String),
    Drill(DrillError),
}

impl From<Error> for NotPrepared {
    fn from(error: Error) -> Self {
        Self::Drill(error.into())
    }
}

/// The folder of a drill with its input. Dropping it removes it.
struct Prepared {
    folder: PathBuf,
    _lock: File,
}

impl Prepared {
    fn new(app: &App) -> Result<Self, NotPrepared> {
        use std::os::unix::fs::DirBuilderExt;
        let layout = app.store().layout();
        let lock = db::try_lock_file(&layout.drill_lock())?.ok_or(NotPrepared::Drill(DrillError::Running))?;
        let snapshot = File::open(layout.snapshot()).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => NotPrepared::Drill(DrillError::NoSnapshot),
            _ => Error::file(&layout.snapshot(), error).into(),
        })?;
        remove(&layout.drill())?;
        require_space(layout, &snapshot)?;
        let file_error = |error| Error::file(&layout.drill(), error);
        std::fs::DirBuilder::new().mode(0o700).create(layout.drill()).map_err(file_error)?;
        let prepared = Self { folder: layout.drill(), _lock: lock };
        // The file that was opened: another one may be published meanwhile. Then the journal, which has to be newer.
        copy(snapshot, &prepared.folder.join(SNAPSHOT))?;
        let _journal = db::lock_file(&layout.tombstones_lock())?;
        match File::open(layout.tombstones()) {
            Ok(journal) => copy(journal, &prepared.folder.join(JOURNAL))?,
            // An earlier release wrote no file before the first line.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && app.query_inline(journal::head)?.seq == 0 => {
                copy(std::io::empty(), &prepared.folder.join(JOURNAL))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&layout.tombstones(), error).into()),
        }
        Ok(prepared)
    }

    /// Runs the rehearsal. `Err`: one sentence that says why it failed.
    async fn run(self, app: &App, program: &Path) -> Result<Rehearsed, String> {
        let (result, messages) = (self.folder.join("result"), self.folder.join("messages"));
        let start = || {
            let mut child = Command::new(program)
                .args(["rehearse-restore", "--region", &app.config().region])
                .arg(&self.folder)
                .stdin(Stdio::piped())
                .stdout(File::create(&result)?)
                .stderr(File::create(&messages)?)
                .spawn()?;
            let pipe = child.stdin.take();
            let running = Running(child);
            // If the process has ended already, its messages say why.
            let _ = pipe.map(|pipe| app.keyring().write_to(pipe));
            Ok::<_, std::io::Error>(running)
        };
        let mut running =
            start().map_err(|error| format!("The process of the drill could not be started: {error}."))?;
        let status = running.end().await.map_err(|error| format!("The process of the drill was lost: {error}."))?;
        if !status.success() {
            return Err(
                last_sentence(&messages).unwrap_or_else(|| format!("The process of the drill ended: {status}."))
            );
        }
        let text = std::fs::read_to_string(&result).unwrap_or_default();
        Rehearsed::parse(&text).ok_or_else(|| "The process of the drill gave no result.".to_owned())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder) {
            tracing::error!(%error, "The restored copy of a drill could not be removed. The next drill tries again.");
        }
    }
}

/// A process that ends with this value.
struct Running(Child);

impl Running {
    async fn end(&mut self) -> std::io::Result<ExitStatus> {
        loop {
            match self.0.try_wait()? {
                Some(status) => return Ok(status),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Space for the copy of the snapshot, the restored database, and the log of its changes.
fn require_space(layout: &Layout, snapshot: &File) -> Result<(), NotPrepared> {
    let bytes = snapshot.metadata().map_err(|error| Error::file(&layout.snapshot(), error))?.len();
    let (needed, free) = (bytes * 3, db::free_bytes(layout.root())?);
    if free >= needed {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let folder = layout.root().display();
    let (needed, free) = (mebibytes(needed), mebibytes(free));
    Err(NotPrepared::Space(format!("It needs {needed} MiB of free space in {folder}, and {free} MiB are free.")))
}

fn copy(mut from: impl Read, to: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let file_error = |error| Error::file(to, error);
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(file_error)?;
    std::io::copy(&mut from, &mut target).map(drop).map_err(file_error)
}

/// Removes the folder of a drill, also one that a killed drill left.
fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(folder, error)),
        _ => Ok(()),
    }
}

/// The last line of the messages of a process, as a sentence. `None`: there is none.
fn last_sentence(messages: &Path) -> Option<String> {
    let mut file = File::open(messages).ok()?;
    let bytes = i64::try_from(file.metadata().ok()?.len()).ok()?;
    file.seek(SeekFrom::End(-bytes.min(MESSAGE_MAX))).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let sentence = line.strip_prefix("domicile: ").unwrap_or(line);
    let mut letters = sentence.chars();
    Some(letters.next()?.to_uppercase().chain(letters).collect())
}
