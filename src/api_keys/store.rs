//! All SQL about keys. The SQL about their use is in `uses/store.rs`.

use rusqlite::{Row, named_params};

use super::model::{
    ApiKey, Budget, KeyChange, KeyPolicy, KeyState, Limits, LookupDigest, Period, RevokeReason, state_now,
    stored_networks,
};
use super::tables::{API_KEY, API_KEY_POLICY};
use crate::base::{AccountId, ApiKeyId, Credits, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

/// The columns of [`read`].
const KEY: &str = sql!(
    columns!(API_KEY as "k", except lookup, pepper_id, sealed),
    ", k.sealed is not null as is_kept, u.last_used_at, coalesce(u.uses, 0) as uses,
           coalesce(u.last_address, '') as last_address, coalesce(u.last_agent, '') as last_agent"
);
/// Keys with their use.
const KEYS: &str = sql!("select ", KEY, " from api_key k left join api_key_use u on u.key_id = k.id ");

const INSERT: &str = insert!(API_KEY);
// Retiring keys are not counted, so a workspace with the maximum number of keys can still rotate one.
const COUNT_LIVE: &str = "
    select count(*) from api_key
    where workspace_id = :workspace_id and state in ('active', 'disabled', 'quarantined')
      and (expires_at is null or expires_at > :now)";
const LIST: &str = sql!(
    KEYS,
    "where k.workspace_id = :workspace_id
    order by k.state = 'revoked' or (k.expires_at is not null and k.expires_at <= :now)
               or (k.state = 'retiring' and k.retire_at <= :now), k.id desc
    limit :limit"
);
const HAS_MORE: &str = "select 1 from api_key where workspace_id = :workspace_id limit 1 offset :few";
const FIND: &str = sql!(KEYS, "where k.id = :id");
const LIST_RETIRED: &str =
    sql!(KEYS, "where k.state = 'retiring' and k.retire_at <= :now order by k.retire_at limit :limit");
const LIST_QUARANTINE_OVER: &str =
    sql!(KEYS, "where k.state = 'quarantined' and k.state_at <= :before order by k.state_at limit :limit");
const LIST_ENDING: &str = sql!(
    KEYS,
    "where k.state = 'active' and k.expires_at > :now and k.expires_at <= :until
      and k.created_at < k.expires_at - :span
      and not exists (select 1 from api_key_notice n where n.key_id = k.id and n.kind = :kind)
    order by k.expires_at
    limit :limit"
);
const COUNT_ALL_LIVE: &str = "
    select count(*) from api_key
    where state <> 'revoked' and (expires_at is null or expires_at > :now) and (retire_at is null or retire_at > :now)";
const FIND_SUCCESSOR: &str = "select id from api_key where predecessor_id = :id";
const UPDATE_STATE: &str = "
    update api_key
    set state = :state, state_at = :now, state_before = :state_before, retire_at = coalesce(:retire_at, retire_at)
    where id = :id";
const UPDATE_REVOKED: &str = "
    update api_key
    set state = 'revoked', state_at = :now, state_before = null, revoked_at = :now, ended_as = :ended_as, sealed = null,
        lookup = coalesce(:dead_lookup, lookup), pepper_id = iif(:dead_lookup is null, pepper_id, 0)
    where id = :id";
const UPDATE_CHANGE: &str = "
    update api_key
    set name = :name, note = :note, networks = :networks, rate_per_minute = :rate_per_minute, budget_micro = :budget_micro,
        budget_period = :budget_period, spent_until = :spent_until
    where id = :id";
const UPDATE_SCOPES: &str = "update api_key set scopes = :scopes where id = :id";
const LIST_SPENT: &str = sql!(
    KEYS,
    "where k.family_id = :family_id and k.state <> 'revoked' and k.budget_period = :period and k.budget_micro <= :spent_micro
      and k.spent_until is not :until"
);
const UPDATE_UNSPENT: &str = "
    update api_key set spent_until = null
    where family_id = :family_id and budget_period = :period and budget_micro > :spent_micro and spent_until is not null";
const UPDATE_SPENT: &str = "update api_key set spent_until = :until where id = :id";
// A key that was revoked meanwhile keeps its dead digest, which matches no text.
const UPDATE_LOOKUP: &str = "
    update api_key set lookup = :lookup, pepper_id = :pepper_id
    where id = :id and pepper_id not in (0, :pepper_id)";
// A replaced key keeps its digest for a while, so that its use is noticed.
const LIST_LATE_LOOKUPS: &str = "
    select id from api_key
    where ended_as = 'rotated' and revoked_at <= :before and pepper_id <> 0
    order by revoked_at
    limit :limit";
const UPDATE_DEAD_LOOKUP: &str = "update api_key set lookup = :dead_lookup, pepper_id = 0 where id = :id";
const LIST_LIVE_SINCE: &str =
    sql!(KEYS, "where k.account_id = :account_id and k.state <> 'revoked' and k.created_at >= :since order by k.id");
const FIND_BY_LOOKUP: &str = "select id from api_key where lookup = :lookup";
const FIND_SEALED: &str = "select sealed from api_key where id = :id and sealed is not null";
const LIST_SEALED: &str = "
    select id, sealed from api_key where sealed is not null and id > :after order by id limit :limit";
const UPDATE_SEALED: &str = "update api_key set sealed = :sealed where id = :id and sealed is not null";
const FIND_POLICY: &str = "select max_life_days from api_key_policy where workspace_id = :workspace_id";
const REPLACE_POLICY: &str = sql!(
    insert!(API_KEY_POLICY),
    "
    on conflict (workspace_id) do update set max_life_days = excluded.max_life_days, changed_at = excluded.changed_at"
);
const DELETE_POLICY: &str = "delete from api_key_policy where workspace_id = :workspace_id";
const DELETE_POLICIES: &str = "
    delete from api_key_policy
    where workspace_id in (select id from workspace where owner_id = :account_id and kind = 'personal')";
const DELETE_KEYS: &str = "delete from api_key where account_id = :account_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    COUNT_LIVE,
    LIST,
    HAS_MORE,
    FIND,
    LIST_RETIRED,
    LIST_QUARANTINE_OVER,
    LIST_ENDING,
    FIND_SUCCESSOR,
    COUNT_ALL_LIVE,
    UPDATE_STATE,
    UPDATE_REVOKED,
    UPDATE_CHANGE,
    UPDATE_SCOPES,
    LIST_SPENT,
    UPDATE_UNSPENT,
    UPDATE_SPENT,
    UPDATE_LOOKUP,
    LIST_LATE_LOOKUPS,
    UPDATE_DEAD_LOOKUP,
    LIST_LIVE_SINCE,
    FIND_BY_LOOKUP,
    FIND_SEALED,
    LIST_SEALED,
    UPDATE_SEALED,
    FIND_POLICY,
    REPLACE_POLICY,
    DELETE_POLICY,
    DELETE_POLICIES,
    DELETE_KEYS,
];

