//! All SQL about second factors: here that of authenticator apps and recovery codes.

mod passkeys;
mod unfinished;

use rusqlite::named_params;

use super::model::EnrolledFactors;
use super::tables::{RECOVERY_CODE, TOTP, TOTP_SETUP};
use crate::base::{AccountId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, only, values};

pub(super) use passkeys::{
    NewPasskey, delete_handle, delete_passkey, find_credential, find_handle, insert_handle, insert_passkey,
    list_credential_ids, list_passkeys_since, update_name, update_signed,
};
pub use passkeys::{STATEMENTS as PASSKEY_STATEMENTS, list_passkeys};
pub use unfinished::{STATEMENTS as UNFINISHED_STATEMENTS, find_reset};
pub(super) use unfinished::{
    count_pending_try, delete_all_pending, delete_pending, delete_reset, find_pending, insert_challenge,
    insert_pending, insert_reset, list_due_resets, take_challenge,
};

const FIND_ENROLLED: &str = "
    select exists (select 1 from totp where account_id = :account_id) as has_totp,
           (select count(*) from passkey where account_id = :account_id) as passkeys,
           (select count(*) from recovery_code where account_id = :account_id and used_at is null) as codes_left";
// Runs for every page of a person who is signed in: one query, which reads only index entries.
const FIND_MUST_ENROL: &str = "
    select (is_operator = 1 or :everybody)
       and not exists (select 1 from totp where account_id = :account_id)
       and not exists (select 1 from passkey where account_id = :account_id)
    from account where id = :account_id";
const REPLACE_SET_UP: &str = insert!("insert or replace", TOTP_SETUP);
const FIND_SET_UP: &str = "
    select sealed_secret from totp_setup where account_id = :account_id and expires_at > :now";
const DELETE_SET_UP: &str = "delete from totp_setup where account_id = :account_id";
const REPLACE_TOTP: &str = insert!("insert or replace", TOTP);
const FIND_TOTP: &str = "select sealed_secret, last_step from totp where account_id = :account_id";
const UPDATE_STEP: &str = "
    update totp set last_step = :step where account_id = :account_id and last_step < :step";
const DELETE_TOTP: &str = "delete from totp where account_id = :account_id";
const DELETE_TOTP_SINCE: &str = "delete from totp where account_id = :account_id and confirmed_at >= :since";
const INSERT_CODE: &str = insert!(RECOVERY_CODE);
const USE_CODE: &str = "
    update recovery_code set used_at = :now
    where lookup = :lookup and account_id = :account_id and used_at is null";
const DELETE_CODES: &str = "delete from recovery_code where account_id = :account_id";
const DELETE_CODES_SINCE: &str = "delete from recovery_code where account_id = :account_id and created_at >= :since";
const DELETE_ALL_SET_UPS: &str = "delete from totp_setup";
const SET_STEPS: &str = "update totp set last_step = :step";
const DELETE_OLD_SET_UPS: &str = "
    delete from totp_setup where account_id in (
      select account_id from totp_setup where expires_at <= :now limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_ENROLLED,
    FIND_MUST_ENROL,
    REPLACE_SET_UP,
    FIND_SET_UP,
    DELETE_SET_UP,
    REPLACE_TOTP,
    FIND_TOTP,
    UPDATE_STEP,
    DELETE_TOTP,
    DELETE_TOTP_SINCE,
    INSERT_CODE,
    USE_CODE,
    DELETE_CODES,
    DELETE_CODES_SINCE,
    DELETE_OLD_SET_UPS,
    DELETE_ALL_SET_UPS,
    SET_STEPS,
];

/// The factors that the person has.
///
/// # Errors
/// [`Error`].
pub fn find_enrolled(view: &View<'_>, account: AccountId) -> Result<EnrolledFactors, Error> {
    view.one(FIND_ENROLLED, named_params! {":account_id": account}, |row| {
        by_name!(row, FIND_ENROLLED => has_totp, passkeys, codes_left);
        Ok(EnrolledFactors { has_totp: has_totp.get()?, passkeys: passkeys.get()?, codes_left: codes_left.get()? })
    })
}

/// Whether the person must have a factor and has none.
pub(super) fn must_enrol(view: &View<'_>, account: AccountId, everybody: bool) -> Result<bool, Error> {
    let params = named_params! {":account_id": account, ":everybody": everybody};
    Ok(view.find(FIND_MUST_ENROL, params, only)?.unwrap_or(false))
}

