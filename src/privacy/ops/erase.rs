//! Erase an account.

use serde_json::json;

use super::super::erasures::{self, Erased};
use super::super::events::PrivacyEvent;
use super::super::model::{PUBLISH, Receipt};
use super::super::{PrivacyError, mails, store};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, RequestId, Timestamp};
use crate::db::{self, Layout, Tx};
use crate::jobs::NewJob;
use crate::{
    accounts, api_keys, billing, factors, idempotency, inbox, invitations, jobs, mail, people, resources, sessions,
    signin, workspaces,
};

/// Deletes all data about the person in this transaction, as the data map defines. Sessions and keys end with it. Files
/// and the journal are cleaned after the commit, so callers outside a transaction use `flows`.
///
/// A second call returns [`PrivacyError::NotFound`]. Unspent credit stays in the ledger under the workspace's opaque
/// id, because the ledger never changes.
///
/// # Errors
/// [`PrivacyError::NotFound`] if the account does not exist, or the actor is neither the person nor the operator.
pub fn erase(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Receipt, PrivacyError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(PrivacyError::NotFound)?;
    let erased_at = tx.now();
    let receipt = RequestId::new(erased_at, tx.rng());
    let exports = store::list_artifact_ids(tx, account)?;
    let emails = accounts::emails(tx, account)?;
    let copies = db::kept_copies(&Layout::new(&tx.site().config.data_dir))?;
    let mut receipt = Receipt { id: receipt, account, erased_at, exports, copies, services: Vec::new() };
    let remaining: Vec<_> =
        receipt.copies.iter().map(|copy| json!({"name": copy.name, "until": copy.delete_after.rfc3339()})).collect();
    let event =
        event_about(account).erasure(receipt.id).data(json!({"receipt": receipt.id.to_string(), "copies": remaining}));
    let workspace = workspaces::personal(tx, account)?.map(|workspace| workspace.id);
    // Read first: afterwards nothing says what the person had.
    let targets = erasures::targets(tx, workspace)?;
    delete_all_of(tx, actor, account, &emails, event)?;
    store::insert_pending(tx, receipt.id, erased_at)?;
    let erased = Erased { receipt: receipt.id, account, workspace, erased_at };
    receipt.services = erasures::begin(tx, &erased, &targets, &receipt.copies, None)?;
    jobs::enqueue(tx, NewJob { unique_key: None, ..NewJob::once(PUBLISH) })?;

    let primary = emails.into_iter().find(|email| email.is_primary);
    // An unverified address may belong to another person, so it gets no mail about the erasure.
    if let Some(email) = primary.filter(|email| email.verified_at.is_some()) {
        let message = mails::account_deleted(&person.display_name, &receipt, &tx.site().config.public_url);
        mail::enqueue_transient(tx, email.address, &message)?;
    }
    Ok(receipt)
}

/// Erases an account again that a restored database brought back. The journal has its entry already, and the person was
/// told at the erasure. Services are asked again: what they did about it may be lost with what the backup lacks. Answers whether the
/// account was there. Calling it twice is the same as once.
///
/// # Errors
/// [`PrivacyError::Db`].
// No permission: a restore does it, before anything is served.
pub fn erase_again(
    tx: &mut Tx<'_>,
    account: AccountId,
    receipt: &str,
    erased_at: Timestamp,
) -> Result<bool, PrivacyError> {
    let is_there = accounts::find(tx, account)?.is_some();
    let workspace = workspaces::personal(tx, account)?.map(|workspace| workspace.id);
    let targets = erasures::targets(tx, workspace)?;
    if is_there {
        let emails = accounts::emails(tx, account)?;
        let event = event_about(account).made_again().data(json!({"receipt": receipt}));
        delete_all_of(tx, &Actor::System, account, &emails, event)?;
    }
    if let Some(receipt) = RequestId::parse(receipt) {
        let copies = db::kept_copies(&Layout::new(&tx.site().config.data_dir))?;
        let erased = Erased { receipt, account, workspace, erased_at };
        // What was published before is not known any more, so this is an upper bound.
        let now = tx.now();
        erasures::begin(tx, &erased, &targets, &copies, Some(now))?;
    }
    Ok(is_there)
}

fn event_about(account: AccountId) -> Event {
    Event::new(PrivacyEvent::AccountDeleted).target(account).subject(account)
}

/// Deletes all rows about the person, and records it as this event.
fn delete_all_of(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    emails: &[accounts::Email],
    event: Event,
) -> Result<(), PrivacyError> {
    // An account that never verified an address must not withdraw an invitation to that address.
    for email in emails.iter().filter(|email| email.verified_at.is_some()) {
        invitations::forget(tx, &email.address)?;
    }
    // Recorded first, so that the private parts of this event are erased with all others of the person.
    audit::record(tx, actor, event)?;
    sessions::forget(tx, account)?;
    signin::oauth::forget(tx, account)?;
    api_keys::forget(tx, account)?;
    factors::forget(tx, account)?;
    store::delete_exports(tx, account)?;
    mail::forget(tx, account)?;
    jobs::forget(tx, account)?;
    let workspace = workspaces::personal(tx, account)?;
    inbox::forget(tx, account, workspace.as_ref().map(|workspace| workspace.id))?;
    if let Some(workspace) = workspace {
        idempotency::forget(tx, workspace.id)?;
        billing::forget(tx, workspace.id)?;
        resources::forget(tx, workspace.id)?;
        workspaces::erase(tx, workspace.id)?;
    }
    people::forget(tx, account)?;
    accounts::erase(tx, account)?;
    audit::forget(tx, account)?;
    Ok(())
}

/// Erases accounts whose address was not verified in time, at most 100.
pub(in crate::privacy) fn erase_pending(tx: &mut Tx<'_>) -> Result<Vec<Receipt>, PrivacyError> {
    let due = accounts::purge_pending(tx)?;
    due.into_iter().map(|account| erase(tx, &Actor::System, account)).collect()
}