fn read(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<ApiKey> {
    by_name!(row, KEY =>
        id, workspace_id, account_id, name, note, display, scopes, state, state_at, state_before, ended_as, created_at,
        expires_at, retire_at, revoked_at, predecessor_id, family_id, networks, rate_per_minute, budget_micro,
        budget_period, spent_until, is_kept, last_used_at, uses, last_address, last_agent);
    let (expires_at, retire_at) = (expires_at.get()?, retire_at.get()?);
    // The check constraint of the table allows no other value.
    let stored = KeyState::parse(state.text()?).unwrap_or(KeyState::Revoked);
    let amount: Option<i64> = budget_micro.get()?;
    let period: Option<String> = budget_period.get()?;
    let budget = amount.and_then(Credits::from_micro).zip(period.as_deref().and_then(Period::parse));
    let id = id.get()?;
    Ok(ApiKey {
        id,
        workspace: workspace_id.get()?,
        account: account_id.get()?,
        name: name.get()?,
        note: note.get()?,
        display: display.get()?,
        scopes: scopes.get()?,
        state: state_now(stored, expires_at, retire_at, now),
        state_at: state_at.get()?,
        state_before: state_before.get::<Option<String>>()?.as_deref().and_then(KeyState::parse),
        revoke_reason: ended_as.get::<Option<String>>()?.as_deref().and_then(RevokeReason::parse),
        created_at: created_at.get()?,
        expires_at,
        retire_at,
        revoked_at: revoked_at.get()?,
        predecessor: predecessor_id.get()?,
        family: family_id.get()?,
        limits: Limits {
            networks: stored_networks(id, networks.text()?),
            rate_per_minute: rate_per_minute.get()?,
            budget: budget.map(|(amount, period)| Budget { amount, period }),
        },
        // After that, another period of the budget has begun.
        spent_until: spent_until.get::<Option<Timestamp>>()?.filter(|until| *until > now),
        is_kept: is_kept.get()?,
        last_used_at: last_used_at.get()?,
        uses: uses.get()?,
        last_address: last_address.get()?,
        last_agent: last_agent.get()?,
    })
}

/// The stored forms of a key's text.
pub(super) struct StoredText {
    pub lookup: [u8; 32],
    pub pepper_id: u32,
    pub sealed: Option<Vec<u8>>,
}

pub(super) fn insert(tx: &mut Tx<'_>, key: &ApiKey, text: &StoredText) -> Result<(), Error> {
    let (amount, period) = split(key.limits.budget);
    tx.execute(
        INSERT,
        values!(API_KEY => {
            id: key.id,
            workspace_id: key.workspace,
            name: key.name,
            note: key.note,
            display: key.display,
            scopes: key.scopes,
            state: "active",
            state_at: key.created_at,
            created_at: key.created_at,
            expires_at: key.expires_at,
            predecessor_id: key.predecessor,
            networks: key.limits.networks_text(),
            rate_per_minute: key.limits.rate_per_minute,
            budget_micro: amount,
            budget_period: period,
            spent_until: key.spent_until,
            account_id: key.account,
            lookup: text.lookup,
            pepper_id: text.pepper_id,
            sealed: text.sealed,
            family_id: key.family,
        }),
    )?;
    Ok(())
}

fn split(budget: Option<Budget>) -> (Option<i64>, Option<&'static str>) {
    (budget.map(|budget| budget.amount.micro()), budget.map(|budget| budget.period.as_str()))
}

/// The number of live keys of the workspace. Retiring keys are not counted, because their successors are.
///
/// # Errors
/// [`Error`].
pub fn count_live(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    let now = view.now();
    view.one(COUNT_LIVE, named_params! {":workspace_id": workspace, ":now": now}, only)
}

pub(super) fn list(view: &View<'_>, workspace: WorkspaceId, limit: u32) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST, named_params! {":workspace_id": workspace, ":limit": limit, ":now": now}, |row| read(row, now))
}

/// Whether the workspace has more keys than `few`, including ended ones.
pub(super) fn has_more(view: &View<'_>, workspace: WorkspaceId, few: u32) -> Result<bool, Error> {
    let params = named_params! {":workspace_id": workspace, ":few": few};
    Ok(view.find(HAS_MORE, params, |_| Ok(()))?.is_some())
}

pub(super) fn find(view: &View<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    let now = view.now();
    view.find(FIND, named_params! {":id": id}, |row| read(row, now))
}

/// Keys of the account that were created at `since` or later, and are not revoked.
pub(super) fn list_live_since(view: &View<'_>, account: AccountId, since: Timestamp) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST_LIVE_SINCE, named_params! {":account_id": account, ":since": since}, |row| read(row, now))
}

/// Retiring keys whose overlap is over.
pub(super) fn list_retired(view: &View<'_>, limit: u32) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST_RETIRED, named_params! {":now": now, ":limit": limit}, |row| read(row, now))
}

/// Keys that have been in quarantine since `before` or earlier.
pub(super) fn list_quarantine_over(view: &View<'_>, before: Timestamp, limit: u32) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    view.list(LIST_QUARANTINE_OVER, named_params! {":before": before, ":limit": limit}, |row| read(row, now))
}

/// Active keys that expire within `span`, had a longer lifetime than that, and have no notice of this kind yet.
pub(super) fn list_ending(
    view: &View<'_>,
    span: std::time::Duration,
    kind: &str,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let params =
        named_params! {":now": now, ":until": now.plus(span), ":span": span_ms, ":kind": kind, ":limit": limit};
    view.list(LIST_ENDING, params, |row| read(row, now))
}

pub(super) fn find_successor(view: &View<'_>, id: ApiKeyId) -> Result<Option<ApiKeyId>, Error> {
    view.find(FIND_SUCCESSOR, named_params! {":id": id}, only)
}

/// Sets any state except revoked. `retire_at`: the new end of the overlap, if there is one.
pub(super) fn update_state(
    tx: &mut Tx<'_>,
    id: ApiKeyId,
    state: KeyState,
    before: Option<KeyState>,
    retire_at: Option<Timestamp>,
) -> Result<(), Error> {
    let now = tx.now();
    let params = named_params! {
        ":id": id,
        ":now": now,
        ":state": state.as_str(),
        ":state_before": before.map(KeyState::as_str),
        ":retire_at": retire_at,
    };
    tx.execute(UPDATE_STATE, params)?;
    Ok(())
}

/// Revokes a key. `dead_lookup` replaces the digest. `None`: the digest stays, so that a later use is noticed.
pub(super) fn update_revoked(
    tx: &mut Tx<'_>,
    id: ApiKeyId,
    reason: RevokeReason,
    dead_lookup: Option<[u8; 32]>,
) -> Result<(), Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":now": now, ":ended_as": reason.as_str(), ":dead_lookup": dead_lookup};
    tx.execute(UPDATE_REVOKED, params)?;
    Ok(())
}

