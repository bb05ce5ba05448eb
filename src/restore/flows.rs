//! The restore: verify everything, build the new data beside the old one, and put it in place in one step.

use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RestoreError;
use super::journal::{self, Chosen};
use super::model::{Backup, Checkpoints, Options, Restored, Source, Stage};
use super::ops::{self, Completed, Known, Plan};
use super::swap::{self, JournalStep, Note};
use crate::audit::{self, AuditError, CheckpointFile, KnownHead};
use crate::base::{Clock, Rng, Timestamp, days};
use crate::db::{self, Error, FileCopy, Layout, Site};
use crate::journal::Head;
use crate::snapshots::{self, Damage, Report};

/// Makes the data folder of the settings from a backup. Blocks this thread. `progress` is called when a stage begins.
///
/// Everything is verified and written beside the data that is there; one exchange of folders at the end makes it live. A
/// restore that is killed leaves the old data or the new data, and the next command says which ([`swap::recover`]).
///
/// # Errors
/// [`RestoreError`]; the old data is in place then.
pub fn restore(
    site: &Arc<Site>,
    backup: &Backup<'_>,
    options: Options,
    clock: &Clock,
    rng: &mut Rng,
    progress: &dyn Fn(Stage),
) -> Result<Restored, RestoreError> {
    let (layout, snapshot) = (Layout::new(&site.config.data_dir), backup.snapshot);
    create_folder(layout.root())?;
    let _folder = swap::lock_folder(&layout)?;
    swap::recover_locked(&layout).map_err(|error| Error::file(layout.root(), error))?;
    let _users = lock_users(&layout)?;
    let replaces = refuse_existing(&layout, snapshot, options)?;
    let now = clock.now();
    let id = hex::encode(rng.bytes::<8>());
    let built = build(&layout, &id, site, backup, options, (clock, rng, progress));
    let (built, journal) = match built {
        Ok(built) => built,
        Err(error) => {
            // The next command removes what cannot be removed now. The first error is the one to tell.
            let _ = swap::remove_staging(&layout);
            return Err(error);
        }
    };
    let has_aside = link_replaced(&layout, &id)? || replaces;
    let replaced = has_aside.then(|| db::kept_copy_path(&layout, "restore", now, ""));
    let note = Note {
        id,
        file: snapshot.path.clone(),
        replaced: replaced.as_ref().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        journal,
    };
    progress(Stage::PuttingInPlace);
    swap::put_in_place(&layout, &note)?;
    Ok(Restored { replaced: replaced.map(|path| (path, now.plus(days(db::KEPT_DAYS)))), ..built })
}

/// Builds the new live folder in the staging folder, and the journal beside it. Changes nothing else.
fn build(
    layout: &Layout,
    id: &str,
    site: &Arc<Site>,
    backup: &Backup<'_>,
    options: Options,
    (clock, rng, progress): (&Clock, &mut Rng, &dyn Fn(Stage)),
) -> Result<(Restored, JournalStep), RestoreError> {
    let (snapshot, journal) = (backup.snapshot, backup.journal);
    let staging = swap::staging_path(layout, id);
    let staged = Layout::new(&staging);
    create_folder(&staged.live_dir())?;
    copy_snapshot(layout, snapshot, &staged.live(), progress)?;
    let (report, head) = verify_and_migrate(&staged.live(), snapshot, site, clock.now(), progress)?;
    progress(Stage::ReadingJournal(journal_bytes(layout, journal.0)));
    let chosen = journal::choose(journal, &layout.tombstones(), head, &site.keyring, options)?;
    let newer = chosen.journal.as_ref().map_or(&[][..], |journal| journal.after(head.seq));
    progress(Stage::Replaying(newer.len()));
    let checkpoints = stage_checkpoints(layout, &staging, backup.checkpoints, site)?;
    let plan = Plan {
        report: &report,
        known: find_known(layout, site, &report, clock.now()),
        other_epoch: checkpoints.epoch.max(chosen.journal.as_ref().and_then(journal::Journal::last_epoch)).unwrap_or(1),
        newer,
        has_accepted_missing_journal: chosen.is_accepted,
    };
    let completed = db::make_file(&staged.live(), site, clock, rng, |tx| ops::complete(tx, &plan))?;
    let Completed { epoch, entry, replayed, sessions_ended } = completed;
    for lock in staged.lock_files() {
        create_file(&lock)?;
    }
    db::record_owner(&staged)?;
    let step = stage_journal(&staging, &chosen, &crate::journal::line(&entry, &site.keyring))?;
    Ok((Restored { report, epoch, replayed, sessions_ended, checkpoints, replaced: None }, step))
}

