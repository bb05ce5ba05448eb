//! Publishes a snapshot.
//!
//! ```text
//! live database ── frozen ──> .snapshot-x ── stamp ── checks ── fsync ── rename ──> domicile.sqlite ── fsync folder
//! ```
//! A program that reads `domicile.sqlite` gets the old file or the new file, never a mixture.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::continuation::{continues, read_published};
use super::error::SnapshotError;
use super::model::{Manifest, Stamp};
use super::store;
use super::verify::{Base, Verified, verify_new, verify_whole};
use crate::app::App;
use crate::audit;
use crate::base::{Clock, RequestId, Rng};
use crate::billing::ledger;
use crate::config::Config;
use crate::db::{self, Copied, Error, FileCopy, Layout, MIGRATIONS_COUNT, Site, Tx};
use crate::{journal, privacy};

/// The prefix of the file's name before it is published.
const UNFINISHED: &str = ".snapshot-";
/// The fault of readiness while publishing fails.
const FAULT: &str = "snapshot";
/// The fault of readiness while the published snapshot is too old.
const AGE_FAULT: &str = "snapshot_age";
/// How many intervals the published snapshot may be old, if there are changes since then.
const INTERVALS_MAX: u32 = 3;

/// Copies the database, verifies the copy and publishes it. Blocks this thread. Waits while another thread or process
/// publishes. A failure is reported by the readiness probe until a snapshot is published.
///
/// # Errors
/// [`SnapshotError::InPlace`]: the new snapshot has replaced the previous one, but its manifest is missing or not
/// durable. Every other [`SnapshotError`]: the previous snapshot stays. No temporary file is left.
pub fn publish(app: &App) -> Result<Manifest, SnapshotError> {
    let lock = db::lock_file_unless(&app.store().layout().snapshot_lock(), app.store().interrupt());
    let _lock = lock.map_err(|error| kind_of(app, error.into()))?;
    publish_locked(app)
}

/// Like [`publish`], but only if something changed since this process last published. `None`: nothing changed.
///
/// # Errors
/// As [`publish`].
pub fn publish_when_changed(app: &App) -> Result<Option<Manifest>, SnapshotError> {
    // Lets the writer notice what other processes committed. It commits nothing.
    app.store().write_blocking(|_| Ok::<_, Error>(()))?;
    if !app.store().has_unpublished() {
        return Ok(None);
    }
    let lock = db::lock_file_unless(&app.store().layout().snapshot_lock(), app.store().interrupt());
    let _lock = lock.map_err(|error| kind_of(app, error.into()))?;
    // Another thread may have published meanwhile.
    if app.store().has_unpublished() { publish_locked(app).map(Some) } else { Ok(None) }
}

/// Verifies the live database as a whole: a copy of this moment, so that nobody waits. Publishes the copy if something
/// changed since the last snapshot. Damage is reported by the readiness probe until a later run finds none.
///
/// # Errors
/// As [`publish`].
pub fn verify_live(app: &App) -> Result<(), SnapshotError> {
    // Lets the writer notice what other processes committed.
    app.store().write_blocking(|_| Ok::<_, Error>(()))?;
    let lock = db::lock_file_unless(&app.store().layout().snapshot_lock(), app.store().interrupt());
    let _lock = lock.map_err(|error| kind_of(app, error.into()))?;
    let outcome = with_copy(app, |copy| {
        let verified = verify_whole(&copy.path, app.store().site(), app.now(), app.store().interrupt())?;
        app.store().clear_damage();
        if app.store().has_unpublished() { put_in_place(app, copy, verified).map(drop) } else { Ok(()) }
    });
    match &outcome {
        Ok(()) => {}
        Err(SnapshotError::Damaged(damage)) if damage.is_damage() => app.store().report_damage(damage),
        Err(error) => report(app, error),
    }
    outcome
}

fn publish_locked(app: &App) -> Result<Manifest, SnapshotError> {
    let outcome = with_copy(app, |copy| {
        let (site, interrupt) = (app.store().site(), app.store().interrupt());
        let base = Base::open(&app.store().layout().snapshot(), site, app.now());
        let verified = verify_new(&copy.path, site, app.now(), base.as_ref(), interrupt)?;
        put_in_place(app, copy, verified)
    });
    outcome.inspect_err(|error| report(app, error))
}

/// A stamped copy of the live database that is not verified yet.
struct NewCopy {
    path: PathBuf,
    /// [`db::Store::content`] before the copy: a commit during the copy counts as unpublished, whether the copy contains
    /// it or not.
    content: u64,
    /// Erasures whose people are in no page of it.
    erasures: Vec<RequestId>,
}

