//! Makes the published file.
//!
//! ```text
//! live database ── one step ──> .snapshot-x ── stamp ── three checks ── fsync ── rename ──> domicile.sqlite ── fsync folder
//! ```
//! Whoever reads `domicile.sqlite` at any moment has the old file or the new one, never something between.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::SnapshotError;
use super::model::{Manifest, Stamp};
use super::store;
use super::verify::verify_file;
use crate::app::App;
use crate::audit::{self, Digest};
use crate::base::Rng;
use crate::db::{self, Error, Layout, MIGRATIONS_COUNT, Tx};
use crate::privacy;

/// How the file is called before it is published.
const UNFINISHED: &str = ".snapshot-";

/// Publishes a snapshot of what the database holds now, after checking it whole. Blocks this thread; waits for another
/// publisher, also of another process.
///
/// # Errors
/// [`SnapshotError::InPlace`]: the new snapshot has replaced the one before, and what belongs to it is missing. Every other
/// [`SnapshotError`]: the snapshot before stays. Nothing unfinished is left.
pub fn publish(app: &App) -> Result<Manifest, SnapshotError> {
    let layout = app.store().layout();
    let _alone = db::lock_file(&layout.snapshot_lock())?;
    remove_unfinished(layout)?;
    // Taken before the copy: what is committed meanwhile is published the next time, whether the copy has it or not.
    let content = app.store().content();
    let mut rng: Rng = app.store().write_blocking(|tx| Ok::<_, Error>(tx.rng().split()))?;
    let unfinished = layout.root().join(format!("{UNFINISHED}{}", hex::encode(rng.bytes::<8>())));
    let outcome = make(app, &unfinished, &mut rng);
    match &outcome {
        Ok(_) => app.store().note_published(content),
        Err(error) => {
            match error {
                SnapshotError::InPlace(_) => tracing::error!(%error, "A snapshot was published, but not to its end."),
                _ => tracing::error!(%error, "No snapshot was published; the one before is still there."),
            }
            // What cannot be removed now is removed before the next one.
            let _ = remove_unfinished(layout);
        }
    }
    outcome
}

/// As [`publish`], unless nothing changed since this process published last. `None`: nothing changed.
///
/// # Errors
/// As [`publish`].
pub fn publish_when_changed(app: &App) -> Result<Option<Manifest>, SnapshotError> {
    if !app.store().has_unpublished() {
        return Ok(None);
    }
    publish(app).map(Some)
}

/// Removes what a publisher that was killed left behind. For the start; publishing does it too.
///
/// # Errors
/// [`SnapshotError::Db`].
pub fn clean_up(layout: &Layout) -> Result<(), SnapshotError> {
    let _alone = db::lock_file(&layout.snapshot_lock())?;
    Ok(remove_unfinished(layout)?)
}

fn make(app: &App, unfinished: &Path, rng: &mut Rng) -> Result<Manifest, SnapshotError> {
    let layout = app.store().layout();
    require_space(layout)?;
    app.store().copy_to(unfinished, rng, describe)?;
    let report = verify_file(unfinished, app.store().site(), app.now())?;
    let sha256 = hash_and_sync(unfinished)?;
    let manifest = Manifest { report, sha256 };
    replace(unfinished, &layout.snapshot())?;
    // From here on the snapshot before is gone, and an error must not say otherwise.
    settle(layout, &with_json(unfinished), &manifest).map_err(SnapshotError::InPlace)?;
    tracing::info!(
        bytes = manifest.report.bytes,
        audit_seq = manifest.report.stamp.audit_seq,
        "A snapshot was published."
    );
    Ok(manifest)
}

/// Puts the manifest beside the snapshot that is in place, and makes both names durable.
fn settle(layout: &Layout, beside: &Path, manifest: &Manifest) -> Result<(), Error> {
    write_synced(beside, &format!("{:#}\n", manifest.to_json()))?;
    replace(beside, &layout.manifest())?;
    sync_folder(layout.root())
}

/// What the copy says of itself, written into the copy.
fn describe(tx: &mut Tx<'_>) -> Result<(), Error> {
    let (audit_seq, audit_head) = audit::head(tx)?;
    let (major, minor, patch) = db::engine_version();
    let stamp = Stamp {
        made_at: tx.now(),
        schema_version: i64::try_from(MIGRATIONS_COUNT).unwrap_or(i64::MAX),
        engine_version: format!("{major}.{minor}.{patch}"),
        keyring_id: tx.site().keyring.id(),
        audit_seq,
        audit_head,
        tombstone_seq: privacy::last_tombstone(tx)?,
    };
    store::insert(tx, &stamp)
}

/// A copy and a fifth of it must fit beside what is there (safety 3.2, 4): a full disk would hurt the live database.
fn require_space(layout: &Layout) -> Result<(), SnapshotError> {
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |about| about.len());
    let mut log = layout.live().into_os_string();
    log.push("-wal");
    let database = size(layout.live()) + size(log.into());
    let needed = database + database / 5;
    let disk = nix::sys::statvfs::statvfs(layout.root())
        .map_err(|error| Error::file(layout.root(), std::io::Error::from(error)))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < needed { Err(SnapshotError::NoSpace { needed, free }) } else { Ok(()) }
}

fn remove_unfinished(layout: &Layout) -> Result<(), Error> {
    let told = |error| Error::file(layout.root(), error);
    for entry in std::fs::read_dir(layout.root()).map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path()).map_err(|error| Error::file(&entry.path(), error))?;
        }
    }
    Ok(())
}

fn hash_and_sync(path: &Path) -> Result<Digest, Error> {
    let told = |error| Error::file(path, error);
    let mut file = File::options().read(true).write(true).open(path).map_err(told)?;
    let mut hash = Sha256::new();
    let mut block = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut block).map_err(told)? {
            0 => break,
            read => hash.update(&block[..read]),
        }
    }
    file.sync_all().map_err(told)?;
    Ok(hash.finalize().into())
}

fn with_json(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn write_synced(path: &Path, text: &str) -> Result<(), Error> {
    let told = |error| Error::file(path, error);
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(path).map_err(told)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)
}

fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(|error| Error::file(to, error))
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(path, error))
}
