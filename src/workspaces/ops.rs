//! The operations on workspaces.

use serde_json::json;

use super::events::WorkspaceEvent;
use super::model::{Membership, Workspace};
use super::store;
use crate::accounts::Account;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, Role, WorkspaceId};
use crate::db::{Error, Tx, View};

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

/// The workspace. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, id: WorkspaceId) -> Result<Option<Workspace>, Error> {
    store::find(view, id)
}

/// The account's personal workspace. `None`: there is no such account.
///
/// # Errors
/// [`Error`].
pub fn personal(view: &View<'_>, account: AccountId) -> Result<Option<Workspace>, Error> {
    store::find_personal(view, account)
}

/// The role of the account in the workspace. `None`: it is not a member.
///
/// # Errors
/// [`Error`].
pub fn role_of(view: &View<'_>, workspace: WorkspaceId, account: AccountId) -> Result<Option<Role>, Error> {
    store::find_role(view, workspace, account)
}

/// The members, the oldest first, a thousand at most.
///
/// # Errors
/// [`Error`].
pub fn members(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Membership>, Error> {
    store::list_members(view, workspace)
}

/// Deletes the rows of the workspace. Everything it owns must be deleted before.
///
/// # Errors
/// [`Error`].
pub fn erase(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    store::delete(tx, workspace)
}
