//! A new password, and what follows one however it was set.

use super::super::error::SigninError;
use super::super::mails;
use crate::accounts::{self, Account, AccountError};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::{self, Tx};
use crate::mail;
use crate::sessions::{self, Renewed};

/// Sets the password of somebody who is signed in and just proved it. The session goes on under a new cookie: whoever copied
/// the old one is out, too.
///
/// # Errors
/// [`AccountError::NotFound`] for somebody else's account. [`SigninError::SignedOut`]: the session ended meanwhile; nothing
/// was changed.
pub(in crate::signin) fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    phc: &str,
) -> Result<Renewed, SigninError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    let renewed = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    replace_password(tx, actor, &person, phc, Some(session))?;
    Ok(renewed)
}

/// Keeps the new password, ends every session but `except` and every link that would set another one, and tells the person.
pub(super) fn replace_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    phc: &str,
    except: Option<SessionId>,
) -> Result<(), AccountError> {
    accounts::set_password(tx, actor, person.id, phc)?;
    sessions::end_all(tx, actor, person.id, except)?;
    // Links by which the person undoes what somebody else did stay good: it may be somebody else who does this.
    accounts::revoke_links(tx, person.id)?;
    Ok(tell_of_new_password(tx, actor, person)?)
}

/// A mail to each address that is theirs: whoever did it and whichever of them is read, they know.
fn tell_of_new_password(tx: &mut Tx<'_>, actor: &Actor, person: &Account) -> Result<(), db::Error> {
    let message = mails::password_changed(person, actor.visitor(), tx.now(), &tx.site().config.public_url);
    for email in accounts::emails(tx, person.id)?.into_iter().filter(|email| email.verified_at.is_some()) {
        mail::enqueue(tx, Some(person.id), email.address, &message)?;
    }
    Ok(())
}
