//! All SQL about keys.

use rusqlite::{Row, named_params};

use super::model::{ApiKey, KeyState, Verified};
use crate::base::{AccountId, ApiKeyId, Scopes, Timestamp, WorkspaceId};
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
const REVOKE: &str = "
    update api_key set state = 'revoked', revoked_at = :now, lookup = :dead_lookup where id = :id and state = 'active'";
// Reads across accounts and workspaces, because a verifier needs all of it in one look.
const VERIFY: &str = "
    select k.id, k.account_id, a.username, a.display_name, coalesce(e.address, ''), k.workspace_id, m.role, w.plan, w.region,
           k.scopes, k.created_at, k.expires_at
    from api_key k
    join account a on a.id = k.account_id and a.state = 'active'
    join workspace w on w.id = k.workspace_id
    join membership m on m.workspace_id = w.id and m.account_id = a.id
    left join account_email e on e.account_id = a.id and e.is_primary = 1
    where k.lookup = :lookup and k.state = 'active'";
const RECORD_USE: &str = "
    insert into api_key_use (key_id, last_used_at, uses)
    select :key_id, :at, :uses where exists (select 1 from api_key where id = :key_id)
    on conflict (key_id) do update set last_used_at = max(last_used_at, excluded.last_used_at), uses = uses + excluded.uses";
const DELETE_USES: &str = "
    delete from api_key_use where key_id in (select id from api_key where account_id = :account_id)";
const DELETE_KEYS: &str = "delete from api_key where account_id = :account_id";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[INSERT, COUNT_LIVE, LIST, FIND, REVOKE, VERIFY, RECORD_USE, DELETE_USES, DELETE_KEYS];

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

pub(super) fn update_revoked(tx: &mut Tx<'_>, id: ApiKeyId, dead_lookup: &[u8; 32]) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(REVOKE, named_params! {":id": id, ":now": now, ":dead_lookup": dead_lookup})
}

/// The key behind a digest, its rights not yet filled in.
pub(super) fn find_verified(view: &View<'_>, lookup: &[u8; 32]) -> Result<Option<Verified>, Error> {
    view.find(VERIFY, named_params! {":lookup": lookup}, |row| {
        Ok(Verified {
            key: row.get(0)?,
            account: row.get(1)?,
            username: row.get(2)?,
            display_name: row.get(3)?,
            email: row.get(4)?,
            workspace: row.get(5)?,
            role: row.get(6)?,
            plan: row.get(7)?,
            region: row.get(8)?,
            scope: row.get(9)?,
            rights: Scopes::NONE,
            created_at: row.get(10)?,
            expires_at: row.get(11)?,
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