/// Makes a copy for `work`, which may publish it. Otherwise it is removed.
fn with_copy<T>(app: &App, work: impl FnOnce(NewCopy) -> Result<T, SnapshotError>) -> Result<T, SnapshotError> {
    let layout = app.store().layout();
    remove_unfinished(layout)?;
    let outcome = make_copy(app).and_then(work).map_err(|error| kind_of(app, error));
    // If a file cannot be removed now, the next run removes it.
    let _ = remove_unfinished(layout);
    outcome
}

fn make_copy(app: &App) -> Result<NewCopy, SnapshotError> {
    let layout = app.store().layout();
    let content = app.store().content();
    let mut rng: Rng = app.store().write_blocking(|tx| Ok::<_, Error>(tx.rng().split()))?;
    let path = layout.root().join(format!("{UNFINISHED}{}", hex::encode(rng.bytes::<8>())));
    require_space(layout)?;
    let mut erasures: Vec<RequestId> = Vec::new();
    app.store().copy_to(&path, &mut rng, |tx, copied| {
        erasures = privacy::erasures_without_trace(tx)?;
        write_stamp(tx, Some(copied))
    })?;
    require_continuation(app, &path)?;
    Ok(NewCopy { path, content, erasures })
}

/// Publishes a verified copy.
fn put_in_place(app: &App, copy: NewCopy, verified: Verified) -> Result<Manifest, SnapshotError> {
    let layout = app.store().layout();
    sync(&copy.path)?;
    let manifest = Manifest { report: verified.report, sha256: verified.sha256 };
    replace(&copy.path, &layout.snapshot())?;
    // The previous snapshot is gone now, and an error must not say that it is still there.
    write_manifest(layout, &manifest_path_of(&copy.path), &manifest).map_err(SnapshotError::InPlace)?;
    tracing::info!(
        bytes = manifest.report.bytes,
        audit_seq = manifest.report.stamp.audit_seq,
        "A snapshot was published."
    );
    if let Err(error) = privacy::flows::finish_after_snapshot(app, copy.erasures) {
        tracing::warn!(%error, "Receipts of erasures could not be made final. The next snapshot tries again.");
    }
    app.store().record_published(copy.content);
    app.metrics().snapshots[0].fetch_add(1, Ordering::Relaxed);
    if app.readiness().clear_fault(FAULT) {
        tracing::info!("Snapshots are published again.");
    }
    app.readiness().clear_fault(AGE_FAULT);
    Ok(manifest)
}

/// Tells the operator that publishing failed, in the log only if it did not fail before for the same reason.
fn report(app: &App, error: &SnapshotError) {
    let reason = error.reason(app.store().layout());
    match error {
        SnapshotError::Interrupted => return,
        _ if app.readiness().set_fault(FAULT, &reason) => tracing::error!(%error, "{reason}"),
        _ => tracing::debug!(%error, "Publishing fails as before."),
    }
    app.metrics().snapshots[1].fetch_add(1, Ordering::Relaxed);
}

/// The kind of an error that SQLite or the store reported in general terms.
fn kind_of(app: &App, error: SnapshotError) -> SnapshotError {
    precise(error, app.store().interrupt().is_set())
}

fn precise(error: SnapshotError, is_interrupted: bool) -> SnapshotError {
    match error {
        SnapshotError::InPlace(_) => error,
        _ if is_interrupted => SnapshotError::Interrupted,
        SnapshotError::Db(Error::Busy) => SnapshotError::InUse,
        error => error,
    }
}

/// How old the published snapshot may be, if there are changes since then.
pub fn age_max(config: &Config) -> Duration {
    config.snapshot.interval.saturating_mul(INTERVALS_MAX)
}

/// Reports when the published snapshot is too old although there are changes: then no run of the schedule ended.
pub fn check_age(app: &App) {
    let oldest = app.now().minus(age_max(app.config()));
    let published_at = app.store().published_at();
    if !app.store().has_unpublished() || published_at >= oldest {
        app.readiness().clear_fault(AGE_FAULT);
        return;
    }
    let reason = format!(
        "No snapshot was published since {}, although there are changes. Run `domicile snapshot now`.",
        published_at.day_and_time()
    );
    if app.readiness().set_fault(AGE_FAULT, &reason) {
        tracing::error!("{reason}");
    }
}

