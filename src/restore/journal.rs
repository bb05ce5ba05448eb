//! Chooses the journal of a restore, and verifies it against the snapshot.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::RestoreError;
use super::model::{Options, Source};
use crate::audit::Epoch;
use crate::crypto::Keyring;
use crate::db::Error;
use crate::journal::{self, Entry, Head, JournalError};

/// A journal whose lines are verified.
pub(super) struct Journal {
    pub path: PathBuf,
    pub file: File,
    /// Bytes up to the end of the last whole line.
    pub end_offset: u64,
    pub entries: Vec<Entry>,
}

/// The journal of a restore.
pub(super) struct Chosen {
    /// Its lines continue the snapshot. `None`: there is none.
    pub journal: Option<Journal>,
    /// Whether it may lack lines, and the operator accepts that.
    pub is_accepted: bool,
}

impl Journal {
    fn read(source: &Source, keyring: &Keyring) -> Result<Self, RestoreError> {
        Self::read_to_damage(source, keyring).and_then(|(journal, damage)| damage.map_or(Ok(journal), Err))
    }

    /// The lines before the first damaged one, and what is wrong with that one.
    fn read_to_damage(source: &Source, keyring: &Keyring) -> Result<(Self, Option<RestoreError>), RestoreError> {
        let file_error = |error| Error::file(&source.path, error);
        let file = source.file.try_clone().map_err(file_error)?;
        let mut entries = Vec::new();
        let outcome = journal::read(&file, &source.path, keyring, |entry| entries.push(entry));
        let end_offset = outcome.as_ref().map_or(0, |verified| verified.end_offset);
        let journal = Self { path: source.path.clone(), file, end_offset, entries };
        Ok((journal, outcome.err().map(RestoreError::from)))
    }

    fn head(&self) -> Head {
        self.entries.last().map_or(Head::EMPTY, Entry::head)
    }

    /// As [`Journal::head`], without the lines of restores at its end. They change no access, so a journal that goes on
    /// before them lacks nothing: it is the complete one that was found after a restore without it.
    fn head_before_restores(&self) -> Head {
        let changes = self.entries.iter().rev().find(|entry| Epoch::number_in_journal(entry).is_none());
        changes.map_or(Head::EMPTY, Entry::head)
    }

    /// The highest number of a restore that it notes. `None`: it notes none.
    pub fn last_epoch(&self) -> Option<i64> {
        self.entries.iter().filter_map(Epoch::number_in_journal).max()
    }

    /// The lines after this one.
    pub fn after(&self, line: i64) -> &[Entry] {
        let index = usize::try_from(line).unwrap_or(usize::MAX).min(self.entries.len());
        &self.entries[index..]
    }

    /// The head of its first lines. `None`: the journal is shorter.
    fn head_at(&self, line: i64) -> Option<Head> {
        match usize::try_from(line).ok()?.checked_sub(1) {
            None => Some(Head::EMPTY),
            Some(index) => self.entries.get(index).map(Entry::head),
        }
    }

    fn must_continue(&self, known: Head) -> Result<(), RestoreError> {
        let path = self.path.display().to_string();
        match self.head_at(known.seq) {
            Some(own) if own == known => Ok(()),
            Some(_) => Err(JournalError::Diverged { path, seq: known.seq }.into()),
            None => Err(JournalError::Behind { path, journal: self.head().seq, database: known.seq }.into()),
        }
    }
}

/// The longest journal of those that are there: the one that the operator gave, or that lies beside the snapshot, and the
/// one of the data folder, which may be newer. One must be the beginning of the other, and both must continue the
/// snapshot, whose head is `snapshot`. If the operator accepts less, the good lines of the given one count.
///
/// # Errors
/// The first fault of a journal, unless the operator accepts it; [`RestoreError::Db`].
pub(super) fn choose(
    (given, expected): (Option<&Source>, &Path),
    own: &Path,
    snapshot: Head,
    keyring: &Keyring,
    options: Options,
) -> Result<Chosen, RestoreError> {
    match choose_strictly((given, expected), own, snapshot, keyring) {
        Ok(journal) => Ok(Chosen { journal: Some(journal), is_accepted: false }),
        Err(error @ RestoreError::Db(_)) => Err(error),
        Err(_) if options.accept_missing_journal => {
            let journal = given.map(|source| Journal::read_to_damage(source, keyring)).transpose()?;
            let journal = journal.map(|(journal, _)| journal);
            let is_usable = |journal: &Journal| journal.must_continue(snapshot).is_ok();
            Ok(Chosen { journal: journal.filter(is_usable), is_accepted: true })
        }
        Err(error) => Err(error),
    }
}

fn choose_strictly(
    (given, expected): (Option<&Source>, &Path),
    own: &Path,
    snapshot: Head,
    keyring: &Keyring,
) -> Result<Journal, RestoreError> {
    let own = match Source::open(own) {
        Ok(source) => Some(source),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::file(own, error).into()),
    };
    let mut longest: Option<Journal> = None;
    for source in given.into_iter().chain(own.as_ref()) {
        let journal = Journal::read(source, keyring)?;
        longest = Some(match longest {
            None => journal,
            Some(first) => {
                let length = |journal: &Journal| (journal.head_before_restores().seq, journal.head().seq);
                let is_longer = length(&first) >= length(&journal);
                let (long, short) = if is_longer { (first, journal) } else { (journal, first) };
                long.must_continue(short.head_before_restores())?;
                long
            }
        });
    }
    let journal = longest.ok_or_else(|| JournalError::Missing { path: expected.display().to_string() })?;
    journal.must_continue(snapshot)?;
    Ok(journal)
}
