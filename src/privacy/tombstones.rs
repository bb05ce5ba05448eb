//! The erasure journal: `tombstones.jsonl`, beside the snapshot and copied by the same backups, so that a restored database
//! can be cleaned again before anybody sees it.
//!
//! One line per erasure, each with the hash of the one before and a signature of the appliance. The table is the truth; the
//! file follows it after each erasure and at every start, so a line that a crash kept out comes later.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ed25519_dalek::{Signature, Verifier};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::store;
use crate::app::App;
use crate::audit::{Digest, GENESIS};
use crate::base::Timestamp;
use crate::crypto::Keyring;
use crate::db::{self, Error, Layout, View};

const DOMAIN: &[u8] = b"domicile/tombstone/1";
/// Longer than any line, so that the last one is nearly always within it.
const TAIL_BYTES: u64 = 4096;
/// How far back a last line is looked for in a journal that something else has written into.
const SEARCHED_BYTES_MAX: u64 = 16 << 20;
/// Rows read together.
const BATCH_MAX: u32 = 1000;

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub seq: i64,
    pub subject: String,
    pub kind: String,
    pub erased_at: Timestamp,
    pub receipt: String,
    pub previous: Digest,
    pub hash: Digest,
}

impl Tombstone {
    /// The hash of everything but itself. Every text is written with its length, so no two tombstones read alike.
    pub(super) fn expected_hash(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.erased_at.millis().to_be_bytes());
        for text in [&self.subject, &self.kind, &self.receipt] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    /// Whether it continues a chain whose last link is `(seq, hash)`.
    pub(super) fn follows(&self, seq: i64, hash: &Digest) -> bool {
        self.seq == seq + 1 && self.previous == *hash && self.hash == self.expected_hash()
    }
}

/// A line of the journal.
#[derive(Serialize, Deserialize)]
struct Line {
    seq: i64,
    id: String,
    kind: String,
    erased_at: String,
    receipt: String,
    prev_hash: String,
    hash: String,
    signature: String,
}

impl Line {
    fn new(tombstone: &Tombstone, keyring: &Keyring) -> Self {
        Self {
            seq: tombstone.seq,
            id: tombstone.subject.clone(),
            kind: tombstone.kind.clone(),
            erased_at: tombstone.erased_at.rfc3339(),
            receipt: tombstone.receipt.clone(),
            prev_hash: hex::encode(tombstone.previous),
            hash: hex::encode(tombstone.hash),
            signature: hex::encode(keyring.sign(&signed(&tombstone.hash))),
        }
    }

    /// The tombstone of the line. `None`: a value is not what it should be.
    fn read(&self) -> Option<Tombstone> {
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
            && keyring.verifying_key().verify(&signed(hash), &Signature::from_bytes(&signature)).is_ok()
    }
}

/// What is signed says what it is, so that a signature cannot be taken for another kind.
fn signed(hash: &Digest) -> Vec<u8> {
    [DOMAIN, hash.as_slice()].concat()
}

fn digest(text: &str) -> Option<Digest> {
    let mut bytes = Digest::default();
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// What can be wrong with the journal at `path`.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line is not what it was when it was written.
    #[error("line {line} of the erasure journal {path} {what}")]
    Damaged {
        /// Which file.
        path: String,
        /// Counted from 1.
        line: i64,
        /// What does not fit.
        what: &'static str,
    },
    /// The journal knows erasures that the database does not: the database is older than it.
    #[error(
        "the erasure journal {path} has {journal} erasures, and the database {database}: the database is an older copy"
    )]
    Ahead {
        /// Which file.
        path: String,
        /// Lines of the journal.
        journal: i64,
        /// Rows of the database.
        database: i64,
    },
    /// Their last common erasure is not the same.
    #[error(
        "line {seq} of the erasure journal {path} is another erasure than in the database: they are not of one history"
    )]
    Diverged {
        /// Which file.
        path: String,
        /// Which: erasures are numbered as the lines are.
        seq: i64,
    },
    /// The file, or the store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// The journal as checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Erasures.
    pub count: i64,
    /// The last one's hash: compare it with a copy kept elsewhere.
    pub head: Digest,
}

/// Writes every tombstone that the journal lacks; answers how many. When it returns they are on the disk. For after each
/// erasure, and for the start. Blocks this thread; calling it twice is the same as once.
///
/// # Errors
/// [`JournalError::Ahead`], [`JournalError::Diverged`]: nothing is written then; [`JournalError::Db`].
pub fn catch_up(app: &App) -> Result<usize, JournalError> {
    let layout = app.store().layout();
    let _alone = db::lock_file(&layout.tombstones_lock())?;
    let path = layout.tombstones();
    let told = |error| Error::file(&path, error);
    let mut file = File::options().create(true).append(true).read(true).mode(0o600).open(&path).map_err(told)?;
    let end = app.store().read_blocking(|view| checked_end(view, &mut file, &path))?;
    if end.half > 0 {
        tracing::warn!(bytes = end.half, "The erasure journal ended in half a line; it is written again.");
        file.set_len(end.kept).map_err(told)?;
    }
    let seq = end.last.map_or(0, |tombstone| tombstone.seq);

    let mut written = 0;
    let mut from = seq.max(1);
    loop {
        let batch = app.store().read_blocking(move |view| store::list_tombstones(view, from, BATCH_MAX))?;
        let missing: Vec<_> = batch.iter().filter(|tombstone| tombstone.seq > seq).collect();
        for tombstone in &missing {
            let line = serde_json::to_string(&Line::new(tombstone, app.keyring())).map_err(|e| told(e.into()))?;
            file.write_all(format!("{line}\n").as_bytes()).map_err(told)?;
        }
        written += missing.len();
        match batch.last() {
            Some(last) if batch.len() == BATCH_MAX as usize => from = last.seq + 1,
            _ => break,
        }
    }
    file.sync_all().map_err(told)?;
    // The file may be new: its name must be as durable as its content.
    File::open(layout.root()).and_then(|folder| folder.sync_all()).map_err(|e| Error::file(layout.root(), e))?;
    Ok(written)
}

