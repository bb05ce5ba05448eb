//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::super::ledger::LedgerError;
use super::error::VoucherError;
use super::ops;
use super::store::{self, Redemption};
use crate::base::{AccountId, Actor, Timestamp, VoucherBatchId, VoucherCodeId, WorkspaceId};
use crate::db::{Error, Tx};
use crate::workspaces;

/// Revokes a batch. Answers whether it was there and not revoked.
///
/// # Errors
/// [`Error`].
pub fn revoke(tx: &mut Tx<'_>, batch: VoucherBatchId) -> Result<bool, Error> {
    Ok(store::update_revoked(tx, batch)? > 0)
}

/// Redeems a code again: otherwise it would work a second time, and the person who had redeemed it would have lost their credit.
/// Nothing happens if the backup does not have the code or the person. `detail` is that of the event: the workspace, and the
/// number of the use. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn redeem(
    tx: &mut Tx<'_>,
    code: VoucherCodeId,
    account: AccountId,
    detail: &str,
    at: Timestamp,
) -> Result<Option<bool>, Error> {
    let Some((workspace, n)) = detail.split_once(' ') else { return Ok(None) };
    let (Some(workspace), Ok(n)) = (WorkspaceId::parse(workspace), n.parse()) else { return Ok(None) };
    let Some(code) = store::find_code_by_id(tx, code)? else { return Ok(Some(false)) };
    let is_there = workspaces::role_of(tx, workspace, account)?.is_some();
    if !is_there || store::count_uses(tx, code.id, account)? >= n || !store::update_used(tx, code.id)? {
        return Ok(Some(false));
    }
    let redemption = Redemption { code: code.id, account, workspace, n, at };
    match ops::give(tx, &Actor::System, &code, &redemption) {
        Ok(_) => Ok(Some(true)),
        Err(VoucherError::Ledger(LedgerError::Db(error))) => Err(error),
        // The wallet is at the largest amount. The use stays taken.
        Err(_) => Ok(Some(true)),
    }
}
