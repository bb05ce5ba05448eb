//! Make, replace, stop and end keys; what is known of them; what follows by itself.

mod change;
mod create;
mod due;
mod expose;
mod life;
mod look;
mod recorded;
mod reveal;

pub use change::{change, set_policy};
pub use create::{create, rotate};
pub(super) use due::{end_due, purge, remind};
pub(super) use expose::known;
pub use expose::{Find, expose};
pub use life::{disable, enable, forget, restore, revoke, revoke_since};
pub use look::{
    DAYS_SHOWN, Health, Insight, are_few, count_live, days_of_use, find, health, insight, list, live, policy,
};
pub(super) use recorded::record;
pub use recorded::spend;
pub(super) use reveal::reseal_batch;
pub use reveal::reveal;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::ApiKeyError;
use super::model::{ApiKey, Ended, KeyEvent, KeyState};
use super::store;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, ApiKeyId, CredentialAdmin, Role, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::mail::{self, PlainMessage};
use crate::{accounts, workspaces};

/// Only the owner of a workspace, in person, or the operator; to everybody else the workspace does not exist.
fn owner_only(
    view: &View<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<(), ApiKeyError> {
    let owns = workspaces::role_of(view, workspace, account)? == Some(Role::Owner);
    if owns && admin.can_manage(account) { Ok(()) } else { Err(ApiKeyError::NotFound) }
}

/// Where the key is after `event`.
fn next(key: &ApiKey, event: KeyEvent) -> Result<KeyState, ApiKeyError> {
    key.state.after(event, key.state_before).ok_or(ApiKeyError::NotNow { state: key.state, event })
}

/// The digest of a key that is gone: one that no text can have.
fn dead_lookup(id: ApiKeyId) -> [u8; 32] {
    Sha256::digest(format!("revoked:{id}")).into()
}

/// An event about a key, with its name where it can be forgotten.
fn event_about(name: &'static str, key: &ApiKey) -> Event {
    Event::new(name)
        .workspace(key.workspace)
        .target(key.id)
        .subject(key.account)
        .private(Part::Text, json!({"name": key.name}))
}

/// Ends a key, in the table and in the audit. Not for one that has been ended.
fn end(tx: &mut Tx<'_>, actor: &Actor, key: &ApiKey, ended: Ended) -> Result<(), Error> {
    // Whoever still uses what was replaced must be noticed; everything else matches nothing from now on.
    let dead = (ended != Ended::Rotated).then(|| dead_lookup(key.id));
    store::update_revoked(tx, key.id, ended, dead)?;
    audit::record(tx, actor, event_about("api_key.revoked", key).data(json!({"reason": ended.as_str()})))
}

/// Writes to the key's owner, where there is an address to write to.
fn tell(tx: &mut Tx<'_>, account: AccountId, message: &PlainMessage) -> Result<(), Error> {
    match accounts::primary_email(tx, account)? {
        Some(address) => mail::enqueue(tx, Some(account), address, message),
        None => Ok(()),
    }
}
