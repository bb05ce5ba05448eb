//! Reads that combine several modules.

use super::model::{Overview, SnapshotState};
use crate::db::{Error, Layout, View};
use crate::{accounts, journal, maintenance, services, sessions, snapshots};

/// How the appliance is doing. It opens the published snapshot, so call it on a blocking thread.
///
/// # Errors
/// [`Error`].
// No permission: the routes of the console let operators in, and it shows nothing of a person.
pub fn read_overview(view: &View<'_>) -> Result<Overview, Error> {
    let layout = Layout::new(&view.site().config.data_dir);
    let published = snapshots::read_published(&layout.snapshot(), view.site(), view.now());
    Ok(Overview {
        snapshot: published.map_or(SnapshotState::Missing, |found| SnapshotState::Published(found.stamp.made_at)),
        drills: maintenance::drill_state(view)?,
        escrow: maintenance::escrow(view)?,
        reminder: maintenance::escrow_reminder(view)?,
        journal_lines: journal::head(view)?.seq,
        accounts: accounts::count(view)?,
        sessions: sessions::count_live(view)?,
        services: services::list(view)?.len(),
    })
}
