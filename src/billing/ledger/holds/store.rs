//! The SQL of holds. Triggers keep the bounds of the lots' accounts.

use rusqlite::{Row, named_params};

use super::super::tables::{CREDIT_HOLD, CREDIT_HOLD_LOT};
use super::model::{Hold, HoldState, ReservedPart};
use crate::base::{Credits, HoldId, LotId, Timestamp, WorkspaceId};
use crate::db::{self, Error, Tx, View, by_name, insert, only, sql, values};

const COLUMNS: &str = "id, workspace_id, family_id, amount_micro, captured_micro, state, expires_at";
const INSERT: &str = insert!(CREDIT_HOLD);
const INSERT_PART: &str = insert!(CREDIT_HOLD_LOT);
const FIND: &str = sql!("select ", COLUMNS, " from credit_hold where id = :id");
const LIST_PARTS: &str = "
    select n, lot_id, reserved_micro from credit_hold_lot where hold_id = :hold_id and reserved_micro > 0 order by n";
const UPDATE_PART: &str = "
    update credit_hold_lot set reserved_micro = :reserved_micro where hold_id = :hold_id and n = :n";
const UPDATE_PARTS_EMPTY: &str = "
    update credit_hold_lot set reserved_micro = 0 where hold_id = :hold_id and reserved_micro > 0";
const UPDATE_CAPTURED: &str = "update credit_hold set captured_micro = :captured_micro where id = :id";
const UPDATE_CLOSED: &str = "update credit_hold set state = :state, closed_at = :now where id = :id";
const LIST_DUE: &str = sql!(
    "select ",
    COLUMNS,
    "
    from credit_hold where state = 'active' and expires_at <= :now order by expires_at limit :limit"
);
const LIST_DUE_OF_WORKSPACE: &str = sql!(
    "select ",
    COLUMNS,
    "
    from credit_hold
    where workspace_id = :workspace_id and state = 'active' and expires_at <= :now
    order by expires_at limit :limit"
);
const RESERVED: &str = "
    select coalesce(sum(-b.high_micro - coalesce((
        select sum(p.reserved_micro)
        from credit_hold_lot p join credit_hold h on h.id = p.hold_id
        where p.lot_id = l.id and p.reserved_micro > 0 and h.expires_at <= :due), 0)), 0)
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0";

const FREE: &str = "
    select coalesce(sum(b.high_micro - b.balance_micro + coalesce((
        select sum(p.reserved_micro)
        from credit_hold_lot p join credit_hold h on h.id = p.hold_id
        where p.lot_id = l.id and p.reserved_micro > 0 and h.expires_at <= :due), 0)), 0)
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0 and coalesce(l.expires_at > :due, 1)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_PART,
    FIND,
    LIST_PARTS,
    UPDATE_PART,
    UPDATE_PARTS_EMPTY,
    UPDATE_CAPTURED,
    UPDATE_CLOSED,
    LIST_DUE,
    LIST_DUE_OF_WORKSPACE,
    RESERVED,
    FREE,
];

pub(super) fn insert(tx: &mut Tx<'_>, hold: &Hold) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(CREDIT_HOLD => {
            id: hold.id,
            workspace_id: hold.workspace,
            family_id: hold.family,
            amount_micro: hold.amount,
            created_at: now,
            expires_at: hold.expires_at,
        }),
    )?;
    Ok(())
}

pub(super) fn insert_part(tx: &mut Tx<'_>, hold: HoldId, n: i64, lot: LotId, reserved: Credits) -> Result<(), Error> {
    tx.execute(
        INSERT_PART,
        values!(CREDIT_HOLD_LOT => { hold_id: hold, n: n, lot_id: lot, reserved_micro: reserved }),
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Hold> {
    by_name!(row, COLUMNS => id, workspace_id, family_id, amount_micro, captured_micro, state, expires_at);
    Ok(Hold {
        id: id.get()?,
        workspace: workspace_id.get()?,
        family: family_id.get()?,
        amount: amount_micro.get()?,
        captured: captured_micro.get()?,
        state: state.parse(HoldState::parse)?,
        expires_at: expires_at.get()?,
    })
}

/// A hold. `None`: it does not exist.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, id: HoldId) -> Result<Option<Hold>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// What a hold still reserves, in burn order.
pub(super) fn list_parts(view: &View<'_>, hold: HoldId) -> Result<Vec<ReservedPart>, Error> {
    view.list(LIST_PARTS, named_params! {":hold_id": hold}, |row| {
        by_name!(row, LIST_PARTS => n, lot_id, reserved_micro);
        Ok(ReservedPart { n: n.get()?, lot: lot_id.get()?, reserved: reserved_micro.get()? })
    })
}

pub(super) fn update_part(tx: &mut Tx<'_>, hold: HoldId, n: i64, reserved: Credits) -> Result<(), Error> {
    tx.execute(UPDATE_PART, named_params! {":hold_id": hold, ":n": n, ":reserved_micro": reserved})?;
    Ok(())
}

/// The hold reserves nothing any more.
pub(super) fn update_parts_empty(tx: &mut Tx<'_>, hold: HoldId) -> Result<(), Error> {
    tx.execute(UPDATE_PARTS_EMPTY, named_params! {":hold_id": hold})?;
    Ok(())
}

pub(super) fn update_captured(tx: &mut Tx<'_>, id: HoldId, captured: Credits) -> Result<(), Error> {
    tx.execute(UPDATE_CAPTURED, named_params! {":id": id, ":captured_micro": captured})?;
    Ok(())
}

pub(super) fn update_closed(tx: &mut Tx<'_>, id: HoldId, state: HoldState) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_CLOSED, named_params! {":id": id, ":state": state.as_str(), ":now": now})?;
    Ok(())
}

/// Active holds of all wallets whose time is over, the earliest first.
pub(super) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<Hold>, Error> {
    let now: Timestamp = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, read)
}

/// Active holds of one wallet whose time is over, the earliest first.
pub(super) fn list_due_of_workspace(view: &View<'_>, workspace: WorkspaceId, limit: u32) -> Result<Vec<Hold>, Error> {
    let now: Timestamp = view.now();
    let params = named_params! {":workspace_id": workspace, ":now": now, ":limit": limit};
    view.list(LIST_DUE_OF_WORKSPACE, params, read)
}

/// What ended up to this time has ended: now, or nothing while the clock may be wrong.
fn due_time(view: &View<'_>) -> Result<Timestamp, Error> {
    Ok(if db::is_clock_right(view)? { view.now() } else { Timestamp::from_millis(i64::MIN) })
}

/// What holds reserve of a wallet whose time is not over.
///
/// # Errors
/// [`Error`].
pub fn reserved(view: &View<'_>, workspace: WorkspaceId) -> Result<Credits, Error> {
    view.one(RESERVED, named_params! {":workspace_id": workspace, ":due": due_time(view)?}, only)
}

/// The free credit of a wallet that has not expired, in micro-credits, with what holds reserve of it whose time is over.
pub(super) fn free_micro(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    view.one(FREE, named_params! {":workspace_id": workspace, ":due": due_time(view)?}, only)
}
