//! The erasure journal: `tombstones.jsonl`, next to the snapshot and copied by the same backups, so that a restored
//! database can be cleaned before it is used.
//!
//! One line per erasure, each with the hash of the previous one and a signature of the appliance. The table is the
//! source of truth. The file is updated after each erasure and at every start, so an entry that is missing after a
//! crash is added later.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ed25519_dalek::{Signature, Verifier};
use serde::{Deserialize, Serialize};

use super::model::{TOMBSTONE_DOMAIN, Tombstone};
use super::store;
use crate::app::App;
use crate::audit::{Digest, GENESIS};
use crate::base::Timestamp;
use crate::crypto::Keyring;
use crate::db::{self, Error, Layout, View};

/// Bytes that are read from the end of the file first. Longer than any line, so the last line is nearly always in it.
const TAIL_BYTES: u64 = 4096;
/// The maximum number of bytes that are searched for the last line, if another program has written into the journal.
const SEARCHED_BYTES_MAX: u64 = 16 << 20;
/// Rows per query.
const BATCH_MAX: u32 = 1000;

/// A line of the journal, as JSON.
#[derive(Serialize, Deserialize)]
struct JournalEntry {
    seq: i64,
    id: String,
    kind: String,
    erased_at: String,
    receipt: String,
    prev_hash: String,
    hash: String,
    signature: String,
}

impl JournalEntry {
    fn new(tombstone: &Tombstone, keyring: &Keyring) -> Self {
        Self {
            seq: tombstone.seq,
            id: tombstone.subject.clone(),
            kind: tombstone.kind.clone(),
            erased_at: tombstone.erased_at.rfc3339(),
            receipt: tombstone.receipt.clone(),
            prev_hash: hex::encode(tombstone.previous),
            hash: hex::encode(tombstone.hash),
            signature: hex::encode(keyring.sign(&signed_bytes(&tombstone.hash))),
        }
    }

    /// The tombstone of the entry. `None`: a value is invalid.
    fn to_tombstone(&self) -> Option<Tombstone> {
        Some(Tombstone {
            seq: self.seq,
            subject: self.id.clone(),
            kind: self.kind.clone(),
            erased_at: Timestamp::parse(&self.erased_at)?,
            receipt: self.receipt.clone(),
            previous: digest(&self.prev_hash)?,
            hash: digest(&self.hash)?,
        })
    }

    fn is_signed_by(&self, hash: &Digest, keyring: &Keyring) -> bool {
        let mut signature = [0u8; 64];
        hex::decode_to_slice(&self.signature, &mut signature).is_ok()
            && keyring.verifying_key().verify(&signed_bytes(hash), &Signature::from_bytes(&signature)).is_ok()
    }
}

/// The bytes that are signed. They begin with the domain, so that the signature is not valid for another kind of data.
fn signed_bytes(hash: &Digest) -> Vec<u8> {
    [TOMBSTONE_DOMAIN, hash.as_slice()].concat()
}

fn digest(text: &str) -> Option<Digest> {
    let mut bytes = Digest::default();
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// What can be wrong with a journal file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line was changed or is incomplete.
    #[error("line {line} of the erasure journal {path} {what}")]
    Damaged {
        /// The path of the journal.
        path: String,
        /// The line number, from 1.
        line: i64,
        /// What does not match, as a clause.
        what: &'static str,
    },
    /// The journal has erasures that the database does not have: the database is older than the journal.
    #[error(
        "the erasure journal {path} has {journal} erasures, but the database has {database}: the database is an older copy"
    )]
    Ahead {
        /// The path of the journal.
        path: String,
        /// The number of entries in the journal.
        journal: i64,
        /// The number of tombstones in the database.
        database: i64,
    },
    /// The journal and the database have different erasures with the same number.
    #[error("line {seq} of the erasure journal {path} differs from the database: they belong to different histories")]
    Diverged {
        /// The path of the journal.
        path: String,
        /// The number of the erasure, which is also the line number.
        seq: i64,
    },
    /// The file or the database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// The result of verifying a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedJournal {
    /// The number of erasures.
    pub count: i64,
    /// The hash of the last erasure. Compare it with a hash that was stored elsewhere.
    pub head: Digest,
}

/// Appends every tombstone that is missing in the journal and returns how many. When it returns, they are durable.
/// Called after each erasure and at every start. Blocks this thread. Calling it twice is the same as once.
///
/// # Errors
/// [`JournalError::Damaged`], [`JournalError::Ahead`], [`JournalError::Diverged`]: nothing is written then;
/// [`JournalError::Db`].
pub fn catch_up(app: &App) -> Result<usize, JournalError> {
    let layout = app.store().layout();
    let _lock = db::lock_file(&layout.tombstones_lock())?;
    let path = layout.tombstones();
    let file_error = |error| Error::file(&path, error);
    let mut file = File::options().create(true).append(true).read(true).mode(0o600).open(&path).map_err(file_error)?;
    let end = app.store().read_blocking(|view| verified_end(view, &mut file, &path))?;
    if end.partial_bytes > 0 {
        tracing::warn!(
            bytes = end.partial_bytes,
            "The erasure journal ended with an incomplete line. The line is written again."
        );
        file.set_len(end.end_offset).map_err(file_error)?;
    }
    let seq = end.last.map_or(0, |tombstone| tombstone.seq);

    let mut written = 0;
    let mut from = seq.max(1);
    loop {
        let batch = app.store().read_blocking(move |view| store::list_tombstones(view, from, BATCH_MAX))?;
        let missing: Vec<_> = batch.iter().filter(|tombstone| tombstone.seq > seq).collect();
        for tombstone in &missing {
            let line = serde_json::to_string(&JournalEntry::new(tombstone, app.keyring()))
                .map_err(|e| file_error(e.into()))?;
            file.write_all(format!("{line}\n").as_bytes()).map_err(file_error)?;
        }
        written += missing.len();
        match batch.last() {
            Some(last) if batch.len() == BATCH_MAX as usize => from = last.seq + 1,
            _ => break,
        }
    }
    file.sync_all().map_err(file_error)?;
    // The file may be new, so its name must become durable too.
    File::open(layout.root()).and_then(|folder| folder.sync_all()).map_err(|e| Error::file(layout.root(), e))?;
    Ok(written)
}