/// Sets the scopes, as names that are separated by spaces.
pub(super) fn update_scopes(tx: &mut Tx<'_>, id: ApiKeyId, scopes: &str) -> Result<(), Error> {
    tx.execute(UPDATE_SCOPES, named_params! {":id": id, ":scopes": scopes})?;
    Ok(())
}

pub(super) fn update_change(
    tx: &mut Tx<'_>,
    id: ApiKeyId,
    change: &KeyChange,
    spent_until: Option<Timestamp>,
) -> Result<(), Error> {
    let (amount, period) = split(change.limits.budget);
    let params = named_params! {
        ":id": id,
        ":name": change.name.as_str(),
        ":note": change.note.as_str(),
        ":networks": change.limits.networks_text(),
        ":rate_per_minute": change.limits.rate_per_minute,
        ":budget_micro": amount,
        ":budget_period": period,
        ":spent_until": spent_until,
    };
    tx.execute(UPDATE_CHANGE, params)?;
    Ok(())
}

/// Keys of a family whose budget for this period is spent, and that are not refused for it yet.
pub(super) fn list_spent(
    view: &View<'_>,
    family: ApiKeyId,
    period: Period,
    spent: Credits,
    until: Timestamp,
) -> Result<Vec<ApiKey>, Error> {
    let now = view.now();
    let params =
        named_params! {":family_id": family, ":period": period.as_str(), ":spent_micro": spent, ":until": until};
    view.list(LIST_SPENT, params, |row| read(row, now))
}

