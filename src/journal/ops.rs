//! Records entries, and checks those in the table.

use super::model::{Entry, Head, NewEntry};
use super::store;
use crate::db::{Error, Tx, View};

/// Rows per query.
const BATCH_MAX: u32 = 1000;

/// Records an entry in the caller's transaction, and answers it. The writer adds its line to the file before the caller is answered.
///
/// # Errors
/// [`Error`]. The caller's transaction must not commit then.
// No permission, no event: the audit records the event that the entry is about.
pub fn record(tx: &mut Tx<'_>, new: NewEntry) -> Result<Entry, Error> {
    let entry = Entry::following(&store::find_head(tx)?, new, tx.now());
    store::insert(tx, &entry)?;
    Ok(entry)
}

/// Inserts an entry of a verified file, with its number and hash: the journal of a restored database goes on from
/// there.
///
/// # Errors
/// [`Error::Damaged`] if it does not follow the last entry of the table; [`Error::Sqlite`].
// No permission, no event: a restore does it, before anything is served.
pub fn adopt(tx: &mut Tx<'_>, entry: &Entry) -> Result<(), Error> {
    if !entry.follows(&store::find_head(tx)?) {
        return Err(Error::Damaged(format!("entry {} does not follow the last entry of the journal", entry.seq)));
    }
    store::insert(tx, entry)
}

/// Checks that each entry of the table follows the one before it. The result is the head, or the number of the first
/// entry that does not follow.
///
/// # Errors
/// [`Error`].
pub fn check_table(view: &View<'_>) -> Result<TableState, Error> {
    let mut head = Head::EMPTY;
    loop {
        let batch = store::list(view, head.seq, BATCH_MAX)?;
        if batch.is_empty() {
            return Ok(TableState::Intact(head));
        }
        for entry in batch {
            if !entry.follows(&head) {
                return Ok(TableState::BrokenAt(head.seq + 1));
            }
            head = entry.head();
        }
    }
}

/// The state of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Each entry follows the one before it.
    Intact(Head),
    /// The number of the first entry that does not.
    BrokenAt(i64),
}