/// Looks whether [`catch_up`] would refuse, and changes nothing.
///
/// # Errors
/// As [`catch_up`].
pub fn check(view: &View<'_>, layout: &Layout) -> Result<(), JournalError> {
    let path = layout.tombstones();
    match File::open(&path) {
        Ok(mut file) => checked_end(view, &mut file, &path).map(|_| ()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file(&path, error).into()),
    }
}

/// Where a journal's last whole line ends.
struct End {
    /// `None`: there is no line.
    last: Option<Tombstone>,
    /// Bytes up to the end of it.
    kept: u64,
    /// Bytes after it: the rest of a write that a crash cut off.
    half: u64,
}

/// The end of the journal, after seeing that its last line is in the database, and the same there.
fn checked_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<End, JournalError> {
    let end = find_end(view, file, path)?;
    let Some(last) = &end.last else { return Ok(end) };
    let (seq, path) = (last.seq, path.display().to_string());
    match store::list_tombstones(view, seq, 1)?.first() {
        Some(row) if row.seq == seq && row.hash == last.hash => Ok(end),
        Some(row) if row.seq == seq => Err(JournalError::Diverged { path, seq }),
        _ => Err(JournalError::Ahead { path, journal: seq, database: super::last_tombstone(view)? }),
    }
}

fn find_end(view: &View<'_>, file: &mut File, path: &Path) -> Result<End, JournalError> {
    let told = |error| Error::file(path, error);
    let length = file.metadata().map_err(told)?.len();
    let mut span = TAIL_BYTES;
    loop {
        let from = length.saturating_sub(span);
        file.seek(SeekFrom::Start(from)).map_err(told)?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(span).read_to_end(&mut tail).map_err(told)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n');
        let begin = whole.and_then(|end| tail[..end].iter().rposition(|byte| *byte == b'\n').map(|before| before + 1));
        match (whole, begin) {
            (Some(end), Some(begin)) => return line_at(file, path, &tail[begin..end], from + end as u64 + 1, length),
            (Some(end), None) if from == 0 => return line_at(file, path, &tail[..end], end as u64 + 1, length),
            (None, _) if from == 0 => return no_line(view, path, &tail),
            // A line that is longer than any, or none yet: it may begin further back.
            _ if span < SEARCHED_BYTES_MAX => span *= 2,
            _ => return Err(damaged(path, lines_to(file, length).map_err(told)? + 1, "does not end")),
        }
    }
}

fn line_at(file: &mut File, path: &Path, line: &[u8], kept: u64, length: u64) -> Result<End, JournalError> {
    match serde_json::from_slice::<Line>(line).ok().and_then(|line| line.read()) {
        Some(tombstone) => Ok(End { last: Some(tombstone), kept, half: length - kept }),
        None => {
            let number = lines_to(file, kept).map_err(|error| Error::file(path, error))?;
            Err(damaged(path, number, "is not readable"))
        }
    }
}

/// A journal without one whole line is empty, or the very first line was cut off; anything else is not a journal, and not
/// ours to cut.
fn no_line(view: &View<'_>, path: &Path, content: &[u8]) -> Result<End, JournalError> {
    let first = store::list_tombstones(view, 1, 1)?;
    let first = first.first().map(|tombstone| serde_json::to_string(&Line::new(tombstone, &view.site().keyring)));
    let is_its_beginning = |line: String| line.as_bytes().starts_with(content);
    if content.is_empty() || first.is_some_and(|line| line.is_ok_and(is_its_beginning)) {
        return Ok(End { last: None, kept: 0, half: content.len() as u64 });
    }
    Err(damaged(path, 1, "is not whole, and not the beginning of the first erasure"))
}

/// How many lines end within the first `end` bytes.
fn lines_to(file: &mut File, end: u64) -> std::io::Result<i64> {
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

/// Checks every line of a journal, or of a copy of one: numbers dense, each continuing the one before, all signed by the
/// appliance of this keyring.
///
/// # Errors
/// [`JournalError::Damaged`] names the first line that does not fit; [`JournalError::Db`] when there is no such file.
pub fn verify(path: &Path, keyring: &Keyring) -> Result<Checked, JournalError> {
    let told = |error| Error::file(path, error);
    let mut checked = Checked { count: 0, head: GENESIS };
    for text in BufReader::new(File::open(path).map_err(told)?).lines() {
        let damaged = |what| damaged(path, checked.count + 1, what);
        let line: Line = serde_json::from_str(&text.map_err(told)?).map_err(|_| damaged("is not readable"))?;
        let tombstone = line.read().ok_or_else(|| damaged("is not readable"))?;
        if !tombstone.follows(checked.count, &checked.head) {
            return Err(damaged("does not continue the one before it"));
        }
        if !line.is_signed_by(&tombstone.hash, keyring) {
            return Err(damaged("is not signed by this appliance"));
        }
        checked = Checked { count: tombstone.seq, head: tombstone.hash };
    }
    Ok(checked)
}
