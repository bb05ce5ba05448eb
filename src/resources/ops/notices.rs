//! Mails to owners whose storage is nearly full.

use super::super::mails;
use super::super::model::notice_percent;
use super::super::store;
use crate::base::WorkspaceId;
use crate::config::LimitKey;
use crate::db::{Error, Tx, View};
use crate::people::{self, MailKind};
use crate::workspaces::{self, Workspace};

/// Where a workspace stands.
struct Standing {
    workspace: Workspace,
    used_bytes: i64,
    limit_bytes: i64,
    /// The highest share that gets a mail and is reached.
    percent: i64,
    /// The one that the owner was mailed about.
    told: i64,
}

/// `None`: there is no such workspace, or nothing to tell.
fn standing(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Standing>, Error> {
    let Some(found) = workspaces::find(view, workspace)? else { return Ok(None) };
    let limit = view.site().config.plan(&found.plan).limits.get(LimitKey::StorageBytes);
    let used_bytes = store::list_storage(view, workspace)?.iter().map(|category| category.size_bytes).sum();
    let (percent, told) = (notice_percent(used_bytes, limit), store::find_notice(view, workspace)?);
    let standing = Standing { workspace: found, used_bytes, limit_bytes: limit.unwrap_or(0), percent, told };
    Ok(Some(standing).filter(|standing| standing.percent != standing.told))
}

/// Whether the owner has to be told something, or the storage has fallen below what they were told.
///
/// # Errors
/// [`Error`].
pub fn is_notice_due(view: &View<'_>, workspace: WorkspaceId) -> Result<bool, Error> {
    Ok(standing(view, workspace)?.is_some())
}

/// Mails the owner of a workspace that its storage has reached 80, 90 or 100 % of what its plan allows, if they want mails about
/// usage: once for each, until it falls below again.
///
/// # Errors
/// [`Error`].
// No permission, no event: the schedule runs it, and the mail is all that it does.
pub fn send_storage_notice(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    let Some(standing) = standing(tx, workspace)? else { return Ok(()) };
    store::replace_notice(tx, workspace, standing.percent)?;
    if standing.percent > standing.told {
        let site = tx.site().config.public_url.clone();
        let Standing { workspace, used_bytes, limit_bytes, percent, .. } = standing;
        let message = mails::storage_filling(&workspace.name, percent, used_bytes, limit_bytes, &site);
        people::mail_if_wanted(tx, workspace.owner, MailKind::Usage, &message)?;
    }
    Ok(())
}
