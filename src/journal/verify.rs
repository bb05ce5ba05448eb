//! Verifies journal files: numbers without gaps, each line follows the one before it, all are signed by this appliance.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use super::error::JournalError;
use super::lines::ReadLine;
use super::model::{Entry, VerifiedJournal};
use crate::crypto::Keyring;
use crate::db::Error;

/// The longest line that is read. Lines are a tenth of it; another program may have written anything.
pub(super) const LINE_BYTES_MAX: u64 = 16 << 10;

/// Verifies every line of a journal or of a copy of one. An incomplete last line is not an error, because a copy may be
/// made while a line is written; [`VerifiedJournal::partial_bytes`] tells. A million lines take about a minute.
///
/// # Errors
/// [`JournalError::Damaged`] with the first line that does not match; [`JournalError::Missing`]; [`JournalError::Db`]
/// if the file cannot be read.
pub fn verify(path: &Path, keyring: &Keyring) -> Result<VerifiedJournal, JournalError> {
    walk(path, keyring, VerifiedJournal::BEGIN, |_| ())
}

/// Verifies every line of an open file as [`verify`] does, and calls `each` with every entry, also with those before a
/// damaged line. `path` is for errors.
///
/// # Errors
/// As [`verify`].
pub fn read(
    mut file: &File,
    path: &Path,
    keyring: &Keyring,
    each: impl FnMut(Entry),
) -> Result<VerifiedJournal, JournalError> {
    file.rewind().map_err(|error| Error::file(path, error))?;
    walk_open(file, path, keyring, VerifiedJournal::BEGIN, each)
}

/// Verifies the lines after `from` and calls `each` with every entry.
pub(super) fn walk(
    path: &Path,
    keyring: &Keyring,
    from: VerifiedJournal,
    each: impl FnMut(Entry),
) -> Result<VerifiedJournal, JournalError> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(from.end_offset)).map_err(|error| Error::file(path, error))?;
    walk_open(&file, path, keyring, from, each)
}

fn walk_open(
    file: &File,
    path: &Path,
    keyring: &Keyring,
    from: VerifiedJournal,
    mut each: impl FnMut(Entry),
) -> Result<VerifiedJournal, JournalError> {
    let file_error = |error| Error::file(path, error);
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut verified = from;
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut text).map_err(file_error)?;
        let damaged = |what| damaged(path, verified.head.seq + 1, what);
        match text.strip_suffix(b"\n") {
            None => match bytes_to_end(&mut reader).map_err(file_error)? {
                Some(rest) => return Ok(VerifiedJournal { partial_bytes: read as u64 + rest, ..verified }),
                None => return Err(damaged("is too long")),
            },
            Some(line) => {
                let line = ReadLine::parse(line).ok_or_else(|| damaged("cannot be read"))?;
                if !line.entry.follows(&verified.head) {
                    return Err(damaged("does not follow the line before it"));
                }
                if !line.is_signed_by(keyring) {
                    return Err(damaged("is not signed by this appliance"));
                }
                let end_offset = verified.end_offset + read as u64;
                verified = VerifiedJournal { head: line.entry.head(), end_offset, partial_bytes: 0 };
                each(line.entry);
            }
        }
    }
}

/// Whether the appliance of this keyring began the journal. `None`: there is no journal, or its first line cannot be read.
pub fn is_begun_by(path: &Path, keyring: &Keyring) -> Option<bool> {
    let file = std::io::Read::take(File::open(path).ok()?, LINE_BYTES_MAX);
    let mut text = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut text).ok()?;
    Some(ReadLine::parse(text.strip_suffix(b"\n")?)?.is_signed_by(keyring))
}

/// The number of bytes up to the end of the file, if no line ends there: a crash can leave many zeros.
fn bytes_to_end(reader: &mut impl BufRead) -> std::io::Result<Option<u64>> {
    let mut bytes = 0;
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(Some(bytes));
        }
        if block.contains(&b'\n') {
            return Ok(None);
        }
        let length = block.len();
        reader.consume(length);
        bytes += length as u64;
    }
}

fn open(path: &Path) -> Result<File, JournalError> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => JournalError::Missing { path: path.display().to_string() },
        _ => Error::file(path, error).into(),
    })
}

pub(super) fn damaged(path: &Path, line: i64, what: &'static str) -> JournalError {
    JournalError::Damaged { path: path.display().to_string(), line, what }
}
