//! All SQL about sessions.

use rusqlite::named_params;

use super::model::{CLOCK_SLACK, Counter, CurrentSession, End, Session};
use super::tables::{DEVICE, SESSION, SESSION_ROTATED, THROTTLE};
use crate::base::{AccountId, SessionId, Timestamp, Visitor, hours, seconds};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const INSERT: &str = insert!(SESSION);
// Reads the person, the workspace and the preferences for pages with the session: every page needs all of it, and this
// is one query instead of five.
const FIND_CURRENT: &str = "
    select s.id, s.account_id, w.id as workspace_id, a.username, a.display_name, s.last_seen_at, s.proved_at, s.idle_seconds, s.ends_at,
           s.rotated_at, i.name as picture, a.colour, p.theme, coalesce(p.language, 'en') as language,
           coalesce(p.time_zone, 'UTC') as time_zone, a.is_operator
    from session s
    join account a on a.id = s.account_id and a.state = 'active'
    join workspace w on w.owner_id = a.id and w.kind = 'personal'
    left join picture i on i.account_id = a.id
    left join preference p on p.account_id = a.id
    where s.digest = :digest and s.ends_at > :now and s.last_seen_at + s.idle_seconds * 1000 > :now
      and s.last_seen_at <= :latest";
const FIND_ENDED: &str = "
    select last_seen_at + idle_seconds * 1000 < ends_at as is_idle
    from session
    where digest = :digest and (ends_at <= :now or last_seen_at + idle_seconds * 1000 <= :now)";
const LIST: &str = "
    select id, created_at, last_seen_at, ends_at, address, agent, method from session
    where account_id = :account_id and ends_at > :now and last_seen_at + idle_seconds * 1000 > :now
      and last_seen_at <= :latest
    order by last_seen_at desc
    limit 100";
const COUNT_LIVE: &str = "
    select count(*) from session where ends_at > :now and last_seen_at + idle_seconds * 1000 > :now";
const UPDATE_SEEN: &str = "
    update session set last_seen_at = max(last_seen_at, :now)
    where id = :id and ends_at > :now and last_seen_at + idle_seconds * 1000 > :now";
const UPDATE_PROVED: &str = "
    update session set digest = :digest, proved_at = :now, rotated_at = :now
    where id = :id and account_id = :account_id and ends_at > :now and last_seen_at + idle_seconds * 1000 > :now
    returning ends_at, remembered";
const UPDATE_ROTATED: &str = "
    update session set digest = :digest, rotated_at = :now
    where id = :id and digest = :old and rotated_at <= :due
    returning ends_at, remembered";
const DELETE: &str = "delete from session where id = :id and account_id = :account_id";
const DELETE_ALL: &str = "delete from session where account_id = :account_id and id is not :except";
const DELETE_OF_ALL: &str = "delete from session";
const DELETE_BEYOND: &str = "
    delete from session where id in (
      select id from session where account_id = :account_id order by last_seen_at desc limit -1 offset :kept)";
const DELETE_ENDED: &str = "
    delete from session where id in (
      select id from session where ends_at <= :before or last_seen_at + idle_seconds * 1000 <= :before limit :limit)";

const INSERT_ROTATED: &str = insert!(SESSION_ROTATED);
const FIND_ROTATED: &str = "
    select s.id, s.account_id, s.digest, r.until from session_rotated r join session s on s.id = r.session_id
    where r.digest = :digest";

const INSERT_DEVICE: &str = sql!(
    insert!(DEVICE),
    "
    on conflict (digest) do update
    set last_seen_at = :now, is_trusted = 1, has_signed_in = max(has_signed_in, :has_signed_in)"
);
const FIND_TRUSTED_DEVICE: &str = "select has_signed_in from device where digest = :digest and is_trusted = 1";
const HAS_DEVICES: &str = "select exists (select 1 from device where account_id = :account_id)";
const DISTRUST_DEVICES: &str = "update device set is_trusted = 0, has_signed_in = 0 where account_id = :account_id";
const DELETE_DEVICES: &str = "delete from device where account_id = :account_id";
const DELETE_DEVICES_BEYOND: &str = "
    delete from device where digest in (
      select digest from device where account_id = :account_id order by last_seen_at desc limit -1 offset :kept)";
const DELETE_OLD_DEVICES: &str = "
    delete from device where digest in (select digest from device where last_seen_at < :before limit :limit)";

