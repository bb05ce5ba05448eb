//! All SQL about keys.

use rusqlite::{Row, named_params};

use super::model::{ApiKey, KeyState, Owner};
use crate::base::{AccountId, ApiKeyId, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View};

const INSERT: &str = "
    insert into api_key (id, workspace_id, account_id, name, display, lookup, pepper_id, scopes, state, created_at, expires_at)
    values (:id, :workspace_id, :account_id, :name, :display, :lookup, :pepper_id, :scopes, 'active', :created_at, :expires_at)";
const COUNT_LIVE: &str = "
    select count(*) from api_key
    where workspace_id = :workspace_id and state = 'active' and (expires_at is null or expires_at > :now)";
const LIST: &str = "
    select k.id, k.workspace_id, k.account_id, k.name, k.display, k.scopes, k.state, k.created_at, k.expires_at,
           k.revoked_at, u.last_used_at, coalesce(u.uses, 0)
    from api_key k left join api_key_use u on u.key_id = k.id
    where k.workspace_id = :workspace_id
    order by k.state <> 'active' or (k.expires_at is not null and k.expires_at <= :now), k.id desc
    limit :limit";
const FIND: &str = "
    select k.id, k.workspace_id, k.account_id, k.name, k.display, k.scopes, k.state, k.created_at, k.expires_at,
           k.revoked_at, u.last_used_at, coalesce(u.uses, 0)
    from api_key k left join api_key_use u on u.key_id = k.id
    where k.id = :id";
const LIST_LIVE_SINCE: &str = "
    select k.id, k.workspace_id, k.account_id, k.name, k.display, k.scopes, k.state, k.created_at, k.expires_at,
           k.revoked_at, u.last_used_at, coalesce(u.uses, 0)
    from api_key k left join api_key_use u on u.key_id = k.id
    where k.account_id = :account_id and k.state = 'active' and k.created_at >= :since
    order by k.id";
const REVOKE: &str = "
    update api_key set state = 'revoked', revoked_at = :now, lookup = :dead_lookup where id = :id and state = 'active'";
const FIND_BY_LOOKUP: &str = "
    select id, account_id, workspace_id, scopes, expires_at
    from api_key
    where lookup = :lookup and state = 'active'";
const LIST_AFTER: &str = "
    select rowid, lookup, id, account_id, workspace_id, scopes, expires_at
    from api_key
    where rowid > :after and state = 'active'
    order by rowid
    limit :limit";
// Reads across accounts and workspaces, because a verifier needs all of it in one look. Apart from the key, because it is
// the same for all keys of a person and most of the work: four tables, each by its index.
const FIND_OWNER: &str = "
    select a.username, a.display_name, coalesce(e.address, ''), m.role, w.plan, w.region
    from account a
    join workspace w on w.id = :workspace_id
    join membership m on m.workspace_id = w.id and m.account_id = a.id
    left join account_email e on e.account_id = a.id and e.is_primary = 1
    where a.id = :account_id and a.state = 'active'";
const RECORD_USE: &str = "
    insert into api_key_use (key_id, last_used_at, uses)
    select :key_id, :at, :uses where exists (select 1 from api_key where id = :key_id)
    on conflict (key_id) do update set last_used_at = max(last_used_at, excluded.last_used_at), uses = uses + excluded.uses";
const DELETE_USES: &str = "
    delete from api_key_use where key_id in (select id from api_key where account_id = :account_id)";
const DELETE_KEYS: &str = "delete from api_key where account_id = :account_id";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    COUNT_LIVE,
    LIST,
    FIND,
    LIST_LIVE_SINCE,
    REVOKE,
    LIST_AFTER,
    FIND_BY_LOOKUP,
    FIND_OWNER,
    RECORD_USE,
    DELETE_USES,
    DELETE_KEYS,
];

