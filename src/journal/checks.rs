//! Verifies the journal of the data folder, and remembers up to which line: a start verifies only the lines after it,
//! however long the journal is. All lines are verified once a day, by `domicile check` and by a restore.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::error::JournalError;
use super::file::{JournalFile, verified_end};
use super::lines::ReadLine;
use super::model::{Checked, VerifiedJournal};
use super::store;
use super::verify::{LINE_BYTES_MAX, walk};
use crate::base::{Timestamp, hours};
use crate::db::{Error, Tx, View};

/// Which lines are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those after the last verified line. If that line is not where it was, all of them.
    New,
    /// All of them.
    Whole,
    /// All of them if that was not done for a day, else those of [`Extent::New`].
    Daily,
}

/// How often all lines are verified.
const WHOLE_EVERY: Duration = hours(23);

/// The result of a verification, to be kept with [`keep_verified`].
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    /// What was verified.
    pub journal: VerifiedJournal,
    /// The row to store. `None`: the stored one says the same.
    row: Option<Checked>,
}

impl JournalFile {
    /// Verifies lines of the file, and that the database has the last one. Changes nothing. A missing file is not an
    /// error, because it is written again from the database.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] with the first line that does not match; [`JournalError::Ahead`],
    /// [`JournalError::Diverged`]; [`JournalError::Db`] if the file cannot be read.
    pub fn verify(&self, view: &View<'_>, extent: Extent) -> Result<Verification, JournalError> {
        let keyring = &view.site().keyring;
        // A command may read a database of an older schema, which has no such table.
        let stored = if extent == Extent::Whole { None } else { store::find_checked(view)? };
        // A time in the future is of a clock that was set back.
        let is_due = |at: Timestamp| at > view.now() || view.now().since(at) >= WHOLE_EVERY;
        let known = stored.filter(|checked| match extent {
            Extent::New => true,
            Extent::Whole => false,
            Extent::Daily => !is_due(checked.whole_at),
        });
        let begin = match &known {
            Some(checked) => find_again(self.path(), checked)?,
            None => None,
        };
        let walked = walk(self.path(), keyring, begin.unwrap_or(VerifiedJournal::BEGIN), |_| ());
        let journal = match walked {
            Err(JournalError::Missing { .. }) => {
                return Ok(Verification { journal: VerifiedJournal::BEGIN, row: None });
            }
            other => other?,
        };
        let mut file = File::open(self.path()).map_err(|error| Error::file(self.path(), error))?;
        verified_end(view, &mut file, self.path())?;
        let whole_at = known.filter(|_| begin.is_some()).map_or(view.now(), |checked| checked.whole_at);
        let row = Checked { head: journal.head, end_offset: journal.end_offset, whole_at };
        Ok(Verification { journal, row: Some(row).filter(|row| stored != Some(*row)) })
    }
}

/// Remembers what was verified. Writes nothing if it is known already.
///
/// # Errors
/// [`Error`].
// No permission, no event: the appliance remembers for its next start.
pub fn keep_verified(tx: &mut Tx<'_>, verification: &Verification) -> Result<(), Error> {
    verification.row.map_or(Ok(()), |row| store::replace_checked(tx, &row))
}

impl Verification {
    /// Whether there is something to keep.
    pub const fn is_news(&self) -> bool {
        self.row.is_some()
    }
}

/// The place in the file where the verified line ends. `None`: the line is not there.
fn find_again(path: &Path, checked: &Checked) -> Result<Option<VerifiedJournal>, JournalError> {
    let found = VerifiedJournal { head: checked.head, end_offset: checked.end_offset, partial_bytes: 0 };
    if checked.head.seq == 0 {
        return Ok(Some(VerifiedJournal::BEGIN));
    }
    let file_error = |error| Error::file(path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(error).into()),
    };
    let from = checked.end_offset.saturating_sub(LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from)).map_err(file_error)?;
    let mut text = Vec::new();
    file.take(checked.end_offset - from).read_to_end(&mut text).map_err(file_error)?;
    let line = text.strip_suffix(b"\n").and_then(|text| text.rsplit(|byte| *byte == b'\n').next());
    let line = line.and_then(ReadLine::parse).map(|line| line.entry);
    // The hash of the entry is computed again: the verified line is not to be taken for its text alone.
    let is_there = text.len() as u64 == checked.end_offset - from
        && line.is_some_and(|entry| entry.head() == checked.head && entry.has_own_hash());
    Ok(is_there.then_some(found))
}
