//! The SQL of what people began and have not finished: challenges of passkeys, pending sign-ins, resets.

use rusqlite::named_params;

use super::super::model::{PendingSignIn, Reset};
use super::super::tables::{FACTOR_RESET, PASSKEY_CHALLENGE, PENDING_SIGN_IN};
use crate::base::{AccountId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, only, values};

const INSERT_CHALLENGE: &str = insert!(PASSKEY_CHALLENGE);
const TAKE_CHALLENGE: &str = "
    delete from passkey_challenge where digest = :digest
    returning purpose, account_id, state_json, expires_at";
const DELETE_CHALLENGES: &str = "delete from passkey_challenge where account_id = :account_id";
const INSERT_PENDING: &str = insert!(PENDING_SIGN_IN);
const FIND_PENDING: &str = "
    select account_id, method, remember, password_stamp from half_session where digest = :digest and expires_at > :now";
const COUNT_PENDING_TRY: &str = "update half_session set tries = tries + 1 where digest = :digest returning tries";
const DELETE_PENDING: &str = "delete from half_session where digest = :digest";
const DELETE_ALL_PENDING: &str = "delete from half_session where account_id = :account_id";
const INSERT_RESET: &str = insert!("insert or ignore", FACTOR_RESET);
const FIND_RESET: &str = "select asked_at, due_at from factor_reset where account_id = :account_id";
const LIST_DUE_RESETS: &str = "select account_id from factor_reset where due_at <= :now order by due_at limit :limit";
const DELETE_RESET: &str = "delete from factor_reset where account_id = :account_id";
const DELETE_ALL_CHALLENGES: &str = "delete from passkey_challenge";
const DELETE_PENDING_OF_ALL: &str = "delete from half_session";
const DELETE_ALL_RESETS: &str = "delete from factor_reset";
const DELETE_OLD_CHALLENGES: &str = "
    delete from passkey_challenge where digest in (
      select digest from passkey_challenge where expires_at <= :now limit :limit)";
const DELETE_OLD_PENDING: &str = "
    delete from half_session where digest in (select digest from half_session where expires_at <= :now limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT_CHALLENGE,
    TAKE_CHALLENGE,
    DELETE_CHALLENGES,
    INSERT_PENDING,
    FIND_PENDING,
    COUNT_PENDING_TRY,
    DELETE_PENDING,
    DELETE_ALL_PENDING,
    INSERT_RESET,
    FIND_RESET,
    LIST_DUE_RESETS,
    DELETE_RESET,
    DELETE_ALL_CHALLENGES,
    DELETE_PENDING_OF_ALL,
    DELETE_ALL_RESETS,
    DELETE_OLD_CHALLENGES,
    DELETE_OLD_PENDING,
];

pub(in crate::factors) fn insert_challenge(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    (purpose, account): (&str, Option<AccountId>),
    state_json: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        INSERT_CHALLENGE,
        values!(PASSKEY_CHALLENGE => {
            digest: digest,
            purpose: purpose,
            account_id: account,
            state_json: state_json,
            expires_at: expires_at,
        }),
    )?;
    Ok(())
}

/// A stored challenge.
pub(in crate::factors) struct Challenge {
    pub purpose: String,
    pub account: Option<AccountId>,
    pub state_json: String,
    pub expires_at: Timestamp,
}

/// Deletes a challenge and returns it, so that it can be answered once only.
pub(in crate::factors) fn take_challenge(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<Option<Challenge>, Error> {
    tx.find(TAKE_CHALLENGE, named_params! {":digest": digest}, |row| {
        by_name!(row, TAKE_CHALLENGE => purpose, account_id, state_json, expires_at);
        Ok(Challenge {
            purpose: purpose.get()?,
            account: account_id.get()?,
            state_json: state_json.get()?,
            expires_at: expires_at.get()?,
        })
    })
}

pub(in crate::factors) fn insert_pending(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    pending: &PendingSignIn,
    password_stamp: &[u8; 32],
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        INSERT_PENDING,
        values!(PENDING_SIGN_IN => {
            digest: digest,
            account_id: pending.account,
            method: pending.method,
            remember: pending.remember,
            password_stamp: password_stamp,
            expires_at: expires_at,
        }),
    )?;
    Ok(())
}

/// A pending sign-in that has not expired, with the stamp of the password it began with.
pub(in crate::factors) fn find_pending(
    view: &View<'_>,
    digest: &[u8; 32],
) -> Result<Option<(PendingSignIn, [u8; 32])>, Error> {
    let now = view.now();
    view.find(FIND_PENDING, named_params! {":digest": digest, ":now": now}, |row| {
        by_name!(row, FIND_PENDING => account_id, method, remember, password_stamp);
        Ok((
            PendingSignIn { account: account_id.get()?, method: method.get()?, remember: remember.get()? },
            password_stamp.get()?,
        ))
    })
}

/// Counts a wrong try. `None`: there is no such pending sign-in.
pub(in crate::factors) fn count_pending_try(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<Option<u32>, Error> {
    tx.find(COUNT_PENDING_TRY, named_params! {":digest": digest}, only)
}

pub(in crate::factors) fn delete_pending(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<usize, Error> {
    tx.execute(DELETE_PENDING, named_params! {":digest": digest})
}

pub(in crate::factors) fn delete_all_pending(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_ALL_PENDING, named_params! {":account_id": account})?;
    Ok(())
}

/// Zero: a reset is pending already.
pub(in crate::factors) fn insert_reset(
    tx: &mut Tx<'_>,
    account: AccountId,
    by: &str,
    due_at: Timestamp,
) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(
        INSERT_RESET,
        values!(FACTOR_RESET => {
            asked_by: by,
            asked_at: now,
            due_at: due_at,
            account_id: account,
        }),
    )
}

/// The pending reset of the account. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_reset(view: &View<'_>, account: AccountId) -> Result<Option<Reset>, Error> {
    view.find(FIND_RESET, named_params! {":account_id": account}, |row| {
        by_name!(row, FIND_RESET => asked_at, due_at);
        Ok(Reset { asked_at: asked_at.get()?, due_at: due_at.get()? })
    })
}

pub(in crate::factors) fn list_due_resets(view: &View<'_>, limit: u32) -> Result<Vec<AccountId>, Error> {
    let now = view.now();
    view.list(LIST_DUE_RESETS, named_params! {":now": now, ":limit": limit}, only)
}

pub(in crate::factors) fn delete_reset(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_RESET, named_params! {":account_id": account})
}

/// Deletes everything of an account.
pub(in crate::factors) fn delete_unfinished(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    for statement in [DELETE_CHALLENGES, DELETE_ALL_PENDING, DELETE_RESET] {
        tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(())
}

/// Deletes everything of all accounts.
pub(in crate::factors) fn delete_all_unfinished(tx: &mut Tx<'_>) -> Result<(), Error> {
    for statement in [DELETE_ALL_CHALLENGES, DELETE_PENDING_OF_ALL, DELETE_ALL_RESETS] {
        tx.execute(statement, [])?;
    }
    Ok(())
}

/// Deletes what expired. Returns how many rows.
pub(in crate::factors) fn delete_expired(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let mut rows = 0;
    for statement in [DELETE_OLD_CHALLENGES, DELETE_OLD_PENDING] {
        rows += tx.execute(statement, named_params! {":now": now, ":limit": limit})?;
    }
    Ok(rows)
}
