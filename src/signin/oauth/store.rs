//! All SQL about identities and the ways to providers and back.

use rusqlite::{Row, named_params};

use super::model::{Found, Identity};
use crate::base::{AccountId, EmailAddress, IdentityId, Timestamp};
use crate::db::{Error, Tx, View};

const INSERT: &str = "
    insert into identity (id, account_id, provider, issuer, subject, label, email, linked_at, last_used_at)
    values (:id, :account_id, :provider, :issuer, :subject, :label, :email, :now, :now)";
const FIND: &str = "
    select id, account_id, provider, issuer, label, linked_at, last_used_at from identity
    where issuer = :issuer and subject = :subject";
const LIST: &str = "
    select id, account_id, provider, issuer, label, linked_at, last_used_at from identity
    where account_id = :account_id
    order by linked_at, id
    limit 100";
const UPDATE_USED: &str = "update identity set last_used_at = :now, label = :label, email = :email where id = :id";
const DELETE: &str = "delete from identity where id = :id and account_id = :account_id";
const DELETE_SINCE: &str = "delete from identity where account_id = :account_id and linked_at >= :since";
const DELETE_ALL: &str = "delete from identity where account_id = :account_id";

const INSERT_WAY: &str = "
    insert into oauth_flow (digest, provider, purpose, binder, sealed, account_id, created_at, expires_at)
    values (:digest, :provider, :purpose, :binder, :sealed, :account_id, :now, :expires_at)";
const FIND_WAY: &str = "
    select provider, purpose, binder, sealed, account_id, created_at from oauth_flow
    where digest = :digest and used_at is null and expires_at > :now";
const USE_WAY: &str = "update oauth_flow set used_at = :now, posted = null where digest = :digest and used_at is null";
const UPDATE_POSTED: &str = "
    update oauth_flow set posted = :posted, posted_until = :until
    where digest = :digest and provider = :provider and used_at is null and expires_at > :now and posted is null";
const FIND_POSTED: &str = "
    select posted from oauth_flow
    where digest = :digest and provider = :provider and used_at is null and expires_at > :now and posted_until > :now";
const UPDATE_FOUND: &str = "update oauth_flow set found = :found, expires_at = :expires_at where digest = :digest";
const FIND_FOUND: &str = "
    select digest, found from oauth_flow
    where binder = :binder and found is not null and expires_at > :now
    order by used_at desc, rowid desc
    limit 1";
const DELETE_FOUND: &str = "delete from oauth_flow where binder = :binder and found is not null";
const DELETE_OLD_WAYS: &str = "
    delete from oauth_flow where digest in (select digest from oauth_flow where expires_at <= :now limit :limit)";
const DELETE_WAYS: &str = "delete from oauth_flow where account_id = :account_id";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    LIST,
    UPDATE_USED,
    DELETE,
    DELETE_SINCE,
    DELETE_ALL,
    INSERT_WAY,
    FIND_WAY,
    USE_WAY,
    UPDATE_POSTED,
    FIND_POSTED,
    UPDATE_FOUND,
    FIND_FOUND,
    DELETE_FOUND,
    DELETE_OLD_WAYS,
    DELETE_WAYS,
];

fn read(row: &Row<'_>) -> rusqlite::Result<Identity> {
    Ok(Identity {
        id: row.get(0)?,
        account: row.get(1)?,
        provider: row.get(2)?,
        issuer: row.get(3)?,
        label: row.get(4)?,
        linked_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, id: IdentityId, account: AccountId, found: &Found) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        named_params! {
            ":id": id,
            ":account_id": account,
            ":provider": found.provider,
            ":issuer": found.issuer,
            ":subject": found.subject,
            ":label": found.label(),
            ":email": found.email.as_ref().map(EmailAddress::as_str),
            ":now": now,
        },
    )?;
    Ok(())
}

pub(super) fn find(view: &View<'_>, issuer: &str, subject: &str) -> Result<Option<Identity>, Error> {
    view.find(FIND, named_params! {":issuer": issuer, ":subject": subject}, read)
}