const FIND_THROTTLE: &str = "select failures, until, updated_at from throttle where bucket = :bucket";
const REPLACE_THROTTLE: &str = insert!("insert or replace", THROTTLE);
const DELETE_THROTTLE: &str = "delete from throttle where bucket = :bucket";
// Forgets one failure a day, and all of them after 30 days.
const DELETE_OLD_THROTTLES: &str = "
    delete from throttle where bucket in (
      select bucket from throttle
      where updated_at <= :now - :day and (updated_at <= :now - failures * :day or updated_at <= :now - 30 * :day)
      limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND_CURRENT,
    LIST,
    COUNT_LIVE,
    FIND_ENDED,
    UPDATE_SEEN,
    UPDATE_PROVED,
    UPDATE_ROTATED,
    DELETE,
    DELETE_ALL,
    DELETE_OF_ALL,
    DELETE_BEYOND,
    DELETE_ENDED,
    INSERT_ROTATED,
    FIND_ROTATED,
    INSERT_DEVICE,
    FIND_TRUSTED_DEVICE,
    HAS_DEVICES,
    DISTRUST_DEVICES,
    DELETE_DEVICES,
    DELETE_DEVICES_BEYOND,
    DELETE_OLD_DEVICES,
    FIND_THROTTLE,
    REPLACE_THROTTLE,
    DELETE_THROTTLE,
    DELETE_OLD_THROTTLES,
];

/// How many sessions there are that have not ended.
///
/// # Errors
/// [`Error`].
pub fn count_live(view: &View<'_>) -> Result<i64, Error> {
    view.one(COUNT_LIVE, named_params! {":now": view.now()}, only)
}

/// The row of a new session, without its id and digest.
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
        values!(SESSION => {
            id: id,
            created_at: now,
            last_seen_at: now,
            ends_at: row.ends_at,
            proved_at: now,
            address: row.visitor.address,
            agent: row.visitor.agent,
            method: row.method,
            digest: digest,
            account_id: row.account,
            idle_seconds: row.idle_seconds,
            remembered: row.remembered,
            rotated_at: now,
        }),
    )?;
    Ok(())
}

fn read_current(row: &rusqlite::Row<'_>) -> rusqlite::Result<CurrentSession> {
    by_name!(row, FIND_CURRENT =>
        id, account_id, workspace_id, username, display_name, last_seen_at, proved_at, idle_seconds, ends_at,
        rotated_at, picture, colour, theme, language, time_zone, is_operator);
    Ok(CurrentSession {
        id: id.get()?,
        account: account_id.get()?,
        workspace: workspace_id.get()?,
        username: username.get()?,
        display_name: display_name.get()?,
        last_seen_at: last_seen_at.get()?,
        proved_at: proved_at.get()?,
        idle: seconds(idle_seconds.get::<i64>()?.unsigned_abs()),
        ends_at: ends_at.get()?,
        rotated_at: rotated_at.get()?,
        picture: picture.get()?,
        colour: colour.get()?,
        theme: theme.get()?,
        language: language.get()?,
        time_zone: time_zone.get()?,
        is_operator: is_operator.get()?,
        is_newest: true,
    })
}

pub(super) fn find_current(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<CurrentSession>, Error> {
    let now = view.now();
    let params = named_params! {":digest": digest, ":now": now, ":latest": now.plus(CLOCK_SLACK)};
    view.find(FIND_CURRENT, params, read_current)
}

/// Why the session expired. `None`: it did not expire, or was deleted.
pub(super) fn find_ended(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<End>, Error> {
    let now = view.now();
    view.find(FIND_ENDED, named_params! {":digest": digest, ":now": now}, |row| {
        by_name!(row, FIND_ENDED => is_idle);
        Ok(if is_idle.get()? { End::Idle } else { End::Age })
    })
}

/// The account's live sessions, the most recently used first.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, account: AccountId) -> Result<Vec<Session>, Error> {
    let now = view.now();
    let params = named_params! {":account_id": account, ":now": now, ":latest": now.plus(CLOCK_SLACK)};
    view.list(LIST, params, |row| {
        by_name!(row, LIST => id, created_at, last_seen_at, ends_at, address, agent, method);
        Ok(Session {
            id: id.get()?,
            created_at: created_at.get()?,
            last_seen_at: last_seen_at.get()?,
            ends_at: ends_at.get()?,
            visitor: Visitor { address: address.get()?, agent: agent.get()?, ..Visitor::default() },
            method: method.get()?,
        })
    })
}

/// Stores that the session was used; call it when [`CurrentSession::needs_touch`]. A session that has ended stays
/// ended.
///
/// # Errors
/// [`Error`].
pub fn update_seen(tx: &mut Tx<'_>, id: SessionId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_SEEN, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// The absolute end of the session, and whether it is remembered. `None`: it has ended.
pub(super) fn update_proved(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: SessionId,
    digest: &[u8; 32],
) -> Result<Option<(Timestamp, bool)>, Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":account_id": account, ":digest": digest, ":now": now};
    tx.find(UPDATE_PROVED, params, |row| {
        by_name!(row, UPDATE_PROVED => ends_at, remembered);
        Ok((ends_at.get()?, remembered.get()?))
    })
}

/// As [`update_proved`]. `None`: `old` is no longer the value of the session, or is not from before `due`.
pub(super) fn update_rotated(
    tx: &mut Tx<'_>,
    id: SessionId,
    old: &[u8; 32],
    digest: &[u8; 32],
    due: Timestamp,
) -> Result<Option<(Timestamp, bool)>, Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":old": old, ":digest": digest, ":due": due, ":now": now};
    tx.find(UPDATE_ROTATED, params, |row| {
        by_name!(row, UPDATE_ROTATED => ends_at, remembered);
        Ok((ends_at.get()?, remembered.get()?))
    })
}

