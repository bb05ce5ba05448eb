//! All SQL of signing keys and the revocation feed.

use rusqlite::{Row, named_params};

use super::model::{Revocation, TokenKey};
use super::tables::JWT_KEY;
use crate::base::Timestamp;
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const KEY: &str = columns!(JWT_KEY, except created_at, sign_until, publish_until);
const LIST_KEYS: &str = sql!(
    "select ",
    KEY,
    "
    from jwt_key
    where publish_until is null or publish_until > :now
    order by not_before desc, kid"
);
const FIND_KEY: &str = sql!(
    "select ",
    KEY,
    "
    from jwt_key
    where kid = :kid and (publish_until is null or publish_until > :now)"
);
const INSERT_KEY: &str = insert!(JWT_KEY);
const SUCCEED: &str = "
    update jwt_key set sign_until = :sign_until, publish_until = :publish_until
    where sign_until is null and kid <> :successor";
const EMPTY_SECRETS: &str = "
    update jwt_key set sealed_secret = null where sign_until <= :now and sealed_secret is not null";
const DELETE_OLD_KEYS: &str = "delete from jwt_key where publish_until <= :now";
const DELETE_KEYS: &str = "delete from jwt_key";

// SQLite stores this number for the table, so it continues to grow after all rows were deleted.
const LAST_EVER: &str = "select coalesce((select seq from sqlite_sequence where name = 'revocation'), 0)";
const RAISE_SEQUENCE: &str = "update sqlite_sequence set seq = max(seq, :number) where name = 'revocation'";
// Tokens that were issued before the clock was set back have a lower number than this (migration `clock`).
const FIRST_VALID: &str = "select token_seq from clock where id = 1";
const LIST_AFTER: &str = "
    select seq, kind, subject_id from revocation where seq > :after order by seq limit :limit";
const IS_NAMED_SINCE: &str = "
    select exists (
      select 1 from revocation
      where seq > :epoch and ((kind = 'key' and subject_id = :key) or (kind = 'subject' and subject_id = :subject)))";
const MARK_SEEN: &str = "update revocation set seen_at = :now where seen_at is null";
const DELETE_SEEN: &str = "
    delete from revocation where seq in (select seq from revocation where seen_at <= :before limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_KEYS,
    FIND_KEY,
    INSERT_KEY,
    SUCCEED,
    EMPTY_SECRETS,
    DELETE_OLD_KEYS,
    DELETE_KEYS,
    LAST_EVER,
    RAISE_SEQUENCE,
    FIRST_VALID,
    LIST_AFTER,
    IS_NAMED_SINCE,
    MARK_SEEN,
    DELETE_SEEN,
];

fn read(row: &Row<'_>) -> rusqlite::Result<TokenKey> {
    by_name!(row, KEY => kid, public_key, sealed_secret, not_before);
    Ok(TokenKey {
        kid: kid.get()?,
        public_key: public_key.get()?,
        sealed_secret: sealed_secret.get()?,
        not_before: not_before.get()?,
    })
}

/// The published keys, the newest first. There are at most three.
pub(super) fn list_keys(view: &View<'_>) -> Result<Vec<TokenKey>, Error> {
    view.list(LIST_KEYS, named_params! {":now": view.now()}, read)
}

/// A published key.
pub(super) fn find_key(view: &View<'_>, kid: &str) -> Result<Option<TokenKey>, Error> {
    view.find(FIND_KEY, named_params! {":kid": kid, ":now": view.now()}, read)
}

pub(super) fn insert_key(
    tx: &mut Tx<'_>,
    kid: &str,
    public_key: &[u8; 32],
    sealed_secret: &[u8],
    not_before: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_KEY,
        values!(JWT_KEY => {
            kid: kid,
            public_key: public_key,
            sealed_secret: sealed_secret,
            created_at: now,
            not_before: not_before,
        }),
    )?;
    Ok(())
}

/// Sets the end of every key that `successor` replaces.
pub(super) fn update_succeeded(
    tx: &mut Tx<'_>,
    successor: &str,
    sign_until: Timestamp,
    publish_until: Timestamp,
) -> Result<(), Error> {
    let ends = named_params! {":successor": successor, ":sign_until": sign_until, ":publish_until": publish_until};
    tx.execute(SUCCEED, ends)?;
    Ok(())
}

/// Deletes the private part of keys that no longer sign, and keys that no token needs any more.
pub(super) fn retire_keys(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    Ok(tx.execute(EMPTY_SECRETS, named_params! {":now": now})?
        + tx.execute(DELETE_OLD_KEYS, named_params! {":now": now})?)
}

pub(super) fn delete_keys(tx: &mut Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_KEYS, [])
}

/// The number of the last row that was ever written; zero if there was none.
pub(super) fn find_last(view: &View<'_>) -> Result<i64, Error> {
    view.one(LAST_EVER, [], only)
}

/// The lowest number of a token that was issued since the clock was last set back.
pub(super) fn find_first_valid(view: &View<'_>) -> Result<i64, Error> {
    view.one(FIRST_VALID, [], only)
}

/// Makes the next number of the feed greater than `number`.
pub(super) fn raise_last(tx: &mut Tx<'_>, number: i64) -> Result<(), Error> {
    tx.execute(RAISE_SEQUENCE, named_params! {":number": number})?;
    Ok(())
}

pub(super) fn list_after(view: &View<'_>, after: i64, limit: u32) -> Result<Vec<Revocation>, Error> {
    view.list(LIST_AFTER, named_params! {":after": after, ":limit": limit}, |row| {
        by_name!(row, LIST_AFTER => seq, kind, subject_id);
        Ok(Revocation { seq: seq.get()?, kind: kind.get()?, id: subject_id.get()? })
    })
}

/// Whether a row after `epoch` names the key or the person.
pub(super) fn is_named_since(view: &View<'_>, epoch: i64, key: &str, subject: &str) -> Result<bool, Error> {
    view.one(IS_NAMED_SINCE, named_params! {":epoch": epoch, ":key": key, ":subject": subject}, only)
}

/// Sets `seen_at` of new rows, and deletes the rows that were seen before `before`.
pub(super) fn purge(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(MARK_SEEN, named_params! {":now": now})?;
    tx.execute(DELETE_SEEN, named_params! {":before": before, ":limit": limit})
}
