//! The operations on workspaces.

use serde_json::json;

use super::error::WorkspaceError;
use super::events::WorkspaceEvent;
use super::model::Workspace;
use super::store;
use crate::accounts::{self, Account};
use crate::audit::{self, Event};
use crate::base::{Actor, Role, WorkspaceId};
use crate::db::{Error, Tx};

/// Creates the personal workspace of a new account, which owns it.
///
/// # Errors
/// [`Error`].
// No permission: it is a part of the creation of an account.
pub fn create_personal(tx: &mut Tx<'_>, actor: &Actor, account: &Account) -> Result<Workspace, Error> {
    let now = tx.now();
    let id = WorkspaceId::new(now, tx.rng());
    store::insert(tx, id, &account.username, account.id, &account.region)?;
    store::insert_member(tx, id, account.id, Role::Owner)?;
    let event = Event::new(WorkspaceEvent::Created)
        .workspace(id)
        .target(id)
        .subject(account.id)
        .data(json!({"kind": "personal"}));
    audit::record(tx, actor, event)?;
    store::find(tx, id)?.ok_or_else(|| Error::Damaged(format!("the new workspace {id}")))
}

/// Puts a workspace on another plan. Its limits apply from now on to what is created; what is there stays. The same plan again
/// changes nothing. Returns the workspace as it is now.
///
/// # Errors
/// [`WorkspaceError::NotAllowed`]: the actor is no operator. [`WorkspaceError::NotFound`], [`WorkspaceError::UnknownPlan`].
pub fn change_plan(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    plan: &str,
) -> Result<Workspace, WorkspaceError> {
    if !accounts::is_operator(tx, actor)? {
        return Err(WorkspaceError::NotAllowed);
    }
    let before = store::find(tx, workspace)?.ok_or(WorkspaceError::NotFound)?;
    let plans = &tx.site().config.plans;
    if !plans.iter().any(|known| known.code == plan) {
        return Err(WorkspaceError::UnknownPlan { known: plans.iter().map(|known| known.code.clone()).collect() });
    }
    if before.plan == plan {
        return Ok(before);
    }
    store::update_plan(tx, workspace, plan)?;
    let event = Event::new(WorkspaceEvent::PlanChanged)
        .workspace(workspace)
        .target(workspace)
        .subject(before.owner)
        .detail(plan)
        .data(json!({"before": before.plan, "after": plan}));
    audit::record(tx, actor, event)?;
    Ok(Workspace { plan: plan.to_owned(), ..before })
}
