//! All SQL for linked identities and authorization requests.

use rusqlite::{Row, named_params};

use super::model::{ExternalIdentity, LinkedIdentity};
use super::tables::{IDENTITY, OAUTH_FLOW};
use crate::base::{AccountId, EmailAddress, IdentityId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const INSERT: &str = insert!(IDENTITY);
const ROW: &str = columns!(IDENTITY, except subject, email);
const FIND: &str = sql!("select ", ROW, " from identity where issuer = :issuer and subject = :subject");
const LIST: &str =
    sql!("select ", ROW, " from identity where account_id = :account_id order by linked_at, id limit 100");
const UPDATE_USED: &str = "update identity set last_used_at = :now, label = :label, email = :email where id = :id";
const DELETE: &str = "delete from identity where id = :id and account_id = :account_id";
const DELETE_SINCE: &str = "delete from identity where account_id = :account_id and linked_at >= :since";
const DELETE_ALL: &str = "delete from identity where account_id = :account_id";

const INSERT_REQUEST: &str = insert!(OAUTH_FLOW);
const FIND_REQUEST: &str = "
    select provider, purpose, binder, sealed, account_id, created_at from oauth_flow
    where digest = :digest and used_at is null and expires_at > :now";
const USE_REQUEST: &str =
    "update oauth_flow set used_at = :now, posted = null where digest = :digest and used_at is null";
const UPDATE_POSTED: &str = "
    update oauth_flow set posted = :posted, posted_until = :until
    where digest = :digest and provider = :provider and used_at is null and expires_at > :now and posted is null";
const FIND_POSTED: &str = "
    select posted from oauth_flow
    where digest = :digest and provider = :provider and used_at is null and expires_at > :now and posted_until > :now";
const UPDATE_EXTERNAL: &str = "update oauth_flow set found = :found, expires_at = :expires_at where digest = :digest";
const FIND_EXTERNAL: &str = "
    select digest, found from oauth_flow
    where binder = :binder and found is not null and expires_at > :now
    order by used_at desc, rowid desc
    limit 1";
const DELETE_EXTERNAL: &str = "delete from oauth_flow where binder = :binder and found is not null";
const DELETE_EXPIRED_REQUESTS: &str = "
    delete from oauth_flow where digest in (select digest from oauth_flow where expires_at <= :now limit :limit)";
const DELETE_REQUESTS: &str = "delete from oauth_flow where account_id = :account_id";

const DELETE_ALL_REQUESTS: &str = "delete from oauth_flow";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    LIST,
    UPDATE_USED,
    DELETE,
    DELETE_SINCE,
    DELETE_ALL,
    INSERT_REQUEST,
    FIND_REQUEST,
    USE_REQUEST,
    UPDATE_POSTED,
    FIND_POSTED,
    UPDATE_EXTERNAL,
    FIND_EXTERNAL,
    DELETE_EXTERNAL,
    DELETE_EXPIRED_REQUESTS,
    DELETE_REQUESTS,
    DELETE_ALL_REQUESTS,
];

fn read(row: &Row<'_>) -> rusqlite::Result<LinkedIdentity> {
    by_name!(row, ROW => id, account_id, provider, issuer, label, linked_at, last_used_at);
    Ok(LinkedIdentity {
        id: id.get()?,
        account: account_id.get()?,
        provider: provider.get()?,
        issuer: issuer.get()?,
        label: label.get()?,
        linked_at: linked_at.get()?,
        last_used_at: last_used_at.get()?,
    })
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    id: IdentityId,
    account: AccountId,
    external: &ExternalIdentity,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(IDENTITY => {
            id: id,
            provider: external.provider,
            issuer: external.issuer,
            subject: external.subject,
            label: external.label(),
            email: external.email.as_ref().map(EmailAddress::as_str),
            linked_at: now,
            last_used_at: now,
            account_id: account,
        }),
    )?;
    Ok(())
}

pub(super) fn find(view: &View<'_>, issuer: &str, subject: &str) -> Result<Option<LinkedIdentity>, Error> {
    view.find(FIND, named_params! {":issuer": issuer, ":subject": subject}, read)
}

