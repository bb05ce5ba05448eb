//! Signs how far the audit goes.

use crate::audit::checkpoint::{self, Checkpoint};
use crate::audit::store::{self, TreeRow};
use crate::audit::tree::Frontier;
use crate::db::{Error, Tx, View};

/// A checkpoint that was made and not stored yet.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    tree: Frontier,
    epoch: i64,
    /// The signed note.
    pub note: String,
}

/// The checkpoint of the last event. `None`: the newest one is of it already, or there is no event. Only the leaves since
/// the newest one are read.
///
/// # Errors
/// [`Error::Damaged`]: the newest checkpoint has more events than the audit, or its tree cannot be read.
pub fn next_checkpoint(view: &View<'_>) -> Result<Option<NewCheckpoint>, Error> {
    let damaged = |what: &str| Error::Damaged(format!("the audit: {what}"));
    let stored = store::find_tree(view)?;
    let (mut tree, known_epoch) = match &stored {
        None => (Frontier::default(), 0),
        Some(row) => {
            let tree = u64::try_from(row.size).ok().and_then(|size| Frontier::from_parts(size, &row.roots));
            (tree.ok_or_else(|| damaged("the tree of its newest checkpoint cannot be read"))?, row.epoch)
        }
    };
    let (last, epoch) = (super::head(view)?.0, super::epoch_number(view)?);
    let known = tree.size();
    store::walk_leaves(view, i64::try_from(known).unwrap_or(i64::MAX), |leaf| tree.push(leaf))?;
    if i64::try_from(tree.size()).ok() != Some(last) {
        return Err(damaged("it has fewer events than its newest checkpoint, or numbers are missing"));
    }
    if tree.size() == 0 || (tree.size() == known && epoch == known_epoch) {
        return Ok(None);
    }
    let checkpoint = Checkpoint { origin: origin(view, epoch), size: tree.size(), root: tree.root() };
    let note = checkpoint.sign(&view.site().keyring.checkpoint_key());
    Ok(Some(NewCheckpoint { tree, epoch, note }))
}

fn origin(view: &View<'_>, epoch: i64) -> String {
    let url = &view.site().config.public_url;
    checkpoint::origin(url.split_once("://").map_or(url.as_str(), |(_, host)| host), epoch)
}

/// Stores a checkpoint, unless there is one of more events.
///
/// # Errors
/// [`Error`].
// No permission, no event: it says how far the events go, and an event would ask for the next checkpoint.
pub fn store_checkpoint(tx: &mut Tx<'_>, new: &NewCheckpoint) -> Result<(), Error> {
    let row = TreeRow {
        size: i64::try_from(new.tree.size()).unwrap_or(i64::MAX),
        epoch: new.epoch,
        roots: new.tree.bytes(),
        note: new.note.clone(),
    };
    store::replace_tree(tx, &row)
}

/// The newest checkpoint, as a signed note. `None`: there is none yet.
///
/// # Errors
/// [`Error`].
pub fn newest_checkpoint(view: &View<'_>) -> Result<Option<String>, Error> {
    Ok(store::find_tree(view)?.map(|row| row.note))
}

/// The key that checks the checkpoints of this epoch, as other programs take it (C2SP `signed-note`).
///
/// # Errors
/// [`Error`].
pub fn public_key(view: &View<'_>) -> Result<String, Error> {
    let key = view.site().keyring.checkpoint_key().verifying_key();
    Ok(checkpoint::public_key(&origin(view, super::epoch_number(view)?), &key))
}
