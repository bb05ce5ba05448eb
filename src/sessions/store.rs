//! All SQL about sessions.

use rusqlite::named_params;

use super::model::{Current, Session};
use crate::base::{AccountId, SessionId, Timestamp, Visitor};
use crate::db::{Error, Tx, View};

const INSERT: &str = "
    insert into session (
      id, digest, account_id, created_at, last_seen_at, idle_seconds, ends_at, proved_at, address, agent, method, remembered)
    values (:id, :digest, :account_id, :now, :now, :idle_seconds, :ends_at, :now, :address, :agent, :method, :remembered)";
// Reads the person, the workspace and what was chosen about pages with the session: every page needs all of it, and it is
// one look instead of five.
const FIND_CURRENT: &str = "
    select s.id, s.account_id, w.id, a.username, a.display_name, s.last_seen_at, s.proved_at,
           i.name, a.colour, p.theme, coalesce(p.language, 'en'), coalesce(p.time_zone, 'UTC')
    from session s
    join account a on a.id = s.account_id and a.state = 'active'
    join workspace w on w.owner_id = a.id and w.kind = 'personal'
    left join picture i on i.account_id = a.id
    left join preference p on p.account_id = a.id
    where s.digest = :digest and s.ends_at > :now and s.last_seen_at + s.idle_seconds * 1000 > :now";
const LIST: &str = "
    select id, created_at, last_seen_at, ends_at, address, agent, method from session
    where account_id = :account_id and ends_at > :now and last_seen_at + idle_seconds * 1000 > :now
    order by last_seen_at desc
    limit 100";
const UPDATE_SEEN: &str = "update session set last_seen_at = max(last_seen_at, :now) where id = :id";
const UPDATE_PROVED: &str = "
    update session set digest = :digest, proved_at = :now
    where id = :id and account_id = :account_id and ends_at > :now and last_seen_at + idle_seconds * 1000 > :now
    returning ends_at, remembered";
const DELETE: &str = "delete from session where id = :id and account_id = :account_id";
const DELETE_ALL: &str = "delete from session where account_id = :account_id and id is not :except";
const DELETE_ENDED: &str = "
    delete from session where id in (
      select id from session where ends_at <= :now or last_seen_at + idle_seconds * 1000 <= :now limit :limit)";

const FIND_THROTTLE: &str = "select failures, until from throttle where bucket = :bucket";
const COUNT_FAILURE: &str = "
    insert into throttle (bucket, failures, until, updated_at) values (:bucket, 1, :now, :now)
    on conflict (bucket) do update set failures = failures + 1, updated_at = :now
    returning failures";
const UPDATE_THROTTLE: &str = "update throttle set until = :until where bucket = :bucket";
const DELETE_THROTTLE: &str = "delete from throttle where bucket = :bucket";
const DELETE_OLD_THROTTLES: &str = "
    delete from throttle where bucket in (select bucket from throttle where updated_at < :before limit :limit)";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND_CURRENT,
    LIST,
    UPDATE_SEEN,
    UPDATE_PROVED,
    DELETE,
    DELETE_ALL,
    DELETE_ENDED,
    FIND_THROTTLE,
    COUNT_FAILURE,
    UPDATE_THROTTLE,
    DELETE_THROTTLE,
    DELETE_OLD_THROTTLES,
];

/// What a new session's row holds beside its id and digest.
pub(super) struct Row<'r> {
    pub account: AccountId,
    pub idle_seconds: i64,
    pub ends_at: Timestamp,
    pub visitor: &'r Visitor,
    pub method: &'r str,
    pub remembered: bool,
}

pub(super) fn insert(tx: &mut Tx<'_>, id: SessionId, digest: &[u8; 32], row: &Row<'_>) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        named_params! {
            ":id": id,
            ":digest": digest,
            ":account_id": row.account,
            ":now": now,
            ":idle_seconds": row.idle_seconds,
            ":ends_at": row.ends_at,
            ":address": row.visitor.address,
            ":agent": row.visitor.agent,
            ":method": row.method,
            ":remembered": row.remembered,
        },
    )?;
    Ok(())
}

pub(super) fn find_current(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<Current>, Error> {
    let now = view.now();
    view.find(FIND_CURRENT, named_params! {":digest": digest, ":now": now}, |row| {
        Ok(Current {
            id: row.get(0)?,
            account: row.get(1)?,
            workspace: row.get(2)?,
            username: row.get(3)?,
            display_name: row.get(4)?,
            last_seen_at: row.get(5)?,
            proved_at: row.get(6)?,
            picture: row.get(7)?,
            colour: row.get(8)?,
            theme: row.get(9)?,
            language: row.get(10)?,
            time_zone: row.get(11)?,
        })
    })
}

pub(super) fn list(view: &View<'_>, account: AccountId) -> Result<Vec<Session>, Error> {
    let now = view.now();
    view.list(LIST, named_params! {":account_id": account, ":now": now}, |row| {
        Ok(Session {
            id: row.get(0)?,
            created_at: row.get(1)?,
            last_seen_at: row.get(2)?,
            ends_at: row.get(3)?,
            visitor: Visitor { address: row.get(4)?, agent: row.get(5)? },
            method: row.get(6)?,
        })
    })
}

pub(super) fn update_seen(tx: &mut Tx<'_>, id: SessionId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_SEEN, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// When the session ends whatever happens, and whether it is remembered. `None`: it has ended.
pub(super) fn update_proved(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: SessionId,
    digest: &[u8; 32],
) -> Result<Option<(Timestamp, bool)>, Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":account_id": account, ":digest": digest, ":now": now};
    tx.find(UPDATE_PROVED, params, |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn delete(tx: &mut Tx<'_>, account: AccountId, id: SessionId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id, ":account_id": account})
}

pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId, except: Option<SessionId>) -> Result<usize, Error> {
    tx.execute(DELETE_ALL, named_params! {":account_id": account, ":except": except})
}

pub(super) fn delete_ended(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_ENDED, named_params! {":now": now, ":limit": limit})
}

pub(super) fn find_throttle(view: &View<'_>, bucket: &[u8; 32]) -> Result<Option<(u32, Timestamp)>, Error> {
    view.find(FIND_THROTTLE, named_params! {":bucket": bucket}, |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn count_failure(tx: &mut Tx<'_>, bucket: &[u8; 32]) -> Result<u32, Error> {
    let now = tx.now();
    tx.one(COUNT_FAILURE, named_params! {":bucket": bucket, ":now": now}, |row| row.get(0))
}

pub(super) fn update_throttle(tx: &mut Tx<'_>, bucket: &[u8; 32], until: Timestamp) -> Result<(), Error> {
    tx.execute(UPDATE_THROTTLE, named_params! {":bucket": bucket, ":until": until})?;
    Ok(())
}

pub(super) fn delete_throttle(tx: &mut Tx<'_>, bucket: &[u8; 32]) -> Result<(), Error> {
    tx.execute(DELETE_THROTTLE, named_params! {":bucket": bucket})?;
    Ok(())
}

pub(super) fn delete_old_throttles(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_THROTTLES, named_params! {":before": before, ":limit": limit})
}
