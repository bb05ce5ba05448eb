//! A new password, set by somebody who is signed in.

use super::super::error::SigninError;
use super::super::mails;
use crate::accounts::{self, AccountError};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::{self, Tx};
use crate::{mail, sessions};

/// Sets the password, ends every session but the asking one, and makes links that wait worthless.
///
/// # Errors
/// [`AccountError::NotFound`] for somebody else's account.
pub(in crate::signin) fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    phc: &str,
) -> Result<(), SigninError> {
    if !actor.may_govern(account) {
        return Err(AccountError::NotFound.into());
    }
    accounts::set_password(tx, actor, account, phc)?;
    sessions::end_all(tx, actor, account, Some(session))?;
    accounts::revoke_links(tx, account)?;
    Ok(tell_of_new_password(tx, account)?)
}

/// A mail to the person: whoever did it, they know.
pub(in crate::signin) fn tell_of_new_password(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    let (Some(person), Some(address)) = (accounts::find(tx, account)?, accounts::primary_email(tx, account)?) else {
        return Ok(());
    };
    let site = tx.site().config.public_url.clone();
    mail::enqueue(tx, Some(account), address, &mails::password_changed(&person, &site))
}