fn read(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<ApiKey> {
    let stored: String = row.get(6)?;
    let expires_at: Option<Timestamp> = row.get(8)?;
    let state = match (stored.as_str(), expires_at) {
        ("active", Some(end)) if end <= now => KeyState::Expired,
        ("active", _) => KeyState::Active,
        _ => KeyState::Revoked,
    };
    Ok(ApiKey {
        id: row.get(0)?,
        workspace: row.get(1)?,
        account: row.get(2)?,
        name: row.get(3)?,
        display: row.get(4)?,
        scopes: row.get(5)?,
        state,
        created_at: row.get(7)?,
        expires_at,
        revoked_at: row.get(9)?,
        last_used_at: row.get(10)?,
        uses: row.get(11)?,
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, key: &ApiKey, lookup: &[u8; 32], pepper_id: u32) -> Result<(), Error> {
    tx.execute(
        INSERT,
        named_params! {
            ":id": key.id,
            ":workspace_id": key.workspace,
            ":account_id": key.account,
            ":name": key.name,
            ":display": key.display,
            ":lookup": lookup,
            ":pepper_id": pepper_id,
            ":scopes": key.scopes,
            ":created_at": key.created_at,
            ":expires_at": key.expires_at,
        },
    )?;
    Ok(())
}

pub(super) fn count_live(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    let now = view.now();
    view.one(COUNT_LIVE, named_params! {":workspace_id": workspace, ":now": now}, |row| row.get(0))
}

pub(super) fn list(view: &View<'_>, workspace: WorkspaceId, limit: u32) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST, named_params! {":workspace_id": workspace, ":limit": limit, ":now": now}, |row| read(row, now))
}

pub(super) fn find(view: &View<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    let now = view.now();
    view.find(FIND, named_params! {":id": id}, |row| read(row, now))
}

pub(super) fn list_live_since(view: &View<'_>, account: AccountId, since: Timestamp) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST_LIVE_SINCE, named_params! {":account_id": account, ":since": since}, |row| read(row, now))
}

pub(super) fn update_revoked(tx: &mut Tx<'_>, id: ApiKeyId, dead_lookup: &[u8; 32]) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(REVOKE, named_params! {":id": id, ":now": now, ":dead_lookup": dead_lookup})
}

/// A live key as the verifier finds it.
pub(super) struct Found {
    pub key: ApiKeyId,
    pub account: AccountId,
    pub workspace: WorkspaceId,
    pub scope: String,
    pub expires_at: Option<Timestamp>,
}

/// The live key behind a digest, whoever its owner is.
pub(super) fn find_by_lookup(view: &View<'_>, lookup: &[u8; 32]) -> Result<Option<Found>, Error> {
    view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup}, |row| {
        Ok(Found {
            key: row.get(0)?,
            account: row.get(1)?,
            workspace: row.get(2)?,
            scope: row.get(3)?,
            expires_at: row.get(4)?,
        })
    })
}

/// Live keys behind row number `after`, in the order of the table: number, digest, key.
pub(super) fn list_after(view: &View<'_>, after: i64, limit: u32) -> Result<Vec<(i64, [u8; 32], Found)>, Error> {
    view.list(LIST_AFTER, named_params! {":after": after, ":limit": limit}, |row| {
        let found = Found {
            key: row.get(2)?,
            account: row.get(3)?,
            workspace: row.get(4)?,
            scope: row.get(5)?,
            expires_at: row.get(6)?,
        };
        Ok((row.get(0)?, row.get(1)?, found))
    })
}

/// The person of a key in its workspace. `None`: not active, or not a member.
pub(super) fn find_owner(view: &View<'_>, account: AccountId, workspace: WorkspaceId) -> Result<Option<Owner>, Error> {
    view.find(FIND_OWNER, named_params! {":account_id": account, ":workspace_id": workspace}, |row| {
        Ok(Owner {
            account,
            username: row.get(0)?,
            display_name: row.get(1)?,
            email: row.get(2)?,
            workspace,
            role: row.get(3)?,
            plan: row.get(4)?,
            region: row.get(5)?,
        })
    })
}

pub(super) fn insert_use(tx: &mut Tx<'_>, key: ApiKeyId, at: Timestamp, uses: i64) -> Result<(), Error> {
    tx.execute(RECORD_USE, named_params! {":key_id": key, ":at": at, ":uses": uses})?;
    Ok(())
}

pub(super) fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_USES, named_params! {":account_id": account})?;
    tx.execute(DELETE_KEYS, named_params! {":account_id": account})
}
