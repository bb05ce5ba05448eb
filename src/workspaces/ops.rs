//! The operations on workspaces.

use serde_json::json;

use super::events::WorkspaceEvent;
use super::model::Workspace;
use super::store;
use crate::accounts::Account;
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
