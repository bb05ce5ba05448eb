//! The operations on invitations: issue, take, withdraw.

use serde_json::json;

use super::error::InvitationError;
use super::events::InvitationEvent;
use super::mails;
use super::model::{Invitation, LIFE};
use super::store;
use crate::accounts;
use crate::audit::{self, Event, Part};
use crate::base::{Actor, EmailAddress, InvitationId, Secret};
use crate::crypto::tokens;
use crate::db::{self, Tx, View};
use crate::mail;

/// Rows that one cleanup deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Invites an address; this replaces an earlier invitation to it. Returns the invitation and its link, whose secret is
/// stored nowhere. The caller mails the link or hands it over.
///
/// # Errors
/// [`InvitationError::EmailTaken`]; [`InvitationError::NotFound`] when the actor is not an operator.
pub fn issue(
    tx: &mut Tx<'_>,
    actor: &Actor,
    address: EmailAddress,
    is_operator: bool,
) -> Result<(Invitation, Secret<String>), InvitationError> {
    must_be_operator(actor)?;
    if accounts::is_email_taken(tx, &address)? {
        return Err(InvitationError::EmailTaken);
    }
    let now = tx.now();
    let id = InvitationId::new(now, tx.rng());
    let token = tokens::random_token(tx.rng());
    let invitation = Invitation { id, address, is_operator, created_at: now, expires_at: now.plus(LIFE) };
    store::delete_by_address(tx, &invitation.address)?;
    store::insert(tx, &invitation, &tokens::digest(token.expose()))?;
    let event = Event::new(InvitationEvent::Sent)
        .target(id)
        .data(json!({"operator": is_operator}))
        .private(Part::Contact, json!({"email": invitation.address.as_str()}));
    audit::record(tx, actor, event)?;
    let link = format!("{}/signup?invite={}", tx.site().config.public_url, token.expose());
    Ok((invitation, Secret::new(link)))
}

/// Queues the mail with the link. The mail is deleted once it is sent, because the invited person has no account yet.
///
/// # Errors
/// [`db::Error`].
pub fn mail_link(tx: &mut Tx<'_>, invitation: &Invitation, link: &Secret<String>) -> Result<(), db::Error> {
    let message = mails::invited(link.expose().clone(), &tx.site().config.public_url);
    mail::enqueue_transient(tx, invitation.address.clone(), &message)
}

/// The invitation with this secret, which is not used up. `None`: it is unknown, used, withdrawn or expired.
///
/// # Errors
/// [`db::Error`].
pub fn find(view: &View<'_>, token: &str) -> Result<Option<Invitation>, db::Error> {
    store::find(view, &tokens::digest(token))
}

/// Uses an invitation up: it is deleted, and the caller creates the account it is for.
///
/// # Errors
/// [`InvitationError::LinkRefused`] for one that is unknown, used, withdrawn or expired. The answer does not tell
/// which.
pub fn take(tx: &mut Tx<'_>, token: &str) -> Result<Invitation, InvitationError> {
    let digest = tokens::digest(token);
    let invitation = store::find(tx, &digest)?.ok_or(InvitationError::LinkRefused)?;
    store::delete(tx, invitation.id)?;
    Ok(invitation)
}

/// Withdraws an invitation, by its id or its address.
///
/// # Errors
/// [`InvitationError::NotFound`], also when the actor is not an operator.
pub fn withdraw(tx: &mut Tx<'_>, actor: &Actor, name: &str) -> Result<InvitationId, InvitationError> {
    must_be_operator(actor)?;
    let address = EmailAddress::parse(name.trim()).ok();
    let pending = store::list(tx)?.into_iter();
    let is_named = |invitation: &Invitation| match &address {
        Some(address) => invitation.address.folded() == address.folded(),
        None => invitation.id.to_string() == name.trim(),
    };
    let invitation = pending.into_iter().find(is_named).ok_or(InvitationError::NotFound)?;
    store::delete(tx, invitation.id)?;
    audit::record(tx, actor, Event::new(InvitationEvent::Withdrawn).target(invitation.id))?;
    Ok(invitation.id)
}

fn must_be_operator(actor: &Actor) -> Result<(), InvitationError> {
    if matches!(actor, Actor::Operator) { Ok(()) } else { Err(InvitationError::NotFound) }
}

/// Deletes expired invitations. Returns how many rows.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    store::delete_old(tx, PURGE_BATCH_MAX)
}