pub(super) fn insert_rotated(tx: &mut Tx<'_>, id: SessionId, old: &[u8; 32], until: Timestamp) -> Result<(), Error> {
    tx.execute(INSERT_ROTATED, values!(SESSION_ROTATED => { digest: old, session_id: id, until: until }))?;
    Ok(())
}

/// A cookie value that was replaced.
pub(super) struct RotatedCookie {
    pub session: SessionId,
    pub account: AccountId,
    /// The digest of the valid value.
    pub newest: [u8; 32],
    pub until: Timestamp,
}

pub(super) fn find_rotated(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<RotatedCookie>, Error> {
    view.find(FIND_ROTATED, named_params! {":digest": digest}, |row| {
        by_name!(row, FIND_ROTATED => id, account_id, digest, until);
        Ok(RotatedCookie { session: id.get()?, account: account_id.get()?, newest: digest.get()?, until: until.get()? })
    })
}

pub(super) fn delete(tx: &mut Tx<'_>, account: AccountId, id: SessionId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id, ":account_id": account})
}

pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId, except: Option<SessionId>) -> Result<usize, Error> {
    tx.execute(DELETE_ALL, named_params! {":account_id": account, ":except": except})
}

/// Ends the sessions of all accounts, because a restored database has sessions that ended after it was copied. Returns how
/// many. Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn delete_of_all(tx: &mut Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_OF_ALL, [])
}

/// Deletes all but the `kept` most recently used ones.
pub(super) fn delete_beyond(tx: &mut Tx<'_>, account: AccountId, kept: u32) -> Result<usize, Error> {
    tx.execute(DELETE_BEYOND, named_params! {":account_id": account, ":kept": kept})
}

pub(super) fn delete_ended(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_ENDED, named_params! {":before": before, ":limit": limit})
}

/// Stores that the device was used now; it is trusted from now on.
pub(super) fn insert_device(
    tx: &mut Tx<'_>,
    account: AccountId,
    digest: &[u8; 32],
    has_signed_in: bool,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_DEVICE,
        values!(DEVICE => {
        first_seen_at: now,
        last_seen_at: now,
        digest: digest,
        has_signed_in: has_signed_in,
        account_id: account,
    } and { now: now }),
    )?;
    Ok(())
}

/// Whether a sign-in was completed with the device. `None`: it is unknown, or no longer trusted.
pub(super) fn find_trusted_device(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<bool>, Error> {
    view.find(FIND_TRUSTED_DEVICE, named_params! {":digest": digest}, only)
}

pub(super) fn has_devices(view: &View<'_>, account: AccountId) -> Result<bool, Error> {
    view.one(HAS_DEVICES, named_params! {":account_id": account}, only)
}

/// Stops trusting every browser of the account, because another person signed in with one of them. The person is told
/// about the next sign-in with each of them.
///
/// # Errors
/// [`Error`].
pub fn distrust_devices(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DISTRUST_DEVICES, named_params! {":account_id": account})?;
    Ok(())
}

pub(super) fn delete_devices(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_DEVICES, named_params! {":account_id": account})
}

/// Deletes all but the `kept` most recently used ones.
pub(super) fn delete_devices_beyond(tx: &mut Tx<'_>, account: AccountId, kept: u32) -> Result<usize, Error> {
    tx.execute(DELETE_DEVICES_BEYOND, named_params! {":account_id": account, ":kept": kept})
}

pub(super) fn delete_old_devices(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_DEVICES, named_params! {":before": before, ":limit": limit})
}

pub(super) fn find_throttle(view: &View<'_>, bucket: &[u8; 32]) -> Result<Option<Counter>, Error> {
    view.find(FIND_THROTTLE, named_params! {":bucket": bucket}, |row| {
        by_name!(row, FIND_THROTTLE => failures, until, updated_at);
        Ok(Counter { count: failures.get()?, until: until.get()?, updated_at: updated_at.get()? })
    })
}

pub(super) fn insert_throttle(tx: &mut Tx<'_>, bucket: &[u8; 32], counter: &Counter) -> Result<(), Error> {
    tx.execute(
        REPLACE_THROTTLE,
        values!(THROTTLE => {
            bucket: bucket,
            failures: counter.count,
            until: counter.until,
            updated_at: counter.updated_at,
        }),
    )?;
    Ok(())
}

pub(super) fn delete_throttle(tx: &mut Tx<'_>, bucket: &[u8; 32]) -> Result<(), Error> {
    tx.execute(DELETE_THROTTLE, named_params! {":bucket": bucket})?;
    Ok(())
}

pub(super) fn delete_old_throttles(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let day = i64::try_from(hours(24).as_millis()).unwrap_or(i64::MAX);
    tx.execute(DELETE_OLD_THROTTLES, named_params! {":now": now, ":day": day, ":limit": limit})
}