/// The linked identities of the account, the oldest first.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, account: AccountId) -> Result<Vec<LinkedIdentity>, Error> {
    view.list(LIST, named_params! {":account_id": account}, read)
}

pub(super) fn update_used(tx: &mut Tx<'_>, id: IdentityId, external: &ExternalIdentity) -> Result<(), Error> {
    let now = tx.now();
    let email = external.email.as_ref().map(EmailAddress::as_str);
    tx.execute(UPDATE_USED, named_params! {":id": id, ":now": now, ":label": external.label(), ":email": email})?;
    Ok(())
}

pub(super) fn delete(tx: &mut Tx<'_>, account: AccountId, id: IdentityId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id, ":account_id": account})
}

pub(super) fn delete_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<usize, Error> {
    tx.execute(DELETE_SINCE, named_params! {":account_id": account, ":since": since})
}

/// Deletes the linked identities and the authorization requests of the account without an event: the caller records
/// one.
///
/// # Errors
/// [`Error`].
pub fn delete_all(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_REQUESTS, named_params! {":account_id": account})?;
    tx.execute(DELETE_ALL, named_params! {":account_id": account})
}

/// The row of an authorization request.
pub(super) struct AuthorizationRequestRow {
    pub provider: String,
    pub purpose: String,
    pub state_cookie: [u8; 32],
    pub sealed: Vec<u8>,
    pub account: Option<AccountId>,
    pub created_at: Timestamp,
}

/// Stores a new authorization request.
pub(super) fn insert_request(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    request: &AuthorizationRequestRow,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        INSERT_REQUEST,
        values!(OAUTH_FLOW => {
            digest: digest,
            provider: request.provider,
            purpose: request.purpose,
            binder: request.state_cookie,
            sealed: request.sealed,
            account_id: request.account,
            created_at: request.created_at,
            expires_at: expires_at,
        }),
    )?;
    Ok(())
}

/// A request that is neither used nor expired.
pub(super) fn find_request(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<AuthorizationRequestRow>, Error> {
    let now = view.now();
    view.find(FIND_REQUEST, named_params! {":digest": digest, ":now": now}, |row| {
        by_name!(row, FIND_REQUEST => provider, purpose, binder, sealed, account_id, created_at);
        Ok(AuthorizationRequestRow {
            provider: provider.get()?,
            purpose: purpose.get()?,
            state_cookie: binder.get()?,
            sealed: sealed.get()?,
            account: account_id.get()?,
            created_at: created_at.get()?,
        })
    })
}

/// Marks the request as used. Returns 0 if it was already used.
pub(super) fn use_request(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(USE_REQUEST, named_params! {":digest": digest, ":now": now})
}

/// Stores the first response that came as a form; later ones are ignored.
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
    Ok(view.find(FIND_POSTED, params, only)?.flatten())
}

pub(super) fn update_external(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    external: &[u8],
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(UPDATE_EXTERNAL, named_params! {":digest": digest, ":found": external, ":expires_at": expires_at})?;
    Ok(())
}

/// The digest (primary key) of a row and its sealed value.
type Sealed = ([u8; 32], Vec<u8>);

/// The newest external identity that still waits in this browser.
pub(super) fn find_external(view: &View<'_>, state_cookie: &[u8; 32]) -> Result<Option<Sealed>, Error> {
    let now = view.now();
    view.find(FIND_EXTERNAL, named_params! {":binder": state_cookie, ":now": now}, |row| {
        by_name!(row, FIND_EXTERNAL => digest, found);
        Ok((digest.get()?, found.get()?))
    })
}

pub(super) fn delete_external(tx: &mut Tx<'_>, state_cookie: &[u8; 32]) -> Result<(), Error> {
    tx.execute(DELETE_EXTERNAL, named_params! {":binder": state_cookie})?;
    Ok(())
}

/// Deletes all authorization requests, because a restored database does not know which were used after it was copied.
///
/// # Errors
/// [`Error`].
pub fn delete_all_requests(tx: &mut Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_ALL_REQUESTS, [])
}

pub(super) fn delete_expired_requests(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_EXPIRED_REQUESTS, named_params! {":now": now, ":limit": limit})
}
