//! The mailed link to set a password.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::mails;
use crate::accounts::{self, Account, AccountError, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::Tx;
use crate::mail;

/// Mails a link to set a password. It works once and is valid for 30 minutes.
///
/// # Errors
/// [`AccountError::NotFound`].
// No permission: the link goes to the mailbox of the person, and says nothing to the actor.
pub fn reset_link_by_mail(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    let person = accounts::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let address = accounts::primary_email(tx, account)?.ok_or(AccountError::NotFound)?;
    send_reset_link(tx, actor, &person, address)
}

/// As [`reset_link_by_mail`], to one of the person's addresses.
pub(super) fn send_reset_link(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    address: EmailAddress,
) -> Result<(), SigninError> {
    let account = person.id;
    let token = accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(account))?;
    let site = tx.site().config.public_url.clone();
    let link = format!("{site}/reset?token={}", token.expose());
    mail::enqueue(tx, Some(account), address, &mails::password_reset(person, link, &site))?;
    Ok(audit::record(tx, actor, Event::new(SigninEvent::PasswordResetRequested).target(account).subject(account))?)
}
