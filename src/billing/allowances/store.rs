//! All SQL of allowances.

use rusqlite::{Row, named_params};

use super::model::Allowance;
use super::tables::CREDIT_ALLOWANCE;
use crate::base::{Credits, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, sql, values};

const ALLOWANCE: &str = "workspace_id, amount_micro, granted_until";
const FIND: &str = sql!("select ", ALLOWANCE, " from credit_allowance where workspace_id = :workspace_id");
const LIST_DUE: &str = sql!(
    "select ",
    ALLOWANCE,
    " from credit_allowance where granted_until <= :now order by granted_until limit :limit"
);
const REPLACE: &str = insert!("insert or replace", CREDIT_ALLOWANCE);
const UPDATE_GRANTED: &str = "
    update credit_allowance set granted_until = :granted_until, told_percent = 0 where workspace_id = :workspace_id";
const DELETE: &str = "delete from credit_allowance where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, LIST_DUE, REPLACE, UPDATE_GRANTED, DELETE];

fn read(row: &Row<'_>) -> rusqlite::Result<Allowance> {
    by_name!(row, ALLOWANCE => workspace_id, amount_micro, granted_until);
    Ok(Allowance { workspace: workspace_id.get()?, amount: amount_micro.get()?, granted_until: granted_until.get()? })
}

/// The allowance of a workspace. `None`: it has none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Allowance>, Error> {
    view.find(FIND, named_params! {":workspace_id": workspace}, read)
}

/// Allowances whose next month has begun.
pub(super) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<Allowance>, Error> {
    let now = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, read)
}

pub(super) fn replace(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    amount: Credits,
    granted_until: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE,
        values!(CREDIT_ALLOWANCE => {
            amount_micro: amount,
            set_at: now,
            granted_until: granted_until,
            workspace_id: workspace,
        }),
    )?;
    Ok(())
}

pub(super) fn update_granted(tx: &mut Tx<'_>, workspace: WorkspaceId, until: Timestamp) -> Result<(), Error> {
    tx.execute(UPDATE_GRANTED, named_params! {":workspace_id": workspace, ":granted_until": until})?;
    Ok(())
}

/// Deletes the allowance of a workspace. Returns how many rows: none if it has none.
///
/// # Errors
/// [`Error`].
pub fn delete(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":workspace_id": workspace})
}
