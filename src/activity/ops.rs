//! Reads the activity of a person.

use super::model::Activity;
use crate::audit::{self, Filter};
use crate::base::{AccountId, Page, WorkspaceId};
use crate::db::{Error, View};

/// The events that the person caused, the events about their account and those of their workspace, newest first and in
/// words. A page can have fewer rows than [`Filter::limit`], because it leaves out what only operators may see.
///
/// # Errors
/// [`Error`].
pub fn list(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
    filter: &Filter,
) -> Result<Page<Activity>, Error> {
    let page = audit::list(view, account, workspace, filter)?;
    Ok(Page { rows: page.rows.into_iter().filter_map(Activity::describe).collect(), next: page.next })
}