/// Removes the temporary files of a publisher that was killed, unless another one works right now. Called at startup;
/// publishing does it too.
///
/// # Errors
/// [`SnapshotError::Db`].
pub fn clean_up(layout: &Layout) -> Result<(), SnapshotError> {
    // A start must not wait for a publisher of another process, which may take minutes.
    match db::try_lock_file(&layout.snapshot_lock())? {
        Some(_lock) => Ok(remove_unfinished(layout)?),
        None => Ok(()),
    }
}

/// Requires that the copy contains everything that the published snapshot contains (see [`continues`]).
fn require_continuation(app: &App, copy: &Path) -> Result<(), SnapshotError> {
    let Some(published) = read_published(&app.store().layout().snapshot(), app.store().site(), app.now()) else {
        return Ok(());
    };
    let copy = FileCopy::open(copy, app.store().site(), app.now())?;
    if continues(&copy.view(), &published.head)? { Ok(()) } else { Err(SnapshotError::NoContinuation) }
}

/// Writes the manifest next to the published snapshot and makes both file names durable.
fn write_manifest(layout: &Layout, temporary: &Path, manifest: &Manifest) -> Result<(), Error> {
    write_synced(temporary, &format!("{:#}\n", manifest.to_json()))?;
    replace(temporary, &layout.manifest())?;
    sync(layout.root())
}

/// Writes the stamp into a copy that this program did not publish, and that nobody else uses: the trial of an upgrade.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn stamp_copy(path: &Path, site: &Arc<Site>, clock: &Clock, rng: &mut Rng) -> Result<(), Error> {
    db::change_copy(path, site, clock, rng, |tx| write_stamp(tx, None))
}

/// Writes the stamp into the copy. `copied`: `None` for a copy that is not a published snapshot; its stamp has no digest
/// and no `ledger_seq`.
fn write_stamp(tx: &mut Tx<'_>, copied: Option<Copied>) -> Result<(), Error> {
    let (audit_seq, audit_head) = audit::head(tx)?;
    let (major, minor, patch) = db::engine_version();
    let stamp = Stamp {
        made_at: copied.map_or(tx.now(), |copied| copied.at),
        schema_version: i64::try_from(MIGRATIONS_COUNT).unwrap_or(i64::MAX),
        engine_version: format!("{major}.{minor}.{patch}"),
        keyring_id: tx.site().keyring.id(),
        audit_seq,
        audit_head,
        tombstone_seq: journal::head(tx)?.seq,
        ledger_seq: copied.map_or(Ok(0), |_| ledger::last_transaction(tx))?,
        codes_digest: copied.map(|copied| copied.codes),
    };
    store::put(tx, &stamp)
}

/// Requires free space for 1.2 times the size of the database (safety 3.2, 4), because a full disk would damage the
/// live database.
fn require_space(layout: &Layout) -> Result<(), SnapshotError> {
    check_space(db::database_bytes(layout), db::free_bytes(layout.root())?)
}

fn check_space(database: u64, free: u64) -> Result<(), SnapshotError> {
    let needed = database + database / 5;
    if free < needed { Err(SnapshotError::NoSpace { needed, free }) } else { Ok(()) }
}

fn remove_unfinished(layout: &Layout) -> Result<(), Error> {
    let file_error = |error| Error::file(layout.root(), error);
    for entry in std::fs::read_dir(layout.root()).map_err(file_error)? {
        let entry = entry.map_err(file_error)?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path()).map_err(|error| Error::file(&entry.path(), error))?;
        }
    }
    Ok(())
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::file(path, error))
}

fn manifest_path_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn write_synced(path: &Path, text: &str) -> Result<(), Error> {
    let file_error = |error| Error::file(path, error);
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(path).map_err(file_error)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)
}

fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(|error| Error::file(to, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_needs_a_fifth_more_than_the_database() {
        assert!(check_space(1_000, 1_200).is_ok() && check_space(1_000, 1_201).is_ok());
        let refused = check_space(1_000, 1_199).unwrap_err();
        assert!(matches!(refused, SnapshotError::NoSpace { needed: 1_200, free: 1_199 }), "{refused}");
    }

    #[test]
    fn an_error_is_as_precise_as_what_is_known() {
        let in_place = || SnapshotError::InPlace(Error::Busy);
        for is_interrupted in [false, true] {
            assert!(matches!(precise(in_place(), is_interrupted), SnapshotError::InPlace(_)));
        }
        assert!(matches!(precise(SnapshotError::Db(Error::Busy), false), SnapshotError::InUse));
        assert!(matches!(precise(SnapshotError::Db(Error::Busy), true), SnapshotError::Interrupted));
        assert!(matches!(precise(SnapshotError::NoContinuation, false), SnapshotError::NoContinuation));
    }
}
