//! Changes of the addresses of a signed-in person, and reverting a change that a thief made.
//!
//! A verified address is a sign-in name, so every change ends the other sessions of the person in the same transaction.

use super::super::error::SigninError;
use super::super::{mails, oauth};
use super::claims::void_other_claims;
use super::reset_link::reset_link_by_mail;
use crate::accounts::addresses::{self, PrimaryChange};
use crate::accounts::{self, Account};
use crate::base::{AccountId, Actor, CredentialAdmin, EmailAddress, EmailId, Timestamp};
use crate::db::{self, Decided, Decision, Tx};
use crate::factors::FactorError;
use crate::sessions::LoginThrottle;
use crate::{api_keys, factors, mail};

fn notify(
    tx: &mut Tx<'_>,
    person: &Account,
    address: EmailAddress,
    message: &mail::PlainMessage,
) -> Result<(), db::Error> {
    mail::enqueue(tx, Some(person.id), address, message)
}

/// Checks the code of an address. When it is right, the address can be used to sign in, the other sessions end, and the
/// primary address gets a mail, unless it is the one. A wrong code counts for the login throttle of the account, so its refusal is
/// committed.
///
/// # Errors
/// [`AccountError::NotFound`] for an address that is not waiting for a code; [`FactorError::Throttled`];
/// [`AccountError::CodeRefused`].
pub fn verify_added_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
    code: &str,
) -> Decided<(), SigninError> {
    let throttle = LoginThrottle::for_step_up(tx, actor, account)?;
    throttle.check::<FactorError>(tx)?;
    let (person, address) = match addresses::verify_added(tx, actor, account, email, code)? {
        Decision::Done(verified) => verified,
        Decision::Refused(error) => {
            throttle.note_failure(tx)?;
            return Ok(Decision::Refused(error.into()));
        }
    };
    void_other_claims(tx, actor, account, &address)?;
    factors::end_other_access(tx, actor, account, actor.session())?;
    if let Some(primary) = accounts::primary_email(tx, account)?.filter(|primary| *primary != address) {
        let site = tx.site().config.public_url.clone();
        notify(tx, &person, primary, &mails::email_added(&person, &address, &site))?;
    }
    Ok(Decision::Done(()))
}

/// Makes a verified address the primary one. Both addresses get a mail; the one to the previous address has a link that
/// undoes the change within a week. Nothing happens if it already is the primary one.
///
/// # Errors
/// [`crate::accounts::AccountError::EmailUnverified`], [`crate::accounts::AccountError::NotFound`].
pub fn set_primary_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<(), SigninError> {
    let Some(change) = addresses::set_primary(tx, actor, account, email)? else { return Ok(()) };
    factors::end_other_access(tx, actor, account, actor.session())?;
    let PrimaryChange { person, from, is_from_verified, to, revert } = change;
    let site = tx.site().config.public_url.clone();
    let revert = revert.map(|(token, until)| (format!("{site}/revert?token={}", token.expose()), until));
    notify(tx, &person, to.clone(), &mails::primary_now(&person, &from, &site))?;
    if !is_from_verified {
        return Ok(());
    }
    Ok(notify(tx, &person, from, &mails::primary_no_longer(&person, &to, revert, &site))?)
}

/// Removes an address. The primary address gets a mail, and so does the removed one if it was verified.
///
/// # Errors
/// [`AccountError::EmailIsPrimary`], [`AccountError::EmailKeptForRevert`], [`AccountError::NotFound`].
pub fn remove_email(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: EmailId) -> Result<(), SigninError> {
    let (person, removed) = addresses::remove_email(tx, actor, account, email)?;
    // An unverified address was not a sign-in name.
    if removed.verified_at.is_none() {
        return Ok(());
    }
    factors::end_other_access(tx, actor, account, actor.session())?;
    let site = tx.site().config.public_url.clone();
    let message = mails::email_removed(&person, &removed.address, &site);
    if let Some(primary) = accounts::primary_email(tx, account)? {
        notify(tx, &person, primary, &message)?;
    }
    Ok(notify(tx, &person, removed.address, &message)?)
}

/// Undoes a change of the primary address with the link that was mailed to the previous address. It also removes the
/// access of a thief: sessions, links, the password (a reset link is mailed to the restored address), and everything of
/// [`revoke_added_since`]. Returns the restored address.
///
/// # Errors
/// [`AccountError::LinkRefused`]; then nothing changed.
pub(in crate::signin) fn revert_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
) -> Result<EmailAddress, SigninError> {
    let undone = addresses::revert_change(tx, actor, token)?;
    let account = undone.person.id;
    factors::end_other_access(tx, actor, account, None)?;
    revoke_added_since(tx, actor, account, undone.since)?;
    let site = tx.site().config.public_url.clone();
    let message = mails::email_restored(&undone.person, undone.had_password, &site);
    notify(tx, &undone.person, undone.restored.clone(), &message)?;
    if undone.had_password {
        reset_link_by_mail(tx, actor, account)?;
    }
    Ok(undone.restored)
}

/// Removes the API keys, second factors and linked identities that were added since `since`. Every new kind of
/// credential must be added here.
fn revoke_added_since(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, since: Timestamp) -> Result<(), SigninError> {
    api_keys::revoke_since(tx, &CredentialAdmin::system(), account, since)?;
    factors::remove_since(tx, actor, account, since)?;
    oauth::unlink_since(tx, actor, account, since)?;
    Ok(())
}
