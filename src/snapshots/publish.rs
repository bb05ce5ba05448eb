//! Publishes a snapshot.
//!
//! ```text
//! live database ── frozen ──> .snapshot-x ── stamp ── three checks ── fsync ── rename ──> domicile.sqlite ── fsync folder
//! ```
//! A program that reads `domicile.sqlite` gets the old file or the new file, never a mixture.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::error::SnapshotError;
use super::model::{Manifest, Stamp};
use super::store;
use super::verify::verify_file;
use crate::app::App;
use crate::audit::{self, Digest};
use crate::base::{Clock, Rng};
use crate::db::{self, Error, Layout, MIGRATIONS_COUNT, Site, Tx};
use crate::journal;

/// The prefix of the file's name before it is published.
const UNFINISHED: &str = ".snapshot-";

/// Copies the database, verifies the copy completely and publishes it. Blocks this thread. Waits while another thread
/// or process publishes.
///
/// # Errors
/// [`SnapshotError::InPlace`]: the new snapshot has replaced the previous one, but its manifest is missing or not
/// durable. Every other [`SnapshotError`]: the previous snapshot stays. No temporary file is left.
pub fn publish(app: &App) -> Result<Manifest, SnapshotError> {
    let layout = app.store().layout();
    let _lock = db::lock_file(&layout.snapshot_lock())?;
    remove_unfinished(layout)?;
    // Read before the copy: a commit during the copy counts as unpublished, whether the copy contains it or not.
    let content = app.store().content();
    let mut rng: Rng = app.store().write_blocking(|tx| Ok::<_, Error>(tx.rng().split()))?;
    let unfinished = layout.root().join(format!("{UNFINISHED}{}", hex::encode(rng.bytes::<8>())));
    let outcome = create(app, &unfinished, &mut rng);
    match &outcome {
        Ok(_) => app.store().record_published(content),
        Err(error) => {
            match error {
                SnapshotError::InPlace(_) => {
                    tracing::error!(%error, "A snapshot was published, but its manifest is missing or not durable.")
                }
                _ => tracing::error!(%error, "No snapshot was published. The previous snapshot is still there."),
            }
            // If a file cannot be removed now, the next run removes it.
            let _ = remove_unfinished(layout);
        }
    }
    outcome
}

/// Like [`publish`], but only if something changed since this process last published. `None`: nothing changed.
///
/// # Errors
/// As [`publish`].
pub fn publish_when_changed(app: &App) -> Result<Option<Manifest>, SnapshotError> {
    if !app.store().has_unpublished() {
        return Ok(None);
    }
    publish(app).map(Some)
}

/// Removes the temporary files of a publisher that was killed. Called at startup; publishing does it too.
///
/// # Errors
/// [`SnapshotError::Db`].
pub fn clean_up(layout: &Layout) -> Result<(), SnapshotError> {
    let _lock = db::lock_file(&layout.snapshot_lock())?;
    Ok(remove_unfinished(layout)?)
}

fn create(app: &App, unfinished: &Path, rng: &mut Rng) -> Result<Manifest, SnapshotError> {
    let layout = app.store().layout();
    require_space(layout)?;
    app.store().copy_to(unfinished, rng, &|| false, write_stamp)?;
    let report = verify_file(unfinished, app.store().site(), app.now())?;
    let sha256 = hash_and_sync(unfinished)?;
    let manifest = Manifest { report, sha256 };
    replace(unfinished, &layout.snapshot())?;
    // The previous snapshot is gone now, and an error must not say that it is still there.
    write_manifest(layout, &manifest_path_of(unfinished), &manifest).map_err(SnapshotError::InPlace)?;
    tracing::info!(
        bytes = manifest.report.bytes,
        audit_seq = manifest.report.stamp.audit_seq,
        "A snapshot was published."
    );
    Ok(manifest)
}

/// Writes the manifest next to the published snapshot and makes both file names durable.
fn write_manifest(layout: &Layout, temporary: &Path, manifest: &Manifest) -> Result<(), Error> {
    write_synced(temporary, &format!("{:#}\n", manifest.to_json()))?;
    replace(temporary, &layout.manifest())?;
    sync_folder(layout.root())
}

/// Writes the stamp into a copy that this program did not publish, and that nobody else uses: the trial of an upgrade.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn stamp_copy(path: &Path, site: &Arc<Site>, clock: &Clock, rng: &mut Rng) -> Result<(), Error> {
    db::change_copy(path, site, clock, rng, write_stamp)
}

/// Writes the stamp into the copy.
fn write_stamp(tx: &mut Tx<'_>) -> Result<(), Error> {
    let (audit_seq, audit_head) = audit::head(tx)?;
    let (major, minor, patch) = db::engine_version();
    let stamp = Stamp {
        made_at: tx.now(),
        schema_version: i64::try_from(MIGRATIONS_COUNT).unwrap_or(i64::MAX),
        engine_version: format!("{major}.{minor}.{patch}"),
        keyring_id: tx.site().keyring.id(),
        audit_seq,
        audit_head,
        tombstone_seq: journal::head(tx)?.seq,
    };
    store::put(tx, &stamp)
}

/// Requires free space for 1.2 times the size of the database (safety 3.2, 4), because a full disk would damage the
/// live database.
fn require_space(layout: &Layout) -> Result<(), SnapshotError> {
    let database = db::database_bytes(layout);
    let needed = database + database / 5;
    let free = db::free_bytes(layout.root())?;
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

fn hash_and_sync(path: &Path) -> Result<Digest, Error> {
    let file_error = |error| Error::file(path, error);
    let mut file = File::options().read(true).write(true).open(path).map_err(file_error)?;
    let mut hash = Sha256::new();
    let mut block = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut block).map_err(file_error)? {
            0 => break,
            read => hash.update(&block[..read]),
        }
    }
    file.sync_all().map_err(file_error)?;
    Ok(hash.finalize().into())
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

fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(path, error))
}