/// Refuses the key until then, because its budget is spent.
pub(super) fn update_spent(tx: &mut Tx<'_>, id: ApiKeyId, until: Timestamp) -> Result<(), Error> {
    tx.execute(UPDATE_SPENT, named_params! {":id": id, ":until": until})?;
    Ok(())
}

/// Keys of a family whose budget for this period is not spent any more are not refused for it any more.
pub(super) fn update_unspent(tx: &mut Tx<'_>, family: ApiKeyId, period: Period, spent: Credits) -> Result<(), Error> {
    let params = named_params! {":family_id": family, ":period": period.as_str(), ":spent_micro": spent};
    tx.execute(UPDATE_UNSPENT, params)?;
    Ok(())
}

/// Replaces the digest with one under another pepper.
pub(super) fn update_lookup(tx: &mut Tx<'_>, id: ApiKeyId, lookup: &LookupDigest, pepper_id: u32) -> Result<(), Error> {
    tx.execute(UPDATE_LOOKUP, named_params! {":id": id, ":lookup": lookup, ":pepper_id": pepper_id})?;
    Ok(())
}

/// Keys that were replaced at `before` or earlier and still have their digest.
pub(super) fn list_late_lookups(view: &View<'_>, before: Timestamp, limit: u32) -> Result<Vec<ApiKeyId>, Error> {
    view.list(LIST_LATE_LOOKUPS, named_params! {":before": before, ":limit": limit}, only)
}

