//! Whether a database continues a published snapshot.

use std::path::Path;
use std::sync::Arc;

use super::model::Stamp;
use super::store;
use crate::audit;
use crate::base::Timestamp;
use crate::billing::ledger;
use crate::db::{Error, FileCopy, Site, Tx, View};

/// What a snapshot says of itself, read without a check of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    #[allow(missing_docs)]
    pub stamp: Stamp,
    /// The epoch of its audit.
    pub epoch: i64,
    /// The number and the id of its last ledger transaction. `None`: it has none.
    pub ledger: Option<(i64, String)>,
    /// The id of its appliance.
    pub site_id: String,
}

/// Reads what a snapshot says of itself. `None`: the file is missing, or is not a snapshot of this keyring.
pub fn read_published(path: &Path, site: &Arc<Site>, now: Timestamp) -> Option<Published> {
    if !path.is_file() {
        return None;
    }
    let copy = FileCopy::open(path, site, now).ok()?;
    copy.prepare().ok()?;
    let view = copy.view();
    let stamp = store::find(&view).ok()??;
    let site_id = crate::db::find_stamp(&view).ok()??.site_id;
    let (epoch, ledger) = (audit::epoch_number(&view).ok()?, ledger::head(&view).ok()?);
    Some(Published { stamp, epoch, ledger, site_id })
}

/// Whether the database contains everything that the snapshot contains: it has the snapshot's last audit event and
/// its last ledger transaction, or a restore began a later epoch. A database that is no continuation must not replace the snapshot, because the snapshot
/// may be the only copy of what the database lacks.
///
/// # Errors
/// [`Error`].
pub fn continues(view: &View<'_>, published: &Published) -> Result<bool, Error> {
    if audit::epoch_number(view)? > published.epoch {
        return Ok(true);
    }
    let leaf = audit::leaf_of_event(view, published.stamp.audit_seq)?;
    let has_ledger = match &published.ledger {
        Some((seq, id)) => ledger::transaction_id(view, *seq)?.as_ref() == Some(id),
        None => true,
    };
    Ok(has_ledger && leaf == Some(published.stamp.audit_head))
}

/// What the database says of itself, if it is a snapshot that was put in the place of the live database.
///
/// # Errors
/// [`Error`].
pub fn find_stamp(view: &View<'_>) -> Result<Option<Stamp>, Error> {
    store::find(view)
}

/// Deletes what a snapshot says of itself, because the database becomes the live one.
///
/// # Errors
/// [`Error`].
pub fn delete_stamp(tx: &mut Tx<'_>) -> Result<(), Error> {
    store::delete(tx)
}
