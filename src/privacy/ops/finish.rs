//! What is left to do after erasures, until their receipts are final.

use super::super::model::PendingErasure;
use super::super::{erasures, store};
use crate::base::RequestId;
use crate::db::{Error, Tx, View};
use crate::mail;

/// Erasures that one call handles.
const BATCH_MAX: u32 = 1000;

/// The oldest erasures whose receipts are not final, at most 1,000.
///
/// # Errors
/// [`Error`].
pub fn pending_erasures(view: &View<'_>) -> Result<Vec<PendingErasure>, Error> {
    store::list_pending(view, BATCH_MAX)
}

/// The receipts of erasures of which this database has no trace: those that are not final, unless a mail about an
/// erasure waits to be sent.
///
/// # Errors
/// [`Error`].
pub fn erasures_without_trace(view: &View<'_>) -> Result<Vec<RequestId>, Error> {
    if mail::has_transient(view)? {
        return Ok(Vec::new());
    }
    Ok(pending_erasures(view)?.into_iter().map(|erasure| erasure.receipt).collect())
}

/// Records that the write-ahead log was emptied after these erasures were committed. Their receipts are final if the
/// snapshot was replaced too, and the services have answered.
// No permission: the system does it. No event: the erasure has one.
pub(in crate::privacy) fn log_emptied(tx: &mut Tx<'_>, receipts: &[RequestId]) -> Result<(), Error> {
    receipts.iter().try_for_each(|receipt| store::set_log_emptied(tx, *receipt))?;
    store::delete_final(tx)?;
    erasures::settle(tx)
}

/// Records that a snapshot made after these erasures is published. Their receipts are final if the write-ahead log was
/// emptied too, and the services have answered.
// No permission: the system does it. No event: the erasure has one.
pub(in crate::privacy) fn snapshot_replaced(tx: &mut Tx<'_>, receipts: &[RequestId]) -> Result<(), Error> {
    for receipt in receipts {
        store::set_snapshot_replaced(tx, *receipt)?;
        erasures::update_snapshot_replaced(tx, *receipt)?;
    }
    store::delete_final(tx)?;
    erasures::settle(tx)
}