pub(super) fn update_dead_lookup(tx: &mut Tx<'_>, id: ApiKeyId, dead_lookup: &LookupDigest) -> Result<(), Error> {
    tx.execute(UPDATE_DEAD_LOOKUP, named_params! {":id": id, ":dead_lookup": dead_lookup})?;
    Ok(())
}

/// The key with this digest, of any owner. Of revoked keys, only those that were replaced still have their digest.
pub(super) fn find_by_lookup(view: &View<'_>, lookup: &LookupDigest) -> Result<Option<ApiKeyId>, Error> {
    view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup}, only)
}

pub(super) fn find_sealed(view: &View<'_>, id: ApiKeyId) -> Result<Option<Vec<u8>>, Error> {
    view.find(FIND_SEALED, named_params! {":id": id}, only)
}

/// Sealed texts after the id `after`, ordered by id.
pub(super) fn list_sealed(view: &View<'_>, after: &str, limit: u32) -> Result<Vec<(ApiKeyId, Vec<u8>)>, Error> {
    view.list(LIST_SEALED, named_params! {":after": after, ":limit": limit}, |row| {
        by_name!(row, LIST_SEALED => id, sealed);
        Ok((id.get()?, sealed.get()?))
    })
}

pub(super) fn update_sealed(tx: &mut Tx<'_>, id: ApiKeyId, sealed: &[u8]) -> Result<(), Error> {
    tx.execute(UPDATE_SEALED, named_params! {":id": id, ":sealed": sealed})?;
    Ok(())
}

/// The rules of the workspace for its keys. `None`: it has none.
///
/// # Errors
/// [`Error`].
pub fn find_policy(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<KeyPolicy>, Error> {
    view.find(FIND_POLICY, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, FIND_POLICY => max_life_days);
        Ok(KeyPolicy { max_life_days: max_life_days.get()? })
    })
}

/// `None`: the workspace has no rules of its own.
pub(super) fn replace_policy(tx: &mut Tx<'_>, workspace: WorkspaceId, policy: Option<KeyPolicy>) -> Result<(), Error> {
    let now = tx.now();
    match policy {
        Some(KeyPolicy { max_life_days }) => tx.execute(
            REPLACE_POLICY,
            values!(API_KEY_POLICY => {
                max_life_days: max_life_days,
                changed_at: now,
                workspace_id: workspace,
            }),
        )?,
        None => tx.execute(DELETE_POLICY, named_params! {":workspace_id": workspace})?,
    };
    Ok(())
}

pub(super) fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_POLICIES, named_params! {":account_id": account})?;
    tx.execute(DELETE_KEYS, named_params! {":account_id": account})
}

/// How many keys of the appliance are neither revoked nor expired.
///
/// # Errors
/// [`Error`].
pub fn count_all_live(view: &View<'_>) -> Result<i64, Error> {
    view.one(COUNT_ALL_LIVE, named_params! {":now": view.now()}, only)
}