pub(super) fn list(view: &View<'_>, account: AccountId) -> Result<Vec<Identity>, Error> {
    view.list(LIST, named_params! {":account_id": account}, read)
}

pub(super) fn update_used(tx: &mut Tx<'_>, id: IdentityId, found: &Found) -> Result<(), Error> {
    let now = tx.now();
    let email = found.email.as_ref().map(EmailAddress::as_str);
    tx.execute(UPDATE_USED, named_params! {":id": id, ":now": now, ":label": found.label(), ":email": email})?;
    Ok(())
}

pub(super) fn delete(tx: &mut Tx<'_>, account: AccountId, id: IdentityId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id, ":account_id": account})
}

pub(super) fn delete_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<usize, Error> {
    tx.execute(DELETE_SINCE, named_params! {":account_id": account, ":since": since})
}

/// Deletes what the account is connected with, and the ways it is on.
pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_WAYS, named_params! {":account_id": account})?;
    tx.execute(DELETE_ALL, named_params! {":account_id": account})
}

/// A way as it stands in its row.
pub(super) struct WayRow {
    pub provider: String,
    pub purpose: String,
    pub binder: [u8; 32],
    pub sealed: Vec<u8>,
    pub account: Option<AccountId>,
    pub created_at: Timestamp,
}

/// Keeps a way that is beginning now.
pub(super) fn insert_way(tx: &mut Tx<'_>, digest: &[u8; 32], way: &WayRow, expires_at: Timestamp) -> Result<(), Error> {
    tx.execute(
        INSERT_WAY,
        named_params! {
            ":digest": digest,
            ":provider": way.provider,
            ":purpose": way.purpose,
            ":binder": way.binder,
            ":sealed": way.sealed,
            ":account_id": way.account,
            ":now": way.created_at,
            ":expires_at": expires_at,
        },
    )?;
    Ok(())
}

/// A way that is open: neither used nor too old.
pub(super) fn find_way(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<WayRow>, Error> {
    let now = view.now();
    view.find(FIND_WAY, named_params! {":digest": digest, ":now": now}, |row| {
        Ok(WayRow {
            provider: row.get(0)?,
            purpose: row.get(1)?,
            binder: row.get(2)?,
            sealed: row.get(3)?,
            account: row.get(4)?,
            created_at: row.get(5)?,
        })
    })
}

/// Zero: it was used already.
pub(super) fn use_way(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(USE_WAY, named_params! {":digest": digest, ":now": now})
}

/// Keeps the first answer that came as a form.
pub(super) fn update_posted(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    provider: &str,
    posted: &[u8],
    until: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    let params = named_params! {
        ":digest": digest, ":provider": provider, ":posted": posted, ":until": until, ":now": now,
    };
    tx.execute(UPDATE_POSTED, params)?;
    Ok(())
}

pub(super) fn find_posted(view: &View<'_>, digest: &[u8; 32], provider: &str) -> Result<Option<Vec<u8>>, Error> {
    let now = view.now();
    let params = named_params! {":digest": digest, ":provider": provider, ":now": now};
    Ok(view.find(FIND_POSTED, params, |row| row.get(0))?.flatten())
}

pub(super) fn update_found(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    found: &[u8],
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(UPDATE_FOUND, named_params! {":digest": digest, ":found": found, ":expires_at": expires_at})?;
    Ok(())
}

/// What names a row, and what is sealed in it.
type Sealed = ([u8; 32], Vec<u8>);

/// Who came back last to this browser and still waits.
pub(super) fn find_found(view: &View<'_>, binder: &[u8; 32]) -> Result<Option<Sealed>, Error> {
    let now = view.now();
    view.find(FIND_FOUND, named_params! {":binder": binder, ":now": now}, |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn delete_found(tx: &mut Tx<'_>, binder: &[u8; 32]) -> Result<(), Error> {
    tx.execute(DELETE_FOUND, named_params! {":binder": binder})?;
    Ok(())
}

pub(super) fn delete_old_ways(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_OLD_WAYS, named_params! {":now": now, ":limit": limit})
}
