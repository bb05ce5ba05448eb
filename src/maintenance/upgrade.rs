//! Brings the database to the schema of this program.
//!
//! ```text
//! live ── copy ──> before.sqlite ── copy ──> trial.sqlite ── migrate, verify
//!                        └── stamp, sync, rename ──> before-migration-17-22-<day>.sqlite
//! live ── migrate, in one transaction
//! ```
//! The database itself is touched only after the same migrations succeeded on a copy of it. A crash at any moment leaves
//! the old schema or the new one, because the migrations are one transaction. The copy from before is kept for a month
//! ([`db::KEPT_DAYS`]): the previous version can restore it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::UpgradeError;
use super::progress::Progress;
use crate::base::{Clock, Rng};
use crate::db::{self, Error, FileCopy, Layout, MIGRATIONS_COUNT, Site};
use crate::snapshots;

/// Who upgrades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeBy {
    /// The server, which has the lock of the folder, so that no other server runs.
    Server,
    /// A command. A server may run.
    Command,
}

/// Upgrades the live database, unless it has the current schema already. Blocks this thread: about a minute for ten
/// gigabytes, and what the migrations take. Needs free space for two copies of the database and the log of the changes.
///
/// # Errors
/// [`UpgradeError`]; the database has its old schema then, and the previous version of the program opens it.
pub fn upgrade(site: &Arc<Site>, clock: &Clock, rng: &mut Rng, by: UpgradeBy) -> Result<(), UpgradeError> {
    let layout = Layout::new(&site.config.data_dir);
    // No restore replaces the database meanwhile.
    let _users = db::try_share_file(&layout.users_lock())?.ok_or(Error::Restoring)?;
    let _lock = db::lock_file(&layout.upgrade_lock())?;
    // Read again, because another process may have upgraded it in the meantime.
    let from = FileCopy::open_live(&layout, site, clock.now())?.schema_version()?;
    if from == MIGRATIONS_COUNT {
        return Ok(());
    }
    if by == UpgradeBy::Command {
        refuse_beside_a_server(&layout, from)?;
    }
    require_space(&layout)?;
    let trial = Trial::begin(&layout)?;
    let progress = Progress::start();
    let key = site.keyring.database_key_pragma();
    let begins = |number: usize| progress.step(format!("Migration {number} of {MIGRATIONS_COUNT} begins."));

    progress.step(format!("The database has schema {from}; its upgrade is tried on a copy first."));
    db::copy_unopened(&layout.live(), &key, &trial.before())?;
    let failure = |reason| UpgradeError::Trial { from, to: MIGRATIONS_COUNT, reason };
    copy_file(&trial.before(), &trial.file()).map_err(failure)?;
    db::migrate_file_with(&trial.file(), &key, &begins).map_err(failure)?;
    progress.step("The upgraded copy is verified.");
    snapshots::stamp_copy(&trial.file(), site, clock, rng).map_err(failure)?;
    snapshots::verify_file(&trial.file(), site, clock.now()).map_err(UpgradeError::Damaged)?;
    db::copy_stamp(&trial.file(), &trial.before(), &key).map_err(failure)?;
    let act = format!("migration-{from}-{MIGRATIONS_COUNT}");
    let kept = db::kept_copy_path(&layout, &act, clock.now(), ".sqlite");
    rename_durably(&trial.before(), &kept)?;
    tracing::info!(file = %kept.display(), "The database from before the upgrade is kept for {} days.", db::KEPT_DAYS);
    // Gives its space back before the database itself grows.
    drop(trial);

    progress.step("The upgrade succeeded on the copy and is now done on the database.");
    db::migrate_file_with(&layout.live(), &key, &begins).map_err(UpgradeError::Live)?;
    progress.step(format!("The database has schema {MIGRATIONS_COUNT}."));
    Ok(())
}

/// Removes the copies that a killed upgrade left, unless another process upgrades right now. The server calls this when it
/// starts; the next upgrade does it too.
///
/// # Errors
/// [`Error::File`].
pub fn clean_up(layout: &Layout) -> Result<(), Error> {
    match db::try_lock_file(&layout.upgrade_lock())? {
        Some(_lock) => remove_trial(layout),
        None => Ok(()),
    }
}

fn remove_trial(layout: &Layout) -> Result<(), Error> {
    let folder = layout.upgrade_trial();
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&folder, error)),
        _ => Ok(()),
    }
}

/// A server of an earlier version would go on with statements for the old schema.
fn refuse_beside_a_server(layout: &Layout, found: usize) -> Result<(), UpgradeError> {
    // Released at once: a server that starts meanwhile waits for the lock of the upgrade.
    db::try_lock_file(&layout.lock())?.map(drop).ok_or(UpgradeError::ServerRuns { found })
}

/// Requires space for the copy that is kept, the trial, and the log of the changes, which is at most as large as the
/// database, and a tenth more.
fn require_space(layout: &Layout) -> Result<(), UpgradeError> {
    let database = db::database_bytes(layout);
    let needed = database * 3 + database / 10;
    let free = db::free_bytes(layout.root())?;
    if free < needed {
        return Err(UpgradeError::NoSpace { folder: layout.root().display().to_string(), needed, free });
    }
    Ok(())
}

/// The folder of the copies. Dropping it removes it; one that a killed upgrade left is removed by the next upgrade.
struct Trial(PathBuf);

impl Trial {
    fn begin(layout: &Layout) -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        remove_trial(layout)?;
        let folder = layout.upgrade_trial();
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| Error::file(&folder, error))?;
        Ok(Self(folder))
    }

    /// The database as it is.
    fn before(&self) -> PathBuf {
        self.0.join("before.sqlite")
    }

    /// The copy that is migrated.
    fn file(&self) -> PathBuf {
        self.0.join("trial.sqlite")
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "The copies of the upgrade could not be removed.");
        }
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::copy(from, to).map(drop).map_err(|error| Error::file(to, error))
}

fn rename_durably(from: &Path, to: &Path) -> Result<(), Error> {
    let folder = to.parent().unwrap_or(to);
    std::fs::rename(from, to).and_then(|()| File::open(folder)?.sync_all()).map_err(|error| Error::file(to, error))
}
