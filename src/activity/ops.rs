//! Reads the activity of a person.

use super::model::{Activity, ActivityFilter, ActivityPage};
use crate::audit::{self, Filter};
use crate::base::{AccountId, Cursor, PAGE_SIZE_MAX, WorkspaceId};
use crate::db::{Error, View};

/// Events of a download at most.
pub const DOWNLOAD_MAX: usize = 10_000;
/// Events that one search reads at most: names are sealed, so each event is opened and compared.
const READ_MAX: usize = 5_000;

/// The events that the person caused, the events about their account and those of their workspace, newest first and in
/// words. What only operators may see is left out.
///
/// # Errors
/// [`Error`].
pub fn list(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
    filter: &ActivityFilter,
) -> Result<ActivityPage, Error> {
    let words: Vec<String> = filter.search.split_whitespace().map(str::to_lowercase).collect();
    let limit = filter.limit.clamp(1, DOWNLOAD_MAX);
    let (mut found, mut before, mut read) = (ActivityPage::default(), filter.before, 0);
    loop {
        // Without a search, no more is opened than the page shows.
        let wanted = if words.is_empty() { limit + 1 - found.rows.len() } else { READ_MAX };
        let wanted = u32::try_from(wanted).unwrap_or(PAGE_SIZE_MAX).min(PAGE_SIZE_MAX);
        let part = Filter { before, from: filter.from, until: filter.until, limit: wanted };
        let page = audit::list(view, account, workspace, &part)?;
        for event in page.rows {
            read += 1;
            let Some(activity) = Activity::describe(event).filter(|activity| activity.has_all(&words)) else {
                continue;
            };
            if found.rows.len() == limit {
                found.next = found.rows.last().map(|last| Cursor(last.event.seq));
                return Ok(found);
            }
            found.rows.push(activity);
        }
        let Some(next) = page.next else { return Ok(found) };
        before = Some(next);
        if read >= READ_MAX.max(limit) {
            (found.next, found.is_cut) = (Some(next), true);
            return Ok(found);
        }
    }
}
