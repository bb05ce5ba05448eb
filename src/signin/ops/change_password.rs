//! Changing a password, and what every new password causes.

use super::super::error::SigninError;
use super::super::mails;
use crate::accounts::{self, Account, AccountError};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::{self, Tx};
use crate::factors;
use crate::sessions::{self, RenewedCookie};

/// Sets the password of a signed-in person after a step-up. The session continues under a new cookie, so a copy of the
/// old cookie no longer works.
///
/// # Errors
/// [`AccountError::NotFound`] for the account of another person. [`SigninError::SignedOut`]: the session ended
/// meanwhile; nothing changed.
pub(in crate::signin) fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    phc: &str,
) -> Result<RenewedCookie, SigninError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    let renewed = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    replace_password(tx, actor, &person, phc, Some(session))?;
    Ok(renewed)
}

/// Stores the new password, ends every session but `except`, revokes the reset links, and mails the person.
pub(super) fn replace_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    phc: &str,
    except: Option<SessionId>,
) -> Result<(), AccountError> {
    accounts::set_password(tx, actor, person.id, phc)?;
    factors::end_other_access(tx, actor, person.id, except)?;
    Ok(notify_password_changed(tx, actor, person)?)
}

/// Mails every verified address, so that the person learns of the change whichever mailbox they read.
fn notify_password_changed(tx: &mut Tx<'_>, actor: &Actor, person: &Account) -> Result<(), db::Error> {
    let message = mails::password_changed(person, actor.visitor(), tx.now(), &tx.site().config.public_url);
    accounts::mail_all_verified(tx, person.id, &message)
}
