//! The journal file: `tombstones.jsonl`, next to the snapshot and copied by the same backups.
//!
//! The table is the source of truth: every entry is committed before its line is written. So a line that is missing,
//! after a crash or because the disk was full, is written later from the table, and a line is never written twice.
//! Several processes write the file, one at a time: a lock file orders them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::JournalError;
use super::lines::{self, ReadLine};
use super::model::Head;
use super::store;
use super::verify::damaged;
use crate::base::Readiness;
use crate::db::{self, Error, Layout, View};

/// Bytes that are read from the end of the file first. Longer than any line, so the last line is nearly always in it.
const TAIL_BYTES: u64 = 4096;
/// The maximum number of bytes that are searched for the last line, if another program has written into the journal.
const SEARCHED_BYTES_MAX: u64 = 16 << 20;
/// Rows per query.
const BATCH_MAX: u32 = 1000;
/// How long a writer waits for another process, which needs the lock for milliseconds. A stopped process must not stop
/// this one.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

/// The name of the fault while the file lacks lines.
const NOT_WRITTEN: &str = "journal";

/// The journal file of an appliance, for the process that appends to it.
pub struct JournalFile {
    path: PathBuf,
    layout: Layout,
    readiness: Arc<Readiness>,
    /// The end of the file as this process left it. `None`: it must be looked for.
    end: Mutex<Option<KnownEnd>>,
}

/// The end of the open file, after its last complete line.
struct KnownEnd {
    file: File,
    /// Device and inode, which tell whether the file was replaced.
    identity: (u64, u64),
    offset: u64,
    head: Head,
    /// Whether everything up to the offset is on the disk.
    is_durable: bool,
}

impl JournalFile {
    /// The journal of the data folder. Nothing is opened yet.
    pub fn new(layout: &Layout, readiness: &Arc<Readiness>) -> Self {
        let (path, readiness) = (layout.tombstones(), readiness.clone());
        Self { path, layout: layout.clone(), readiness, end: Mutex::default() }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the line of every entry that the file does not have, and returns how many. When it returns, all lines
    /// are on the disk. `view` must not be a transaction that began before: it must read what was committed last.
    ///
    /// Blocks this thread. Calling it twice is the same as once.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Ahead`], [`JournalError::Diverged`], [`JournalError::Db`]: no line
    /// was added then, and the next call tries again.
    pub fn append(&self, view: &View<'_>) -> Result<usize, JournalError> {
        // After a panic it is `None`, and the end is looked for again.
        let mut known = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let end = known.take();
        match self.append_after(end, view) {
            Ok((end, written)) => {
                *known = Some(end);
                if self.readiness.clear_fault(NOT_WRITTEN) {
                    tracing::info!("The journal is complete again.");
                }
                Ok(written)
            }
            Err(error) => {
                let reason = format!("The journal could not be written: {error}. {}", error.cure());
                if self.readiness.set_fault(NOT_WRITTEN, reason) {
                    tracing::error!(%error, "The journal could not be written. The server tries again every minute.");
                }
                Err(error)
            }
        }
    }

    fn append_after(&self, end: Option<KnownEnd>, view: &View<'_>) -> Result<(KnownEnd, usize), JournalError> {
        let _lock = db::lock_file_within(&self.layout.tombstones_lock(), LOCK_WAIT_MAX)?;
        let mut end = match end {
            Some(end) if self.is_same(&end)? => end,
            was_known => self.open_at_end(view, was_known.is_some())?,
        };
        let begin = end.offset;
        let written = write_missing(&mut end, view)
            .and_then(|written| {
                if !end.is_durable {
                    end.file.sync_data().map_err(|error| Error::file(&self.path, error))?;
                    end.is_durable = true;
                }
                Ok(written)
            })
            .map_err(|error| {
                // What may not be on the disk is removed, and written again by the next attempt: after a failed sync,
                // the system may call pages clean that are not on the disk. If this fails too, the next attempt finds
                // whole lines, which it syncs, or an incomplete one, which it removes.
                let _ = end.file.set_len(begin);
                self.named(error)
            })?;
        Ok((end, written))
    }

    /// The error with the path of this file.
    fn named(&self, error: WriteError) -> JournalError {
        match error {
            WriteError::File(error) => Error::file(&self.path, error).into(),
            WriteError::Db(error) => error.into(),
        }
    }

    /// Whether the file on the disk is the one that this process left there.
    fn is_same(&self, end: &KnownEnd) -> Result<bool, Error> {
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok((found.dev(), found.ino()) == end.identity && found.len() == end.offset),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::file(&self.path, error)),
        }
    }

    /// Opens the file at its end, or creates it. `is_lost`: this process has written the file, so it was there.
    fn open_at_end(&self, view: &View<'_>, was_there: bool) -> Result<KnownEnd, JournalError> {
        let file_error = |error| Error::file(&self.path, error);
        let is_new = !self.path.try_exists().map_err(file_error)?;
        let mut file =
            File::options().create(true).append(true).read(true).mode(0o600).open(&self.path).map_err(file_error)?;
        let found = verified_end(view, &mut file, &self.path)?;
        if found.partial_bytes > 0 {
            tracing::warn!(
                bytes = found.partial_bytes,
                "The journal ended with an incomplete line. The line is written again."
            );
            file.set_len(found.offset).map_err(file_error)?;
        }
        if is_new {
            let entries = store::find_head(view)?.seq;
            if was_there || entries > 1 {
                tracing::warn!(entries, "The journal was missing. It is written again from the database.");
            }
            // The name must become durable too.
            let root = self.layout.root();
            File::open(root).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(root, error))?;
        }
        let metadata = file.metadata().map_err(file_error)?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(KnownEnd { file, identity, offset: found.offset, head: found.head, is_durable: false })
    }
}

