//! The SQL of notices.

use rusqlite::named_params;

use super::tables::CREDIT_EXPIRY_NOTICE;
use crate::base::{Credits, LotId, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, values};

// The months of allowances are told about by their share.
const LIST_EXPIRING: &str = "
    select l.id, l.workspace_id, l.effective_at, l.expires_at, -b.balance_micro as left_micro,
           coalesce(n.days, 999) as told_days
    from credit_lot l
    join ledger_balance b on b.account_id = l.account_id
    left join credit_expiry_notice n on n.lot_id = l.id
    where l.exhausted = 0 and l.expires_at is not null and l.expires_at > :now and l.expires_at <= :until
      and l.kind <> 'monthly'
    order by l.expires_at, l.id";
const LIST_ALLOWANCES: &str = "
    select a.workspace_id, a.amount_micro, a.granted_until, a.told_percent,
           coalesce((
             select sum(-b.balance_micro)
             from credit_lot l join ledger_balance b on b.account_id = l.account_id
             where l.workspace_id = a.workspace_id and l.exhausted = 0 and l.kind = 'monthly'
               and l.expires_at = a.granted_until), 0) as left_micro
    from credit_allowance a
    where a.granted_until > :now and a.workspace_id > :after
    order by a.workspace_id
    limit :limit";
const REPLACE: &str = insert!("insert or replace", CREDIT_EXPIRY_NOTICE);
const UPDATE_TOLD: &str = "
    update credit_allowance set told_percent = :percent where workspace_id = :workspace_id and told_percent < :percent";
const DELETE_OF_WORKSPACE: &str = "delete from credit_expiry_notice where workspace_id = :workspace_id";
const DELETE_PAST: &str = "
    delete from credit_expiry_notice where lot_id in (
      select n.lot_id from credit_expiry_notice n join credit_lot l on l.id = n.lot_id
      where l.exhausted = 1 or l.expires_at <= :now
      limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[LIST_EXPIRING, LIST_ALLOWANCES, REPLACE, UPDATE_TOLD, DELETE_OF_WORKSPACE, DELETE_PAST];

/// Credit that expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiring {
    pub lot: LotId,
    pub workspace: WorkspaceId,
    pub granted_at: Timestamp,
    pub end: Timestamp,
    /// Reserved or not.
    pub left: Credits,
    /// The fewest days before the end that the owner was told. A large number: not yet.
    pub told_days: u64,
}

/// Credit that expires by this time, the earliest end first.
pub(super) fn list_expiring(view: &View<'_>, until: Timestamp) -> Result<Vec<Expiring>, Error> {
    let now = view.now();
    view.list(LIST_EXPIRING, named_params! {":now": now, ":until": until}, |row| {
        by_name!(row, LIST_EXPIRING => id, workspace_id, effective_at, expires_at, left_micro, told_days);
        Ok(Expiring {
            lot: id.get()?,
            workspace: workspace_id.get()?,
            granted_at: effective_at.get()?,
            end: expires_at.get()?,
            left: left_micro.get()?,
            told_days: u64::try_from(told_days.get::<i64>()?).unwrap_or_default(),
        })
    })
}

/// An allowance with what is left of its present month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub workspace: WorkspaceId,
    pub amount: Credits,
    pub granted_until: Timestamp,
    pub told_percent: i64,
    pub left: Credits,
}

/// Allowances with what is left of their present month, after this workspace, by id.
pub(super) fn list_allowances(view: &View<'_>, after: &str, limit: u32) -> Result<Vec<Standing>, Error> {
    let now = view.now();
    view.list(LIST_ALLOWANCES, named_params! {":now": now, ":after": after, ":limit": limit}, |row| {
        by_name!(row, LIST_ALLOWANCES => workspace_id, amount_micro, granted_until, told_percent, left_micro);
        Ok(Standing {
            workspace: workspace_id.get()?,
            amount: amount_micro.get()?,
            granted_until: granted_until.get()?,
            told_percent: told_percent.get()?,
            left: left_micro.get()?,
        })
    })
}

pub(super) fn replace(tx: &mut Tx<'_>, expiring: &Expiring, days: u64) -> Result<(), Error> {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    tx.execute(
        REPLACE,
        values!(CREDIT_EXPIRY_NOTICE => { lot_id: expiring.lot, workspace_id: expiring.workspace, days: days }),
    )?;
    Ok(())
}

/// Notes the share that an owner is told about. `false`: they were told before.
pub(super) fn update_told(tx: &mut Tx<'_>, workspace: WorkspaceId, percent: i64) -> Result<bool, Error> {
    Ok(tx.execute(UPDATE_TOLD, named_params! {":workspace_id": workspace, ":percent": percent})? > 0)
}

/// Deletes what the owner of a workspace was told. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn delete_of_workspace(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, Error> {
    tx.execute(DELETE_OF_WORKSPACE, named_params! {":workspace_id": workspace})
}

pub(super) fn delete_past(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_PAST, named_params! {":now": now, ":limit": limit})
}
