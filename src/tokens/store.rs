//! All SQL of signing keys and the revocation feed.

use rusqlite::{Row, named_params};

use super::model::{Revocation, TokenKey};
use crate::base::Timestamp;
use crate::db::{Error, Tx, View};

const LIST_KEYS: &str = "
    select kid, public_key, sealed_secret, not_before from jwt_key
    where publish_until is null or publish_until > :now
    order by not_before desc, kid";
const FIND_KEY: &str = "
    select kid, public_key, sealed_secret, not_before from jwt_key
    where kid = :kid and (publish_until is null or publish_until > :now)";
const INSERT_KEY: &str = "
    insert into jwt_key (kid, public_key, sealed_secret, created_at, not_before)
    values (:kid, :public_key, :sealed_secret, :now, :not_before)";
const SUCCEED: &str = "
    update jwt_key set sign_until = :sign_until, publish_until = :publish_until
    where sign_until is null and kid <> :successor";
const EMPTY_SECRETS: &str = "
    update jwt_key set sealed_secret = null where sign_until <= :now and sealed_secret is not null";
const DELETE_OLD_KEYS: &str = "delete from jwt_key where publish_until <= :now";
const DELETE_KEYS: &str = "delete from jwt_key";

// SQLite stores this number for the table, so it continues to grow after all rows were deleted.
const LAST_EVER: &str = "select coalesce((select seq from sqlite_sequence where name = 'revocation'), 0)";
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
    LIST_AFTER,
    IS_NAMED_SINCE,
    MARK_SEEN,
    DELETE_SEEN,
];

fn read(row: &Row<'_>) -> rusqlite::Result<TokenKey> {
    Ok(TokenKey { kid: row.get(0)?, public_key: row.get(1)?, sealed_secret: row.get(2)?, not_before: row.get(3)? })
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
        named_params! {
            ":kid": kid,
            ":public_key": public_key,
            ":sealed_secret": sealed_secret,
            ":now": now,
            ":not_before": not_before,
        },
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
    view.one(LAST_EVER, [], |row| row.get(0))
}

pub(super) fn list_after(view: &View<'_>, after: i64, limit: u32) -> Result<Vec<Revocation>, Error> {
    view.list(LIST_AFTER, named_params! {":after": after, ":limit": limit}, |row| {
        Ok(Revocation { seq: row.get(0)?, kind: row.get(1)?, id: row.get(2)? })
    })
}

/// Whether a row after `epoch` names the key or the person.
pub(super) fn is_named_since(view: &View<'_>, epoch: i64, key: &str, subject: &str) -> Result<bool, Error> {
    view.one(IS_NAMED_SINCE, named_params! {":epoch": epoch, ":key": key, ":subject": subject}, |row| row.get(0))
}

/// Sets `seen_at` of new rows, and deletes the rows that were seen before `before`.
pub(super) fn purge(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(MARK_SEEN, named_params! {":now": now})?;
    tx.execute(DELETE_SEEN, named_params! {":before": before, ":limit": limit})
}
