//! Whether a database continues a published snapshot.

use std::path::Path;
use std::sync::Arc;

use super::model::Stamp;
use super::store;
use crate::audit;
use crate::base::{Digest, Timestamp};
use crate::billing::ledger;
use crate::db::{Error, FileCopy, Site, Tx, View};

/// How far a database goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The id of its appliance.
    pub site_id: String,
    /// The epoch of its audit.
    pub epoch: i64,
    /// The number and the leaf of its last audit event.
    pub audit: (i64, Digest),
    /// The number and the id of its last ledger transaction. `None`: it has none.
    pub ledger: Option<(i64, String)>,
}

/// What a snapshot says of itself, read without a check of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    #[allow(missing_docs)]
    pub stamp: Stamp,
    #[allow(missing_docs)]
    pub head: Head,
}

/// How far the database goes. `None`: `init` did not finish it.
///
/// # Errors
/// [`Error`].
pub fn head(view: &View<'_>) -> Result<Option<Head>, Error> {
    let Some(site) = crate::db::find_stamp(view)? else { return Ok(None) };
    let (epoch, audit) = (audit::epoch_number(view)?, audit::head(view)?);
    Ok(Some(Head { site_id: site.site_id, epoch, audit, ledger: ledger::head(view)? }))
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
    let head = Head { audit: (stamp.audit_seq, stamp.audit_head), ..head(&view).ok()?? };
    Some(Published { stamp, head })
}

/// Whether the database contains everything up to `known`, the head of a snapshot or of an earlier moment: it has that
/// audit event and that ledger transaction, or a restore began a later epoch. A database that is no continuation must not
/// replace the snapshot, because the snapshot may be the only copy of what the database lacks.
///
/// # Errors
/// [`Error`].
pub fn continues(view: &View<'_>, known: &Head) -> Result<bool, Error> {
    if audit::epoch_number(view)? > known.epoch {
        return Ok(true);
    }
    let (seq, leaf) = known.audit;
    let has_ledger = match &known.ledger {
        Some((seq, id)) => ledger::transaction_id(view, *seq)?.as_ref() == Some(id),
        None => true,
    };
    Ok(has_ledger && audit::leaf_of_event(view, seq)? == Some(leaf))
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