/// Nobody may have the database open, and no server may start before the restore has ended.
fn lock_users(layout: &Layout) -> Result<Vec<File>, RestoreError> {
    if !layout.live_dir().exists() {
        return Ok(Vec::new());
    }
    let lock = |path: PathBuf| db::try_lock_file(&path)?.ok_or_else(|| RestoreError::InUse(layout.root().to_owned()));
    [layout.lock(), layout.users_lock()].into_iter().map(lock).collect()
}

/// Answers whether there is a live database, which is replaced.
fn refuse_existing(layout: &Layout, snapshot: &Source, options: Options) -> Result<bool, RestoreError> {
    let has_live = layout.live().exists();
    let is_restored = std::fs::canonicalize(layout.snapshot()).ok() == std::fs::canonicalize(&snapshot.path).ok();
    let has_other_snapshot = layout.snapshot().exists() && !is_restored;
    if (has_live || has_other_snapshot) && !options.replace {
        return Err(RestoreError::Exists(layout.root().to_owned()));
    }
    Ok(has_live)
}

/// Copies the snapshot, so that what is verified is what is used, whatever happens to the file meanwhile.
fn copy_snapshot(layout: &Layout, snapshot: &Source, to: &Path, progress: &dyn Fn(Stage)) -> Result<(), RestoreError> {
    let unreadable =
        |error| RestoreError::Snapshot { path: snapshot.path.clone(), damage: Box::new(Damage::Unreadable(error)) };
    let metadata = snapshot.file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(RestoreError::Snapshot { path: snapshot.path.clone(), damage: Box::new(Damage::NotADatabase) });
    }
    let needed = metadata.len() + metadata.len() / 5;
    let disk = nix::sys::statvfs::statvfs(layout.root())
        .map_err(|error| Error::file(layout.root(), std::io::Error::from(error)))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < needed {
        return Err(RestoreError::NoSpace { needed, free });
    }
    progress(Stage::Copying(metadata.len()));
    let mut copy = create_file(to)?;
    std::io::copy(&mut &snapshot.file, &mut copy).map_err(|error| Error::file(to, error))?;
    copy.sync_all().map_err(|error| Error::file(to, error))?;
    Ok(())
}

/// Verifies the copy as a whole, and that it may be used with these settings; then brings it to the schema of this program.
/// Answers how far it knows the journal.
fn verify_and_migrate(
    copy: &Path,
    snapshot: &Source,
    site: &Arc<Site>,
    now: Timestamp,
    progress: &dyn Fn(Stage),
) -> Result<(Report, Head), RestoreError> {
    progress(Stage::Verifying(std::fs::metadata(copy).map_or(0, |metadata| metadata.len())));
    let damaged = |damage| RestoreError::Snapshot { path: snapshot.path.clone(), damage: Box::new(damage) };
    let report = snapshots::verify_file(copy, site, now).map_err(damaged)?;
    if report.region != site.config.region {
        let (stamped, configured) = (report.region, site.config.region.clone());
        return Err(RestoreError::OtherRegion { stamped, configured });
    }
    let schema = usize::try_from(report.stamp.schema_version).unwrap_or(db::MIGRATIONS_COUNT);
    if schema < db::MIGRATIONS_COUNT {
        progress(Stage::Migrating(schema, db::MIGRATIONS_COUNT));
    }
    db::migrate_file(copy, &site.keyring.database_key_pragma())?;
    let file = FileCopy::open(copy, site, now)?;
    file.prepare()?;
    let head = crate::journal::head(&file.view())?;
    Ok((report, head))
}

/// Bytes of the given journal and of the one in the data folder.
fn journal_bytes(layout: &Layout, given: Option<&Source>) -> u64 {
    let own = std::fs::metadata(layout.tombstones()).ok();
    let given = given.and_then(|source| source.file.metadata().ok());
    own.into_iter().chain(given).map(|metadata| metadata.len()).sum()
}

