//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::store;
use crate::base::WorkspaceId;
use crate::db::{Error, Tx};

/// Puts the workspace on this plan. A plan that the settings no longer have changes nothing. Answers whether something
/// changed.
///
/// # Errors
/// [`Error`].
pub fn change_plan(tx: &mut Tx<'_>, workspace: WorkspaceId, plan: &str) -> Result<bool, Error> {
    let is_known = tx.site().config.plans.iter().any(|known| known.code == plan);
    let has_another = store::find(tx, workspace)?.is_some_and(|workspace| workspace.plan != plan);
    if is_known && has_another {
        store::update_plan(tx, workspace, plan)?;
    }
    Ok(is_known && has_another)
}
