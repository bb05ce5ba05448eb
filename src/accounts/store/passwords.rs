//! The SQL of passwords.

use rusqlite::named_params;

use super::super::tables::PASSWORD;
use crate::base::{AccountId, Timestamp};
use crate::db::{Error, Tx, View, insert, only, values};

const REPLACE_PASSWORD: &str = insert!("insert or replace", PASSWORD);
const FIND_PASSWORD: &str = "select phc from password where account_id = :account_id";
const DELETE_PASSWORD: &str = "delete from password where account_id = :account_id";
const FIND_PASSWORD_TIME: &str = "select changed_at from password where account_id = :account_id";
const UPDATE_PASSWORD_HASH: &str = "
    update password set phc = :renewed where account_id = :account_id and phc = :checked";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[REPLACE_PASSWORD, FIND_PASSWORD, DELETE_PASSWORD, FIND_PASSWORD_TIME, UPDATE_PASSWORD_HASH];

pub(in crate::accounts) fn insert_password(tx: &mut Tx<'_>, account: AccountId, phc: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(REPLACE_PASSWORD, values!(PASSWORD => { changed_at: now, account_id: account, phc: phc }))?;
    Ok(())
}

/// Deletes the password: it no longer signs in, and a new one can be set.
pub(in crate::accounts) fn delete_password(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_PASSWORD, named_params! {":account_id": account})
}

/// The stored password hash. `None`: no password, or no account.
///
/// # Errors
/// [`Error`].
pub fn find_password(view: &View<'_>, account: AccountId) -> Result<Option<String>, Error> {
    view.find(FIND_PASSWORD, named_params! {":account_id": account}, only)
}

/// When the password was set. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_password_time(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, Error> {
    view.find(FIND_PASSWORD_TIME, named_params! {":account_id": account}, only)
}

/// Replaces `checked`, the stored hash, by `renewed`, a stronger hash of the same password. When the password was
/// changed meanwhile, nothing happens.
///
/// # Errors
/// [`Error`].
pub fn update_password_hash(tx: &mut Tx<'_>, account: AccountId, checked: &str, renewed: &str) -> Result<(), Error> {
    tx.execute(UPDATE_PASSWORD_HASH, named_params! {":account_id": account, ":checked": checked, ":renewed": renewed})?;
    Ok(())
}
