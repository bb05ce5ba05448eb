//! Expire credit.

use serde_json::json;

use super::super::super::events::BillingEvent;
use super::super::error::LedgerError;
use super::super::model::{Account, Draft, Kind, Lot, Posting};
use super::super::store;
use super::{new_id, write};
use crate::audit::{self, Event};
use crate::base::{Actor, WorkspaceId};
use crate::db::{self, Tx};

/// The maximum number of lots that one call of [`expire_due`] expires, so that it does not delay other writes.
const EXPIRE_BATCH_MAX: u32 = 500;

/// Expires lots that are due, at most 500. Returns how many; the caller repeats it until the result is 0.
///
/// # Errors
/// [`LedgerError::Db`].
pub fn expire_due(tx: &mut Tx<'_>) -> Result<usize, LedgerError> {
    let due = store::list_due(tx, EXPIRE_BATCH_MAX)?;
    due.iter().try_for_each(|lot| expire(tx, lot))?;
    Ok(due.len())
}

/// Expires the due lots of one wallet, so that no charge uses expired credit before the job runs. Not after a step forward of
/// the clock, as the job: nothing would bring the credit back.
pub(in crate::billing) fn expire_due_of(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), LedgerError> {
    let due = store::list_due_of_workspace(tx, workspace)?;
    if due.is_empty() || !db::is_clock_right(tx)? {
        return Ok(());
    }
    due.iter().try_for_each(|lot| expire(tx, lot))
}

/// Expires what is free of a lot. What is reserved expires when its hold is closed, and after the clock was set back a refund can
/// fill the lot again, so a lot may expire several times: the key is of this transaction.
fn expire(tx: &mut Tx<'_>, lot: &Lot) -> Result<(), LedgerError> {
    let id = new_id(tx);
    let postings = vec![
        Posting::debit(Account::Lot(lot.id), lot.free),
        Posting::credit(lot.origin.expiry_account(lot.category), lot.free),
    ];
    let idem_key = format!("expire:{}:{id}", lot.id);
    let draft = Draft::new(lot.workspace, Kind::Expired, "Credit expired", idem_key, postings);
    let posted = write(tx, &Actor::System, id, draft.content(), draft)?;
    let event = Event::new(BillingEvent::CreditExpired)
        .workspace(lot.workspace)
        .target(posted.id)
        .data(json!({"lot": lot.id.to_string(), "amount": lot.free.to_string()}));
    Ok(audit::record(tx, &Actor::System, event)?)
}
