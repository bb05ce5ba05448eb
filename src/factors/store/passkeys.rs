//! The SQL of passkeys.

use rusqlite::named_params;

use super::super::model::{Passkey, VerifiedAssertion};
use super::super::tables::{PASSKEY, PASSKEY_HANDLE};
use crate::base::{AccountId, PasskeyId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const INSERT_HANDLE: &str = insert!("insert or ignore", PASSKEY_HANDLE);
const FIND_HANDLE: &str = "select handle from passkey_handle where account_id = :account_id";
const DELETE_HANDLE: &str = "delete from passkey_handle where account_id = :account_id";
const INSERT_PASSKEY: &str = sql!(
    insert!(PASSKEY),
    "
    on conflict (credential_id) do nothing"
);
const LIST_PASSKEYS: &str = "
    select id, account_id, name, sign_count, is_backed_up, created_at, last_used_at from passkey
    where account_id = :account_id
    order by created_at, id";
const LIST_CREDENTIAL_IDS: &str =
    "select credential_id from passkey where account_id = :account_id order by created_at, id";
const FIND_CREDENTIAL: &str = "
    select p.id, p.account_id, p.credential_json, h.handle
    from passkey p join passkey_handle h on h.account_id = p.account_id
    where p.credential_id = :credential_id";
// Refuses a counter that does not rise once more, because two assertions may have been checked at the same moment.
const UPDATE_SIGNED: &str = "
    update passkey
    set sign_count = :sign_count, is_backed_up = :is_backed_up, credential_json = :credential_json, last_used_at = :now
    where id = :id and account_id = :account_id and (sign_count < :sign_count or (sign_count = 0 and :sign_count = 0))";
const UPDATE_NAME: &str = "update passkey set name = :name where id = :id and account_id = :account_id";
const DELETE_PASSKEY: &str = "delete from passkey where id = :id and account_id = :account_id";
const DELETE_PASSKEYS: &str = "delete from passkey where account_id = :account_id";
const LIST_PASSKEYS_SINCE: &str = "select id from passkey where account_id = :account_id and created_at >= :since";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT_HANDLE,
    FIND_HANDLE,
    DELETE_HANDLE,
    INSERT_PASSKEY,
    LIST_PASSKEYS,
    LIST_CREDENTIAL_IDS,
    FIND_CREDENTIAL,
    UPDATE_SIGNED,
    UPDATE_NAME,
    DELETE_PASSKEY,
    DELETE_PASSKEYS,
    LIST_PASSKEYS_SINCE,
];

/// Stores `handle` for an account that has none yet.
pub(in crate::factors) fn insert_handle(tx: &mut Tx<'_>, account: AccountId, handle: &[u8; 16]) -> Result<(), Error> {
    tx.execute(INSERT_HANDLE, values!(PASSKEY_HANDLE => { account_id: account, handle: handle }))?;
    Ok(())
}

pub(in crate::factors) fn find_handle(view: &View<'_>, account: AccountId) -> Result<Option<[u8; 16]>, Error> {
    view.find(FIND_HANDLE, named_params! {":account_id": account}, only)
}

pub(in crate::factors) fn delete_handle(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_HANDLE, named_params! {":account_id": account})?;
    Ok(())
}

/// The row of a new passkey, without its id.
pub(in crate::factors) struct NewPasskey<'r> {
    pub account: AccountId,
    pub credential_id: &'r [u8],
    pub credential_json: &'r str,
    pub name: &'r str,
    pub sign_count: u32,
    pub is_backed_up: bool,
}

/// Zero: an account has the credential already.
pub(in crate::factors) fn insert_passkey(tx: &mut Tx<'_>, id: PasskeyId, new: &NewPasskey<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(
        INSERT_PASSKEY,
        values!(PASSKEY => {
            id: id,
            name: new.name,
            sign_count: new.sign_count,
            is_backed_up: new.is_backed_up,
            created_at: now,
            account_id: new.account,
            credential_id: new.credential_id,
            credential_json: new.credential_json,
        }),
    )
}

/// The person's passkeys, the oldest first.
///
/// # Errors
/// [`Error`].
pub fn list_passkeys(view: &View<'_>, account: AccountId) -> Result<Vec<Passkey>, Error> {
    view.list(LIST_PASSKEYS, named_params! {":account_id": account}, |row| {
        by_name!(row, LIST_PASSKEYS => id, account_id, name, sign_count, is_backed_up, created_at, last_used_at);
        Ok(Passkey {
            id: id.get()?,
            account: account_id.get()?,
            name: name.get()?,
            sign_count: sign_count.get()?,
            is_backed_up: is_backed_up.get()?,
            created_at: created_at.get()?,
            last_used_at: last_used_at.get()?,
        })
    })
}

pub(in crate::factors) fn list_credential_ids(view: &View<'_>, account: AccountId) -> Result<Vec<Vec<u8>>, Error> {
    view.list(LIST_CREDENTIAL_IDS, named_params! {":account_id": account}, only)
}

/// What an assertion is checked against.
pub(in crate::factors) struct Credential {
    pub id: PasskeyId,
    pub account: AccountId,
    pub credential_json: String,
    pub handle: [u8; 16],
}

pub(in crate::factors) fn find_credential(view: &View<'_>, credential_id: &[u8]) -> Result<Option<Credential>, Error> {
    view.find(FIND_CREDENTIAL, named_params! {":credential_id": credential_id}, |row| {
        by_name!(row, FIND_CREDENTIAL => id, account_id, credential_json, handle);
        Ok(Credential {
            id: id.get()?,
            account: account_id.get()?,
            credential_json: credential_json.get()?,
            handle: handle.get()?,
        })
    })
}

/// Stores a signature. Zero: the passkey is gone, or its counter did not rise.
pub(in crate::factors) fn update_signed(tx: &mut Tx<'_>, signed: &VerifiedAssertion) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(
        UPDATE_SIGNED,
        named_params! {
            ":id": signed.passkey,
            ":account_id": signed.account,
            ":sign_count": signed.sign_count,
            ":is_backed_up": signed.is_backed_up,
            ":credential_json": signed.credential_json,
            ":now": now,
        },
    )
}

pub(in crate::factors) fn update_name(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: PasskeyId,
    name: &str,
) -> Result<usize, Error> {
    tx.execute(UPDATE_NAME, named_params! {":id": id, ":account_id": account, ":name": name})
}

pub(in crate::factors) fn delete_passkey(tx: &mut Tx<'_>, account: AccountId, id: PasskeyId) -> Result<usize, Error> {
    tx.execute(DELETE_PASSKEY, named_params! {":id": id, ":account_id": account})
}

pub(in crate::factors) fn list_passkeys_since(
    view: &View<'_>,
    account: AccountId,
    since: Timestamp,
) -> Result<Vec<PasskeyId>, Error> {
    view.list(LIST_PASSKEYS_SINCE, named_params! {":account_id": account, ":since": since}, only)
}

/// Deletes the passkeys of an account, but not its handle.
pub(in crate::factors) fn delete_passkeys(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_PASSKEYS, named_params! {":account_id": account}).map(drop)
}
