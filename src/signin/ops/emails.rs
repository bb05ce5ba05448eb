//! Addresses of somebody who is signed in, and the way back from a change that somebody else made.
//!
//! An address is a way in, so every change of them ends the person's other sessions in the same transaction.

use super::super::error::SigninError;
use super::super::{mails, oauth};
use super::claims::void_other_claims;
use super::reset::reset_link_by_mail;
use crate::accounts::addresses::{self, EmailAnswer, PrimaryChange};
use crate::accounts::{self, Account, AccountError};
use crate::base::{AccountId, Actor, CredentialAdmin, EmailAddress, EmailId, SessionId, Timestamp};
use crate::db::{self, Tx};
use crate::factors::FactorError;
use crate::sessions::Guard;
use crate::{api_keys, factors, mail, sessions};

fn own_session(actor: &Actor) -> Option<SessionId> {
    match actor {
        Actor::SignedIn { session, .. } => Some(*session),
        _ => None,
    }
}

fn tell(
    tx: &mut Tx<'_>,
    person: &Account,
    address: EmailAddress,
    message: &mail::PlainMessage,
) -> Result<(), db::Error> {
    mail::enqueue(tx, Some(person.id), address, message)
}

/// Tries the code of an address that was added. It is a way in from now on: other sessions end, and the primary address is
/// told. A refused code is the inner result, because the try must be committed; it counts with every other wrong proof about
/// the account.
///
/// # Errors
/// [`AccountError::NotFound`] for an address that waits for no code; [`FactorError::Throttled`].
pub fn verify_added_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
    code: &str,
) -> Result<Result<(), AccountError>, SigninError> {
    let guard = Guard::new(account);
    if let Some(throttled) = guard.must_wait(tx)? {
        return Err(FactorError::Throttled(throttled).into());
    }
    let (person, address) = match addresses::verify_added(tx, actor, account, email, code)? {
        EmailAnswer::Refused(error) => {
            guard.note_failure(tx)?;
            return Ok(Err(error));
        }
        EmailAnswer::Verified(person, address) => (person, address),
    };
    void_other_claims(tx, actor, account, &address)?;
    sessions::end_all(tx, actor, account, own_session(actor))?;
    if let Some(primary) = accounts::primary_email(tx, account)? {
        let site = tx.site().config.public_url.clone();
        tell(tx, &person, primary, &mails::email_added(&person, &address, &site))?;
    }
    Ok(Ok(()))
}

/// Makes a verified address the primary one. Both addresses are told, and the one before gets a link that undoes it within
/// a week. Nothing happens where it is the primary one already.
///
/// # Errors
/// [`AccountError::EmailUnverified`], [`AccountError::NotFound`].
pub fn set_primary_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<(), SigninError> {
    let Some(change) = addresses::set_primary(tx, actor, account, email)? else { return Ok(()) };
    sessions::end_all(tx, actor, account, own_session(actor))?;
    let PrimaryChange { person, from, to, revert } = change;
    let site = tx.site().config.public_url.clone();
    let revert = revert.map(|(token, until)| (format!("{site}/revert?token={}", token.expose()), until));
    tell(tx, &person, to.clone(), &mails::primary_now(&person, &from, &site))?;
    Ok(tell(tx, &person, from, &mails::primary_no_longer(&person, &to, revert, &site))?)
}

/// Removes an address. The primary one is told, and so is the removed one if it was somebody's for sure.
///
/// # Errors
/// [`AccountError::EmailIsPrimary`], [`AccountError::EmailKeptForRevert`], [`AccountError::NotFound`].
pub fn remove_email(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: EmailId) -> Result<(), SigninError> {
    let (person, removed) = addresses::remove_email(tx, actor, account, email)?;
    // A claim that nobody proved was no way in.
    if removed.verified_at.is_none() {
        return Ok(());
    }
    sessions::end_all(tx, actor, account, own_session(actor))?;
    let site = tx.site().config.public_url.clone();
    let message = mails::email_removed(&person, &removed.address, &site);
    if let Some(primary) = accounts::primary_email(tx, account)? {
        tell(tx, &person, primary, &message)?;
    }
    Ok(tell(tx, &person, removed.address, &message)?)
}

/// Undoes a change of the primary address with the link that the address before was sent, and closes what a thief opened:
/// sessions, links, the password (a reset link goes to the restored address), and everything of
/// [`close_what_was_opened_since`]. Answers the restored address.
///
/// # Errors
/// [`AccountError::LinkRefused`]; nothing happened then.
pub(in crate::signin) fn revert_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
) -> Result<EmailAddress, SigninError> {
    let undone = addresses::revert_change(tx, actor, token)?;
    let account = undone.person.id;
    sessions::end_all(tx, actor, account, None)?;
    accounts::revoke_links(tx, account)?;
    close_what_was_opened_since(tx, actor, account, undone.since)?;
    let site = tx.site().config.public_url.clone();
    let message = mails::email_restored(&undone.person, undone.had_password, &site);
    tell(tx, &undone.person, undone.restored.clone(), &message)?;
    if undone.had_password {
        reset_link_by_mail(tx, actor, account)?;
    }
    Ok(undone.restored)
}

/// Closes every way in that was opened since a moment: keys and second factors. A new way in has its line here.
fn close_what_was_opened_since(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    since: Timestamp,
) -> Result<(), SigninError> {
    api_keys::revoke_since(tx, &CredentialAdmin::system(), account, since)?;
    factors::remove_since(tx, actor, account, since)?;
    oauth::unlink_since(tx, actor, account, since)?;
    Ok(())
}
