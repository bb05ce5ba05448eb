//! All SQL about second factors.

use rusqlite::named_params;

use super::model::{EnrolledFactors, Passkey, PendingSignIn, Reset};
use super::tables::{
    FACTOR_RESET, PASSKEY, PASSKEY_CHALLENGE, PASSKEY_HANDLE, PENDING_SIGN_IN, RECOVERY_CODE, TOTP, TOTP_SETUP,
};
use crate::base::{AccountId, PasskeyId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

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

const DELETE_ALL_SET_UPS: &str = "delete from totp_setup";
const DELETE_ALL_CHALLENGES: &str = "delete from passkey_challenge";
const DELETE_PENDING_OF_ALL: &str = "delete from half_session";
const DELETE_ALL_RESETS: &str = "delete from factor_reset";
const SET_STEPS: &str = "update totp set last_step = :step";

const DELETE_OLD_SET_UPS: &str = "
    delete from totp_setup where account_id in (
      select account_id from totp_setup where expires_at <= :now limit :limit)";
const DELETE_OLD_CHALLENGES: &str = "
    delete from passkey_challenge where digest in (
      select digest from passkey_challenge where expires_at <= :now limit :limit)";
const DELETE_OLD_PENDING: &str = "
    delete from half_session where digest in (select digest from half_session where expires_at <= :now limit :limit)";

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
    DELETE_OLD_SET_UPS,
    DELETE_ALL_SET_UPS,
    DELETE_ALL_CHALLENGES,
    DELETE_PENDING_OF_ALL,
    DELETE_ALL_RESETS,
    SET_STEPS,
    DELETE_OLD_CHALLENGES,
    DELETE_OLD_PENDING,
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

/// Stores `handle` for an account that has none yet.
pub(super) fn insert_handle(tx: &mut Tx<'_>, account: AccountId, handle: &[u8; 16]) -> Result<(), Error> {
    tx.execute(INSERT_HANDLE, values!(PASSKEY_HANDLE => { account_id: account, handle: handle }))?;
    Ok(())
}

pub(super) fn find_handle(view: &View<'_>, account: AccountId) -> Result<Option<[u8; 16]>, Error> {
    view.find(FIND_HANDLE, named_params! {":account_id": account}, only)
}

/// The row of a new passkey, without its id.
pub(super) struct NewPasskey<'r> {
    pub account: AccountId,
    pub credential_id: &'r [u8],
    pub credential_json: &'r str,
    pub name: &'r str,
    pub sign_count: u32,
    pub is_backed_up: bool,
}

/// Zero: an account has the credential already.
pub(super) fn insert_passkey(tx: &mut Tx<'_>, id: PasskeyId, new: &NewPasskey<'_>) -> Result<usize, Error> {
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

pub(super) fn list_credential_ids(view: &View<'_>, account: AccountId) -> Result<Vec<Vec<u8>>, Error> {
    view.list(LIST_CREDENTIAL_IDS, named_params! {":account_id": account}, only)
}

/// What an assertion is checked against.
pub(super) struct Credential {
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
pub(super) fn update_signed(tx: &mut Tx<'_>, signed: &super::model::VerifiedAssertion) -> Result<usize, Error> {
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

pub(super) fn update_name(tx: &mut Tx<'_>, account: AccountId, id: PasskeyId, name: &str) -> Result<usize, Error> {
    tx.execute(UPDATE_NAME, named_params! {":id": id, ":account_id": account, ":name": name})
}

pub(super) fn delete_passkey(tx: &mut Tx<'_>, account: AccountId, id: PasskeyId) -> Result<usize, Error> {
    tx.execute(DELETE_PASSKEY, named_params! {":id": id, ":account_id": account})
}

pub(super) fn list_passkeys_since(
    view: &View<'_>,
    account: AccountId,
    since: Timestamp,
) -> Result<Vec<PasskeyId>, Error> {
    view.list(LIST_PASSKEYS_SINCE, named_params! {":account_id": account, ":since": since}, only)
}

/// Deletes app and codes that were added at `since` or later. Returns how many rows of each.
pub(super) fn delete_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<(usize, usize), Error> {
    let totp = tx.execute(DELETE_TOTP_SINCE, named_params! {":account_id": account, ":since": since})?;
    let codes = tx.execute(DELETE_CODES_SINCE, named_params! {":account_id": account, ":since": since})?;
    Ok((totp, codes))
}

pub(super) fn insert_challenge(
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
pub(super) struct Challenge {
    pub purpose: String,
    pub account: Option<AccountId>,
    pub state_json: String,
    pub expires_at: Timestamp,
}

/// Deletes a challenge and returns it, so that it can be answered once only.
pub(super) fn take_challenge(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<Option<Challenge>, Error> {
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

pub(super) fn insert_pending(
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
pub(super) fn find_pending(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<(PendingSignIn, [u8; 32])>, Error> {
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
pub(super) fn count_pending_try(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<Option<u32>, Error> {
    tx.find(COUNT_PENDING_TRY, named_params! {":digest": digest}, only)
}

pub(super) fn delete_pending(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<usize, Error> {
    tx.execute(DELETE_PENDING, named_params! {":digest": digest})
}

pub(super) fn delete_all_pending(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_ALL_PENDING, named_params! {":account_id": account})?;
    Ok(())
}

/// Zero: a reset is pending already.
pub(super) fn insert_reset(tx: &mut Tx<'_>, account: AccountId, by: &str, due_at: Timestamp) -> Result<usize, Error> {
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

pub(super) fn list_due_resets(view: &View<'_>, limit: u32) -> Result<Vec<AccountId>, Error> {
    let now = view.now();
    view.list(LIST_DUE_RESETS, named_params! {":now": now, ":limit": limit}, only)
}

pub(super) fn delete_reset(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_RESET, named_params! {":account_id": account})
}

/// Deletes every factor of the account, and everything that is under way about them.
pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    for statement in
        [DELETE_TOTP, DELETE_SET_UP, DELETE_CODES, DELETE_PASSKEYS, DELETE_CHALLENGES, DELETE_ALL_PENDING, DELETE_RESET]
    {
        tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(())
}

pub(super) fn delete_handle(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_HANDLE, named_params! {":account_id": account})?;
    Ok(())
}

/// Deletes everything that people began and did not finish, of all accounts.
pub(super) fn delete_unfinished_of_all(tx: &mut Tx<'_>) -> Result<(), Error> {
    for statement in [DELETE_ALL_SET_UPS, DELETE_ALL_CHALLENGES, DELETE_PENDING_OF_ALL, DELETE_ALL_RESETS] {
        tx.execute(statement, [])?;
    }
    Ok(())
}

/// Codes up to `step` count as used, and none beyond it, of all accounts.
pub(super) fn set_steps(tx: &mut Tx<'_>, step: i64) -> Result<(), Error> {
    tx.execute(SET_STEPS, named_params! {":step": step}).map(drop)
}

/// Deletes expired challenges, pending sign-ins and set-ups. Returns how many rows.
pub(super) fn delete_old(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let mut rows = 0;
    for statement in [DELETE_OLD_CHALLENGES, DELETE_OLD_PENDING, DELETE_OLD_SET_UPS] {
        rows += tx.execute(statement, named_params! {":now": now, ":limit": limit})?;
    }
    Ok(rows)
}
