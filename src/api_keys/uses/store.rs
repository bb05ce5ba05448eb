//! All SQL about the use of keys: last use, days, rights, callers, notices, spending.

use rusqlite::named_params;

use super::super::model::{Channel, DailyUse, KeyCaller};
use super::super::tables::{
    API_KEY_CALLER, API_KEY_NOTICE, API_KEY_RESERVATION, API_KEY_RIGHT_USE, API_KEY_SPEND, API_KEY_USE, API_KEY_USE_DAY,
};
use crate::base::{AccountId, ApiKeyId, Credits, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const RECORD_USE: &str = sql!(
    insert!(API_KEY_USE, select),
    "
    where exists (select 1 from api_key where id = :key_id)
    on conflict (key_id) do update set
      last_used_at = max(last_used_at, excluded.last_used_at),
      uses = uses + excluded.uses,
      last_address = iif(excluded.last_address = '', last_address, excluded.last_address),
      last_agent = iif(excluded.last_agent = '', last_agent, excluded.last_agent)"
);
const RECORD_DAY: &str = sql!(
    insert!(API_KEY_USE_DAY),
    "
    on conflict (key_id, day, door) do update set uses = uses + excluded.uses"
);
const RECORD_RIGHT: &str = sql!(
    insert!(API_KEY_RIGHT_USE),
    "
    on conflict (key_id, right_name) do update set last_day = max(last_day, excluded.last_day)"
);
const RECORD_CALLER: &str = sql!(
    insert!(API_KEY_CALLER, select),
    "
    where exists (select 1 from api_key where id = :key_id)
      and (select count(*) from api_key_caller where key_id = :key_id) < :max
    on conflict (key_id, address, agent) do update set last_at = max(last_at, excluded.last_at), uses = uses + excluded.uses"
);
// The list of callers is limited. Callers that are on it are still counted.
const UPDATE_CALLER: &str = "
    update api_key_caller set last_at = max(last_at, :at), uses = uses + :uses
    where key_id = :key_id and address = :address and agent = :agent";
const RECORD_NOTICE: &str = sql!(
    insert!(API_KEY_NOTICE),
    "
    on conflict (key_id, kind) do update set at = excluded.at where at <= :before"
);
const RECORD_SPEND: &str = sql!(
    insert!(API_KEY_SPEND),
    "
    on conflict (family_id, period) do update set spent_micro = spent_micro + excluded.spent_micro"
);
const TAKE_BACK_SPEND: &str = "
    update api_key_spend set spent_micro = max(0, spent_micro - :amount_micro)
    where family_id = :family_id and period = :period";
const RESERVE: &str = sql!(
    insert!(API_KEY_RESERVATION),
    "
    on conflict (family_id) do update set reserved_micro = reserved_micro + excluded.reserved_micro"
);
const UNRESERVE: &str = "
    update api_key_reservation set reserved_micro = reserved_micro - :amount_micro where family_id = :family_id";
const FIND_RESERVED: &str = "select reserved_micro from api_key_reservation where family_id = :family_id";
const FIND_SPEND: &str = "
    select spent_micro from api_key_spend where family_id = :family_id and period = :period";
const LIST_DAYS: &str = "
    select day, sum(uses) as uses from api_key_use_day
    where key_id = :key_id and day > :after
    group by day
    order by day";
const LIST_DAYS_OF_WORKSPACE: &str = "
    select k.id, d.day, sum(d.uses) as uses
    from api_key k join api_key_use_day d on d.key_id = k.id
    where k.workspace_id = :workspace_id and d.day > :after
    group by k.id, d.day
    order by k.id, d.day";
const LIST_RIGHTS_OF_WORKSPACE: &str = "
    select k.id, r.right_name
    from api_key k join api_key_right_use r on r.key_id = k.id
    where k.workspace_id = :workspace_id and r.last_day > :after";
const LIST_CALLERS: &str = "
    select address, agent, last_at, uses from api_key_caller where key_id = :key_id order by last_at desc limit :limit";
// Selects by day, which has an index, and deletes by primary key.
const DELETE_OLD_DAYS: &str = "
    delete from api_key_use_day
    where (key_id, day, door) in (select key_id, day, door from api_key_use_day where day < :before limit :limit)";
const DELETE_CALLERS: &str = "delete from api_key_caller where key_id = :key_id";
const DELETE_OF_ACCOUNT: [&str; 7] = [
    "delete from api_key_use where key_id in (select id from api_key where account_id = :account_id)",
    "delete from api_key_use_day where key_id in (select id from api_key where account_id = :account_id)",
    "delete from api_key_right_use where key_id in (select id from api_key where account_id = :account_id)",
    "delete from api_key_caller where key_id in (select id from api_key where account_id = :account_id)",
    "delete from api_key_notice where key_id in (select id from api_key where account_id = :account_id)",
    "delete from api_key_spend where family_id in (select family_id from api_key where account_id = :account_id)",
    "delete from api_key_reservation where family_id in (select family_id from api_key where account_id = :account_id)",
];

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    RECORD_USE,
    RECORD_DAY,
    RECORD_RIGHT,
    RECORD_CALLER,
    UPDATE_CALLER,
    RECORD_NOTICE,
    RECORD_SPEND,
    TAKE_BACK_SPEND,
    RESERVE,
    UNRESERVE,
    FIND_RESERVED,
    FIND_SPEND,
    LIST_DAYS,
    LIST_DAYS_OF_WORKSPACE,
    LIST_RIGHTS_OF_WORKSPACE,
    LIST_CALLERS,
    DELETE_OLD_DAYS,
    DELETE_CALLERS,
    DELETE_OF_ACCOUNT[0],
    DELETE_OF_ACCOUNT[1],
    DELETE_OF_ACCOUNT[2],
    DELETE_OF_ACCOUNT[3],
    DELETE_OF_ACCOUNT[4],
    DELETE_OF_ACCOUNT[5],
    DELETE_OF_ACCOUNT[6],
];

