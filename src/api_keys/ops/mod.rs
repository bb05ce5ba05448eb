//! The operations on keys.

mod budget;
mod change;
mod create;
mod expose;
mod housekeeping;
mod lifecycle;
mod queries;
mod record_usage;
mod reveal;

pub use budget::{
    BudgetReservation, KeyBudget, MonthlyBudget, budget_room, find_budget, is_same_family, monthly_budgets,
    release_budget, reserve_budget, spend, unspend,
};
pub use change::{change, reduce_scopes, set_policy};
pub use create::{create, expiry_offer, rotate, rotation_preview};
pub use expose::{ExposureReport, expose};
pub(super) use expose::{REPORT_KEYS_MAX, ReportedText, exposure_reports, known_keys};
pub(super) use housekeeping::{end_due, purge, remind};
pub use lifecycle::{disable, enable, forget, restore, revoke, revoke_since};
pub use queries::{DAYS_SHOWN, Health, Insight, daily_uses, find, has_few_keys, health, insight, list, list_live};
pub use record_usage::record_usage;
pub(super) use reveal::reseal_batch;
pub use reveal::reveal;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::ApiKeyError;
use super::events::ApiKeyEvent;
use super::model::{ApiKey, KeyEvent, KeyState, RevokeReason};
use super::store;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, ApiKeyId, CredentialAdmin, Role, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::mail::{self, PlainMessage};
use crate::{accounts, workspaces};

/// Fails unless the caller is the owner of the workspace or the operator. For others the workspace does not exist.
fn require_owner(
    view: &View<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<(), ApiKeyError> {
    let owns = workspaces::role_of(view, workspace, account)? == Some(Role::Owner);
    if owns && admin.can_manage(account) { Ok(()) } else { Err(ApiKeyError::NotFound) }
}

/// The state of the key after `event`.
fn next_state(key: &ApiKey, event: KeyEvent) -> Result<KeyState, ApiKeyError> {
    key.state.after(event, key.state_before).ok_or(ApiKeyError::InvalidState { state: key.state, event })
}

/// The digest of a revoked key: no text can have it.
fn dead_lookup(id: ApiKeyId) -> [u8; 32] {
    Sha256::digest(format!("revoked:{id}")).into()
}

/// An audit event about a key. The name of the key is in its personal part, which can be erased.
fn event_about(kind: ApiKeyEvent, key: &ApiKey) -> Event {
    Event::new(kind)
        .workspace(key.workspace)
        .target(key.id)
        .subject(key.account)
        .private(Part::Text, json!({"name": key.name}))
}

/// Revokes a key, in the table and in the audit. The key must not be revoked already.
fn end_key(tx: &mut Tx<'_>, actor: &Actor, key: &ApiKey, reason: RevokeReason) -> Result<(), Error> {
    end_without_event(tx, key, reason)?;
    let event = event_about(ApiKeyEvent::Revoked, key).data(json!({"reason": reason.as_str()}));
    audit::record(tx, actor, event.detail(reason.as_str()))
}

/// Revokes a key in the table.
pub(super) fn end_without_event(tx: &mut Tx<'_>, key: &ApiKey, reason: RevokeReason) -> Result<(), Error> {
    // A replaced key keeps its digest, so that its use is noticed. Any other key matches no text from now on.
    let dead = (reason != RevokeReason::Rotated).then(|| dead_lookup(key.id));
    store::update_revoked(tx, key.id, reason, dead)
}

/// Queues a message to the key's owner, if the owner has an address.
fn mail_owner(tx: &mut Tx<'_>, account: AccountId, message: &PlainMessage) -> Result<(), Error> {
    match accounts::primary_email(tx, account)? {
        Some(address) => mail::enqueue(tx, Some(account), address, message),
        None => Ok(()),
    }
}