/// The last audit event and epoch that are known in the data folder: of the live database, or of its snapshot. `None`:
/// neither can be read, or both belong to another appliance.
fn find_known(layout: &Layout, site: &Arc<Site>, report: &Report, now: Timestamp) -> Option<Known> {
    let of_live = || {
        let copy = FileCopy::open_live(layout, site, now).ok()?;
        let stamp = db::find_stamp(&copy.view()).ok()??;
        let (seq, head) = audit::head(&copy.view()).ok()?;
        let known = Known { head: KnownHead { seq, head }, epoch: audit::epoch_number(&copy.view()).ok()? };
        (stamp.site_id == report.site_id).then_some(known)
    };
    let of_snapshot = || {
        let published = snapshots::read_published(&layout.snapshot(), site, now)?;
        let (seq, head) = published.head.audit;
        let known = Known { head: KnownHead { seq, head }, epoch: published.head.epoch };
        (published.head.site_id == report.site_id).then_some(known)
    };
    let live = if layout.live().exists() { of_live() } else { None };
    live.into_iter().chain(of_snapshot()).max_by_key(|known| (known.epoch, known.head.seq))
}

/// Writes the journal of the new data beside it, with the line of the restore. A journal that may lack lines is not used as a file: the next start writes
/// one from the database, which has all lines that count.
fn stage_journal(staging: &Path, chosen: &Chosen, line: &str) -> Result<JournalStep, RestoreError> {
    let Some(journal) = chosen.journal.as_ref().filter(|_| !chosen.is_accepted) else { return Ok(JournalStep::Remove) };
    let path = staging.join(swap::JOURNAL);
    let mut from = &journal.file;
    from.rewind().map_err(|error| Error::file(&journal.path, error))?;
    let mut copy = create_file(&path)?;
    // Without an incomplete line at its end.
    std::io::copy(&mut from.take(journal.end_offset), &mut copy)
        .and_then(|_| copy.write_all(line.as_bytes()))
        .and_then(|()| copy.sync_all())
        .map_err(|error| Error::file(&path, error))?;
    Ok(JournalStep::Replace)
}

/// Writes the file of all checkpoints of the new data beside it: those of the backup, then what only the data folder has. One
/// that is of another appliance, or is none, is told and not used: it must not stop a restore.
fn stage_checkpoints(
    layout: &Layout,
    staging: &Path,
    given: Option<&Source>,
    site: &Site,
) -> Result<Checkpoints, RestoreError> {
    let own = match Source::open(&layout.checkpoints()) {
        Ok(source) => Some(source),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::file(&layout.checkpoints(), error).into()),
    };
    if given.is_none() && own.is_none() {
        return Ok(Checkpoints::default());
    }
    let key = site.keyring.checkpoint_key().verifying_key();
    let mut told = Checkpoints::default();
    let mut read = |source: Option<&Source>| {
        let Some(source) = source else { return Ok(None) };
        let file = source.file.try_clone().map_err(|error| Error::file(&source.path, error))?;
        match CheckpointFile::open(&source.path, file, &key) {
            Ok(file) => {
                told.events = told.events.max(file.as_ref().map(CheckpointFile::events));
                told.epoch = told.epoch.max(file.as_ref().map(CheckpointFile::epoch));
                Ok(file)
            }
            Err(AuditError::Note(fault)) => {
                told.refused.push((source.path.clone(), fault));
                Ok(None)
            }
            Err(AuditError::Db(error)) => Err(error),
            Err(other) => Err(Error::Damaged(other.to_string())),
        }
    };
    let (given, own) = (read(given)?, read(own.as_ref())?);
    let path = staging.join(swap::CHECKPOINTS);
    let mut file = create_file(&path)?;
    audit::merge_checkpoints(given, own, &mut file).map_err(|error| Error::file(&path, error))?;
    Ok(told)
}

/// Keeps the published files that the new data will replace. They stay in their places until then. Answers whether there
/// were any.
fn link_replaced(layout: &Layout, id: &str) -> Result<bool, RestoreError> {
    let staging = swap::staging_path(layout, id);
    let mut has_any = false;
    for path in [layout.snapshot(), layout.manifest(), layout.tombstones(), layout.checkpoints()] {
        let Some(name) = path.file_name().filter(|_| path.exists()) else { continue };
        std::fs::hard_link(&path, staging.join(name)).map_err(|error| Error::file(&path, error))?;
        has_any = true;
    }
    Ok(has_any)
}

fn create_file(path: &Path) -> Result<File, Error> {
    let options = File::options().create_new(true).read(true).write(true).mode(0o600).open(path);
    options.map_err(|error| Error::file(path, error))
}

fn create_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| Error::file(path, error))
}