/// Stored callers of one key at most.
const CALLERS_MAX: u32 = 50;

/// Adds `uses` and updates the last use. `false`: the key does not exist any more, and nothing was written.
pub(in crate::api_keys) fn record_use(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    at: Timestamp,
    uses: i64,
    address: &str,
    agent: &str,
) -> Result<bool, Error> {
    let params =
        values!(API_KEY_USE => { key_id: key, last_used_at: at, uses: uses, last_address: address, last_agent: agent });
    Ok(tx.execute(RECORD_USE, params)? == 1)
}

pub(in crate::api_keys) fn record_day(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    day: i64,
    channel: Channel,
    uses: i64,
) -> Result<(), Error> {
    tx.execute(
        RECORD_DAY,
        values!(API_KEY_USE_DAY => {
            key_id: key,
            day: day,
            door: channel.as_str(),
            uses: uses,
        }),
    )?;
    Ok(())
}

pub(in crate::api_keys) fn record_right(tx: &mut Tx<'_>, key: ApiKeyId, name: &str, day: i64) -> Result<(), Error> {
    tx.execute(RECORD_RIGHT, values!(API_KEY_RIGHT_USE => { key_id: key, right_name: name, last_day: day }))?;
    Ok(())
}

pub(in crate::api_keys) fn record_caller(tx: &mut Tx<'_>, key: ApiKeyId, caller: &KeyCaller) -> Result<(), Error> {
    let known = named_params! {
        ":key_id": key,
        ":address": caller.address,
        ":agent": caller.agent,
        ":at": caller.last_at,
        ":uses": caller.uses,
    };
    if tx.execute(UPDATE_CALLER, known)? == 0 {
        let new = values!(API_KEY_CALLER => {
            key_id: key,
            address: caller.address,
            agent: caller.agent,
            first_at: caller.last_at,
            last_at: caller.last_at,
            uses: caller.uses,
        } and { max: CALLERS_MAX });
        tx.execute(RECORD_CALLER, new)?;
    }
    Ok(())
}

/// Records a notice. Returns whether it is new: none of this kind is stored, or the stored one is from `before` or
/// earlier. Without `before`, a notice is new only once.
pub(in crate::api_keys) fn record_notice(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    kind: &str,
    before: Option<Timestamp>,
) -> Result<bool, Error> {
    let now = tx.now();
    let before = before.unwrap_or(Timestamp::from_millis(i64::MIN));
    let params = values!(API_KEY_NOTICE => { key_id: key, kind: kind, at: now } and { before: before });
    Ok(tx.execute(RECORD_NOTICE, params)? == 1)
}

pub(in crate::api_keys) fn record_spend(
    tx: &mut Tx<'_>,
    family: ApiKeyId,
    period: &str,
    amount: Credits,
) -> Result<(), Error> {
    let params = values!(API_KEY_SPEND => { family_id: family, period: period, spent_micro: amount });
    tx.execute(RECORD_SPEND, params)?;
    Ok(())
}