pub(super) fn insert_set_up(
    tx: &mut Tx<'_>,
    account: AccountId,
    sealed: &[u8],
    expires_at: Timestamp,
) -> Result<(), Error> {
    let params = values!(TOTP_SETUP => { account_id: account, sealed_secret: sealed, expires_at: expires_at });
    tx.execute(REPLACE_SET_UP, params)?;
    Ok(())
}

pub(super) fn find_set_up(view: &View<'_>, account: AccountId) -> Result<Option<Vec<u8>>, Error> {
    let now = view.now();
    view.find(FIND_SET_UP, named_params! {":account_id": account, ":now": now}, only)
}

pub(super) fn delete_set_up(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_SET_UP, named_params! {":account_id": account})?;
    Ok(())
}

pub(super) fn insert_totp(tx: &mut Tx<'_>, account: AccountId, sealed: &[u8], step: i64) -> Result<(), Error> {
    let now = tx.now();
    let params = values!(TOTP => {
        confirmed_at: now,
        account_id: account,
        sealed_secret: sealed,
        last_step: step,
    });
    tx.execute(REPLACE_TOTP, params)?;
    Ok(())
}

/// The sealed secret, and the newest step whose code was accepted.
pub(super) fn find_totp(view: &View<'_>, account: AccountId) -> Result<Option<(Vec<u8>, i64)>, Error> {
    view.find(FIND_TOTP, named_params! {":account_id": account}, |row| {
        by_name!(row, FIND_TOTP => sealed_secret, last_step);
        Ok((sealed_secret.get()?, last_step.get()?))
    })
}

/// Stores that a code was accepted. Zero: a code of this step or a later one was accepted before.
pub(super) fn update_step(tx: &mut Tx<'_>, account: AccountId, step: i64) -> Result<usize, Error> {
    tx.execute(UPDATE_STEP, named_params! {":account_id": account, ":step": step})
}

pub(super) fn delete_totp(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_TOTP, named_params! {":account_id": account})
}

pub(super) fn insert_code(tx: &mut Tx<'_>, account: AccountId, lookup: &[u8; 32]) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(INSERT_CODE, values!(RECOVERY_CODE => { created_at: now, lookup: lookup, account_id: account }))?;
    Ok(())
}

/// Uses a code up. Zero: it is wrong, or was used before.
pub(super) fn update_code_used(tx: &mut Tx<'_>, account: AccountId, lookup: &[u8; 32]) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(USE_CODE, named_params! {":lookup": lookup, ":account_id": account, ":now": now})
}

pub(super) fn delete_codes(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_CODES, named_params! {":account_id": account})
}

/// Deletes app and codes that were added at `since` or later. Returns how many rows of each.
pub(super) fn delete_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<(usize, usize), Error> {
    let totp = tx.execute(DELETE_TOTP_SINCE, named_params! {":account_id": account, ":since": since})?;
    let codes = tx.execute(DELETE_CODES_SINCE, named_params! {":account_id": account, ":since": since})?;
    Ok((totp, codes))
}

/// Deletes every factor of the account, and everything that is under way about them.
pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    for statement in [DELETE_TOTP, DELETE_SET_UP, DELETE_CODES] {
        tx.execute(statement, named_params! {":account_id": account})?;
    }
    passkeys::delete_passkeys(tx, account)?;
    unfinished::delete_unfinished(tx, account)
}

/// Deletes everything that people began and did not finish, of all accounts.
pub(super) fn delete_unfinished_of_all(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE_ALL_SET_UPS, [])?;
    unfinished::delete_all_unfinished(tx)
}

/// Codes up to `step` count as used, and none beyond it, of all accounts.
pub(super) fn set_steps(tx: &mut Tx<'_>, step: i64) -> Result<(), Error> {
    tx.execute(SET_STEPS, named_params! {":step": step}).map(drop)
}

/// Deletes expired challenges, pending sign-ins and set-ups. Returns how many rows.
pub(super) fn delete_old(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let set_ups = tx.execute(DELETE_OLD_SET_UPS, named_params! {":now": now, ":limit": limit})?;
    Ok(set_ups + unfinished::delete_expired(tx, limit)?)
}
