//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event and send no mail, because both happened the first time. Each answers whether it changed something, and
//! doing it twice is the same as once.

use super::addresses::{RemovedEmail, RevertedTo};
use super::model::AccountState;
use super::{addresses, store};
use crate::base::AccountId;
use crate::db::{Error, Tx};

/// Refuses the API keys of the account until it has a new password.
///
/// # Errors
/// [`Error`].
pub fn lock_keys(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    Ok(store::update_keys_locked(tx, account)? > 0)
}

/// Accepts the API keys of the account again.
///
/// # Errors
/// [`Error`].
pub fn unlock_keys(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    Ok(store::update_keys_unlocked(tx, account)? > 0)
}

/// Deletes the password, because it was changed later: its person sets a new one with a mailed link.
///
/// # Errors
/// [`Error`].
pub fn end_password(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    Ok(store::delete_password(tx, account)? > 0)
}

/// Deletes the password and the one-time links.
///
/// # Errors
/// [`Error`].
pub fn end_sign_in_methods(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    let had_password = store::delete_password(tx, account)? > 0;
    store::delete_sign_in_methods(tx, account)?;
    Ok(had_password)
}

/// Suspends an active account, or reactivates a suspended one.
///
/// # Errors
/// [`Error`].
pub fn set_state(tx: &mut Tx<'_>, account: AccountId, state: AccountState) -> Result<bool, Error> {
    let is_other = |found: AccountState| found != state && found != AccountState::Pending;
    let is_changed = store::find(tx, account)?.is_some_and(|found| is_other(found.state));
    if is_changed {
        store::update_state(tx, account, state)?;
    }
    Ok(is_changed)
}

/// Removes an address. `detail` is that of the event. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn remove_email(tx: &mut Tx<'_>, account: AccountId, detail: &str) -> Result<Option<bool>, Error> {
    let Some(removed) = RemovedEmail::parse(detail) else { return Ok(None) };
    addresses::remove_again(tx, account, &removed).map(Some)
}

/// Undoes a change of the primary address. `detail` is that of the event. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn revert_email_change(tx: &mut Tx<'_>, account: AccountId, detail: &str) -> Result<Option<bool>, Error> {
    let Some(reverted) = RevertedTo::parse(detail) else { return Ok(None) };
    let is_changed = addresses::revert_again(tx, account, &reverted)?;
    Ok(Some(store::delete_password(tx, account)? > 0 || is_changed))
}