/// Takes back what was recorded, down to zero.
pub(in crate::api_keys) fn take_back_spend(
    tx: &mut Tx<'_>,
    family: ApiKeyId,
    period: &str,
    amount: Credits,
) -> Result<(), Error> {
    let params = named_params! {":family_id": family, ":period": period, ":amount_micro": amount};
    tx.execute(TAKE_BACK_SPEND, params)?;
    Ok(())
}

/// Adds to what is reserved of the budget of a family of keys.
pub(in crate::api_keys) fn reserve(tx: &mut Tx<'_>, family: ApiKeyId, amount: Credits) -> Result<(), Error> {
    tx.execute(RESERVE, values!(API_KEY_RESERVATION => { family_id: family, reserved_micro: amount }))?;
    Ok(())
}

/// Takes from what is reserved.
pub(in crate::api_keys) fn unreserve(tx: &mut Tx<'_>, family: ApiKeyId, amount: Credits) -> Result<(), Error> {
    tx.execute(UNRESERVE, named_params! {":family_id": family, ":amount_micro": amount})?;
    Ok(())
}

/// What is reserved of the budget of a family of keys.
pub(in crate::api_keys) fn find_reserved(view: &View<'_>, family: ApiKeyId) -> Result<Credits, Error> {
    Ok(view.find(FIND_RESERVED, named_params! {":family_id": family}, only)?.unwrap_or_default())
}

/// What the use of a family of keys cost in a period.
pub(in crate::api_keys) fn find_spend(view: &View<'_>, family: ApiKeyId, period: &str) -> Result<Credits, Error> {
    let found: Option<i64> = view.find(FIND_SPEND, named_params! {":family_id": family, ":period": period}, only)?;
    // A sum that is too large for an amount is larger than any budget.
    Ok(found.map_or(Credits::ZERO, |micro| Credits::from_micro(micro).unwrap_or(Credits::MAX)))
}

pub(in crate::api_keys) fn list_days(view: &View<'_>, key: ApiKeyId, after: i64) -> Result<Vec<DailyUse>, Error> {
    view.list(LIST_DAYS, named_params! {":key_id": key, ":after": after}, |row| {
        by_name!(row, LIST_DAYS => day, uses);
        Ok(DailyUse { day: day.get()?, uses: uses.get()? })
    })
}

/// As [`list_days`], for every key of a workspace.
pub(in crate::api_keys) fn list_days_of_workspace(
    view: &View<'_>,
    workspace: WorkspaceId,
    after: i64,
) -> Result<Vec<(ApiKeyId, DailyUse)>, Error> {
    view.list(LIST_DAYS_OF_WORKSPACE, named_params! {":workspace_id": workspace, ":after": after}, |row| {
        by_name!(row, LIST_DAYS_OF_WORKSPACE => id, day, uses);
        Ok((id.get()?, DailyUse { day: day.get()?, uses: uses.get()? }))
    })
}

/// The rights that were used after that day, for every key of a workspace.
pub(in crate::api_keys) fn list_rights_of_workspace(
    view: &View<'_>,
    workspace: WorkspaceId,
    after: i64,
) -> Result<Vec<(ApiKeyId, String)>, Error> {
    view.list(LIST_RIGHTS_OF_WORKSPACE, named_params! {":workspace_id": workspace, ":after": after}, |row| {
        by_name!(row, LIST_RIGHTS_OF_WORKSPACE => id, right_name);
        Ok((id.get()?, right_name.get()?))
    })
}

pub(in crate::api_keys) fn list_callers(view: &View<'_>, key: ApiKeyId, limit: u32) -> Result<Vec<KeyCaller>, Error> {
    view.list(LIST_CALLERS, named_params! {":key_id": key, ":limit": limit}, |row| {
        by_name!(row, LIST_CALLERS => address, agent, last_at, uses);
        Ok(KeyCaller { address: address.get()?, agent: agent.get()?, last_at: last_at.get()?, uses: uses.get()? })
    })
}

pub(in crate::api_keys) fn delete_old_days(tx: &mut Tx<'_>, before: i64, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_DAYS, named_params! {":before": before, ":limit": limit})
}

pub(in crate::api_keys) fn delete_callers(tx: &mut Tx<'_>, key: ApiKeyId) -> Result<usize, Error> {
    tx.execute(DELETE_CALLERS, named_params! {":key_id": key})
}

pub(in crate::api_keys) fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    DELETE_OF_ACCOUNT
        .into_iter()
        .try_for_each(|statement| tx.execute(statement, named_params! {":account_id": account}).map(drop))
}