/// Checks whether [`catch_up`] would fail. Changes nothing.
///
/// # Errors
/// As for [`catch_up`].
pub fn check(view: &View<'_>, layout: &Layout) -> Result<(), JournalError> {
    let path = layout.tombstones();
    match File::open(&path) {
        Ok(mut file) => verified_end(view, &mut file, &path).map(|_| ()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file(&path, error).into()),
    }
}

/// The end of a journal.
struct JournalEnd {
    /// The last complete entry. `None`: there is none.
    last: Option<Tombstone>,
    /// Bytes up to the end of the last complete entry.
    end_offset: u64,
    /// Bytes after it: an incomplete line that a crash left.
    partial_bytes: u64,
}

/// The end of the journal, after checking that the database has the same last entry.
fn verified_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<JournalEnd, JournalError> {
    let end = find_end(view, file, path)?;
    let Some(last) = &end.last else { return Ok(end) };
    let (seq, path) = (last.seq, path.display().to_string());
    match store::list_tombstones(view, seq, 1)?.first() {
        Some(row) if row.seq == seq && row.hash == last.hash => Ok(end),
        Some(row) if row.seq == seq => Err(JournalError::Diverged { path, seq }),
        _ => Err(JournalError::Ahead { path, journal: seq, database: super::last_tombstone(view)? }),
    }
}

fn find_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<JournalEnd, JournalError> {
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
            (None, _) if from == 0 => return end_without_entry(view, path, &tail),
            // The line begins before the bytes that were read.
            _ if span < SEARCHED_BYTES_MAX => span *= 2,
            _ => return Err(damaged(path, count_lines(file, length).map_err(file_error)? + 1, "does not end")),
        }
    }
}

fn parse_end(
    file: &mut File,
    path: &Path,
    line: &[u8],
    end_offset: u64,
    length: u64,
) -> Result<JournalEnd, JournalError> {
    match serde_json::from_slice::<JournalEntry>(line).ok().and_then(|entry| entry.to_tombstone()) {
        Some(tombstone) => Ok(JournalEnd { last: Some(tombstone), end_offset, partial_bytes: length - end_offset }),
        None => {
            let number = count_lines(file, end_offset).map_err(|error| Error::file(path, error))?;
            Err(damaged(path, number, "cannot be read"))
        }
    }
}

/// A journal without a complete line is valid if it is empty or contains the beginning of the first entry. Any other
/// file is not a journal and is not changed.
fn end_without_entry(view: &View<'_>, path: &Path, content: &[u8]) -> Result<JournalEnd, JournalError> {
    let first = store::list_tombstones(view, 1, 1)?;
    let first =
        first.first().map(|tombstone| serde_json::to_string(&JournalEntry::new(tombstone, &view.site().keyring)));
    let is_beginning = |line: String| line.as_bytes().starts_with(content);
    if content.is_empty() || first.is_some_and(|line| line.is_ok_and(is_beginning)) {
        return Ok(JournalEnd { last: None, end_offset: 0, partial_bytes: content.len() as u64 });
    }
    Err(damaged(path, 1, "is incomplete and is not the beginning of the first erasure"))
}

/// The number of lines that end within the first `end` bytes.
fn count_lines(file: &mut File, end: u64) -> std::io::Result<i64> {
    file.seek(SeekFrom::Start(0))?;
    let mut lines = 0;
    for byte in BufReader::new(file.take(end)).bytes() {
        lines += i64::from(byte? == b'\n');
    }
    Ok(lines)
}

fn damaged(path: &Path, line: i64, what: &'static str) -> JournalError {
    JournalError::Damaged { path: path.display().to_string(), line, what }
}

/// Verifies every line of a journal or of a copy of one: numbers without gaps, each entry follows the previous one, all
/// are signed by the appliance of this keyring.
///
/// # Errors
/// [`JournalError::Damaged`] with the first line that does not match; [`JournalError::Db`] if the file cannot be read.
pub fn verify(path: &Path, keyring: &Keyring) -> Result<VerifiedJournal, JournalError> {
    let file_error = |error| Error::file(path, error);
    let mut checked = VerifiedJournal { count: 0, head: GENESIS };
    for text in BufReader::new(File::open(path).map_err(file_error)?).lines() {
        let damaged = |what| damaged(path, checked.count + 1, what);
        let line: JournalEntry =
            serde_json::from_str(&text.map_err(file_error)?).map_err(|_| damaged("cannot be read"))?;
        let tombstone = line.to_tombstone().ok_or_else(|| damaged("cannot be read"))?;
        if !tombstone.follows(checked.count, &checked.head) {
            return Err(damaged("does not follow the line before it"));
        }
        if !line.is_signed_by(&tombstone.hash, keyring) {
            return Err(damaged("is not signed by this appliance"));
        }
        checked = VerifiedJournal { count: tombstone.seq, head: tombstone.hash };
    }
    Ok(checked)
}
