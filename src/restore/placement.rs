//! Notices a live database that somebody put in its place by hand, before it is opened.
//!
//! A published snapshot is recognised by its stamp, which the live database does not have; another copy by the file
//! `owner` beside it. Such a file may be torn, older than the journal, or be read together with the write-ahead log of
//! another database.

use std::path::Path;
use std::sync::Arc;

use super::error::RestoreError;
use crate::audit;
use crate::base::Timestamp;
use crate::db::{self, Error, FileCopy, Layout, Ownership, Site};
use crate::snapshots::{self, Damage};

/// Checks that the live database is the one that this appliance made, and that it lacks nothing that the published
/// snapshot has or that it had itself. Changes nothing. Another process may have the database open.
///
/// # Errors
/// [`RestoreError::Running`], [`RestoreError::OnlySnapshot`], [`RestoreError::PutBack`], [`RestoreError::StaleLog`],
/// [`RestoreError::Damaged`], [`RestoreError::Db`].
pub fn check_placement(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Result<(), RestoreError> {
    let live = layout.live();
    if !live.exists() {
        let snapshot = layout.snapshot();
        return if snapshot.exists() { Err(RestoreError::OnlySnapshot(snapshot)) } else { Ok(()) };
    }
    let Some(main) = open_main(&live, site, now) else { return check_readable(layout, site, now) };
    if has_stale_log(layout, site, now) {
        let log = layout.log();
        return Err(RestoreError::StaleLog { live, log });
    }
    let is_foreign = db::ownership(layout)? == Ownership::Foreign;
    if is_foreign || is_put_back(&main) || !continues_known(layout, site, now) {
        let restore = [layout.snapshot(), live.clone()].into_iter().find(|file| is_restorable(file, site, now));
        let newer_events = newer_events(layout, site, now);
        return Err(RestoreError::PutBack { live, newer_events, restore });
    }
    check_readable(layout, site, now)
}

/// Reads a little of the database, in some milliseconds at any size; see [`FileCopy::sample`]. The rest is verified while
/// the server runs.
fn check_readable(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Result<(), RestoreError> {
    let live = layout.live();
    let damaged = |damage| {
        let (live, damage, command) = (live.clone(), Box::new(damage), layout.restore_command());
        RestoreError::Damaged { live, damage, command }
    };
    // `init` leaves no empty file, and without a snapshot there is nothing to restore.
    let bytes = live.metadata().map_or(0, |metadata| metadata.len());
    if bytes == 0 && !layout.has_log() && layout.snapshot().exists() {
        return Err(damaged(Damage::Empty));
    }
    // SQLite fills a page that was cut with zeros, and notices when it reads that page.
    let ends_with_page = bytes.is_multiple_of(db::PAGE_BYTES) || layout.has_log();
    let sampled = FileCopy::open_live(layout, site, now).and_then(|copy| copy.sample());
    if ends_with_page && !sampled.is_err_and(|error| error.is_damage()) {
        return Ok(());
    }
    // Otherwise it is reported when it is opened.
    snapshots::find_live_damage(layout, site, now).map_or(Ok(()), |damage| Err(damaged(damage)))
}

/// Records that the live database is the one of this appliance, if a release without this record made it. Called after
/// the database was opened.
///
/// # Errors
/// [`RestoreError::Db`].
pub fn claim(layout: &Layout) -> Result<(), RestoreError> {
    if db::ownership(layout)? == Ownership::Unknown {
        db::record_owner(layout)?;
    }
    Ok(())
}

/// The main file alone, as if there were no write-ahead log. `None`: it cannot be read, or `init` did not finish it.
fn open_main(live: &Path, site: &Arc<Site>, now: Timestamp) -> Option<FileCopy> {
    let copy = FileCopy::open(live, site, now).ok()?;
    copy.prepare().ok()?;
    db::find_stamp(&copy.view()).ok()??;
    Some(copy)
}

/// How often a log is read before it is taken for that of another database.
const LOG_READS: usize = 5;

/// Whether the write-ahead log is what makes the database unreadable, because the main file can be read without it. A read that
/// begins while the server writes the index of the log can fail once (SQLITE_READONLY_RECOVERY of a connection that only reads);
/// the log of another database fails each time.
fn has_stale_log(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> bool {
    let read = || FileCopy::open_live(layout, site, now).and_then(|copy| audit::head(&copy.view()));
    let fails = |_| read().is_err_and(|error| error.is_fatal() || matches!(error, Error::KeyDoesNotOpen(_)));
    layout.has_log() && (0..LOG_READS).all(fails)
}

/// Whether the file is a snapshot as it was published. One that an earlier release served after somebody put it back has
/// newer events, and is the live database by now.
fn is_put_back(main: &FileCopy) -> bool {
    let view = main.view();
    let Ok(Some(stamp)) = snapshots::find_stamp(&view) else { return false };
    audit::head(&view).is_ok_and(|(last, _)| last == stamp.audit_seq)
}

/// Whether the database has everything that the published snapshot has, and everything that it had itself. What cannot be
/// read proves nothing.
fn continues_known(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> bool {
    let published = snapshots::read_published(&layout.snapshot(), site, now).map(|published| published.head);
    let known: Vec<_> = published.into_iter().chain(snapshots::read_noted(layout)).collect();
    if known.is_empty() {
        return true;
    }
    let Ok(live) = FileCopy::open_live(layout, site, now) else { return true };
    let view = live.view();
    let Ok(Some(own)) = db::find_stamp(&view) else { return true };
    let mut of_this_site = known.iter().filter(|head| head.site_id == own.site_id);
    of_this_site.all(|head| snapshots::continues(&view, head).unwrap_or(true))
}

/// How many events the live database has after those of the published snapshot, if it can be read.
fn newer_events(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> i64 {
    let Some(published) = snapshots::read_published(&layout.snapshot(), site, now) else { return 0 };
    let last = FileCopy::open_live(layout, site, now).and_then(|live| audit::head(&live.view()));
    last.map_or(0, |(last, _)| (last - published.stamp.audit_seq).max(0))
}

fn is_restorable(file: &Path, site: &Arc<Site>, now: Timestamp) -> bool {
    snapshots::read_published(file, site, now).is_some()
}
