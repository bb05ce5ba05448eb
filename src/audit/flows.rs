//! Makes the next checkpoint: in the database, in the file of all checkpoints, and in the log.

use super::{checkpoint_file, ops};
use crate::app::App;
use crate::db::Error;

/// Makes a checkpoint of the last event, if the newest one is older, and adds it to the file. Also adds the newest one if
/// an earlier call could not. The result is the newest one; `None`: there is no event.
///
/// # Errors
/// [`Error`]. [`Error::File`]: the file could not be written; the checkpoint is in the database, and the next call adds it.
pub fn make_checkpoint(app: &App) -> Result<Option<String>, Error> {
    let store = app.store();
    if let Some(new) = store.read_blocking(ops::next_checkpoint)? {
        let note = new.note.clone();
        store.write_blocking(move |tx| ops::store_checkpoint(tx, &new))?;
        // Many logs leave the machine, so this is one more witness.
        tracing::info!(checkpoint = note, "The audit was signed.");
    }
    let newest = || store.read_blocking(ops::newest_checkpoint);
    checkpoint_file::append_newest(store.layout(), checkpoint_file::LOCK_WAIT_MAX, newest)
}