enum WriteError {
    File(std::io::Error),
    Db(Error),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
}

/// Writes the lines of the entries after the end, and returns how many. They are not on the disk yet.
fn write_missing(end: &mut KnownEnd, view: &View<'_>) -> Result<usize, WriteError> {
    let mut written = 0;
    loop {
        let batch = store::list(view, end.head.seq, BATCH_MAX)?;
        let mut text = String::new();
        for entry in &batch {
            if !entry.follows(&end.head) {
                let number = entry.seq;
                return Err(
                    Error::Damaged(format!("entry {number} of the journal does not follow the one before")).into()
                );
            }
            text.push_str(&lines::write(entry, &view.site().keyring));
            end.head = entry.head();
        }
        if !batch.is_empty() {
            end.is_durable = false;
            end.file.write_all(text.as_bytes()).map_err(WriteError::File)?;
            end.offset += text.len() as u64;
        }
        written += batch.len();
        if batch.len() < BATCH_MAX as usize {
            return Ok(written);
        }
    }
}

/// The end of a journal.
pub(super) struct FoundEnd {
    /// The last complete line.
    pub head: Head,
    /// Bytes up to its end.
    pub offset: u64,
    /// Bytes after it: an incomplete line that a crash left.
    pub partial_bytes: u64,
}

/// The end of the journal, after checking that the database has the same last entry. The file is read before the
/// database, so an entry that another process adds meanwhile is not taken for one that the database lacks.
pub(super) fn verified_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<FoundEnd, JournalError> {
    let end = find_end(view, file, path)?;
    let (seq, path) = (end.head.seq, path.display().to_string());
    match store::find_head_at(view, seq)? {
        _ if seq == 0 => Ok(end),
        Some(known) if known == end.head => Ok(end),
        Some(_) => Err(JournalError::Diverged { path, seq }),
        None => Err(JournalError::Ahead { path, journal: seq, database: store::find_head(view)?.seq }),
    }
}

fn find_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<FoundEnd, JournalError> {
    let file_error = |error| Error::file(path, error);
    let length = file.metadata().map_err(file_error)?.len();
    let mut span = TAIL_BYTES;
    loop {
        let from = length.saturating_sub(span);
        file.seek(SeekFrom::Start(from)).map_err(file_error)?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(span).read_to_end(&mut tail).map_err(file_error)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n');
        let begin = whole.and_then(|end| tail[..end].iter().rposition(|byte| *byte == b'\n').map(|before| before + 1));
        match (whole, begin) {
            (Some(end), Some(begin)) => return parse_end(file, path, &tail[begin..end], from + end as u64 + 1, length),
            (Some(end), None) if from == 0 => return parse_end(file, path, &tail[..end], end as u64 + 1, length),
            (None, _) if from == 0 => return end_without_line(view, path, &tail),
            // The line begins before the bytes that were read.
            _ if span < SEARCHED_BYTES_MAX => span *= 2,
            _ => return Err(damaged(path, count_lines(file, length).map_err(file_error)? + 1, "does not end")),
        }
    }
}

fn parse_end(file: &mut File, path: &Path, line: &[u8], offset: u64, length: u64) -> Result<FoundEnd, JournalError> {
    match ReadLine::parse(line) {
        Some(line) => Ok(FoundEnd { head: line.entry.head(), offset, partial_bytes: length.saturating_sub(offset) }),
        None => {
            let number = count_lines(file, offset).map_err(|error| Error::file(path, error))?;
            Err(damaged(path, number, "cannot be read"))
        }
    }
}

/// A journal without a complete line is valid if it is empty or contains the beginning of the first line. Any other file
/// is not a journal and is not changed.
fn end_without_line(view: &View<'_>, path: &Path, content: &[u8]) -> Result<FoundEnd, JournalError> {
    let first = store::list(view, 0, 1)?;
    let first = first.first().map(|entry| lines::write(entry, &view.site().keyring));
    if content.is_empty() || first.is_some_and(|line| line.as_bytes().starts_with(content)) {
        return Ok(FoundEnd { head: Head::EMPTY, offset: 0, partial_bytes: content.len() as u64 });
    }
    Err(damaged(path, 1, "is incomplete and is not the beginning of the first line"))
}

/// The number of lines that end within the first `end` bytes.
fn count_lines(file: &mut File, end: u64) -> std::io::Result<i64> {
    file.seek(SeekFrom::Start(0))?;
    let mut lines = 0;
    let mut reader = BufReader::new(file.take(end));
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(lines);
        }
        lines += i64::try_from(block.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(i64::MAX);
        let length = block.len();
        reader.consume(length);
    }
}
