//! A new password, and what follows one however it was set.

use super::super::error::SigninError;
use super::super::mails;
use crate::accounts::{self, Account, AccountError};
use crate::base::{AccountId, Actor, Secret, SessionId};
use crate::db::Tx;
use crate::{mail, sessions};

/// Sets the password of somebody who is signed in and just proved it. The session goes on under a new cookie, which is
/// answered: whoever copied the old one is out, too.
///
/// # Errors
/// [`SigninError::SignedOut`]: the session ended meanwhile; nothing was changed.
pub(in crate::signin) fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    phc: &str,
) -> Result<Secret<String>, SigninError> {
    let person = accounts::find(tx, account)?.ok_or(SigninError::SignedOut)?;
    let token = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    replace_password(tx, actor, &person, phc, Some(session))?;
    Ok(token)
}

/// Keeps the new password, ends every session but `except` and every link that would set another one, and tells the person
/// at each address that is theirs.
pub(super) fn replace_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    phc: &str,
    except: Option<SessionId>,
) -> Result<(), AccountError> {
    accounts::set_password(tx, actor, person.id, phc)?;
    sessions::end_all(tx, actor, person.id, except)?;
    accounts::revoke_links(tx, person.id)?;
    let (site, now) = (tx.site().config.public_url.clone(), tx.now());
    let letter = mails::password_changed(person, actor.visitor(), now, &site);
    for email in accounts::emails(tx, person.id)?.into_iter().filter(|email| email.verified_at.is_some()) {
        mail::enqueue(tx, Some(person.id), email.address, &letter)?;
    }
    Ok(())
}
