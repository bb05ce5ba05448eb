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
use crate::db::{self, Error};

const DOMAIN: &[u8] = b"domicile/tombstone/1";
/// Longer than any line: what follows the last line feed within it is the rest of a write that a crash cut off.
const TAIL_BYTES: u64 = 4096;
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
    fn of(tombstone: &Tombstone, keyring: &Keyring) -> Self {
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

/// What can be wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line is not what it was when it was written.
    #[error("line {line} of the erasure journal {what}")]
    Damaged {
        /// Counted from 1.
        line: i64,
        /// What does not fit.
        what: &'static str,
    },
    /// The journal knows erasures that the database does not: the database is older than it.
    #[error("the erasure journal has {journal} erasures, and the database {database}: the database is an older copy")]
    Ahead {
        /// Lines of the journal.
        journal: i64,
        /// Rows of the database.
        database: i64,
    },
    /// Their last common erasure is not the same.
    #[error("erasure {seq} of the journal is another one than in the database")]
    Diverged {
        /// Which.
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
    let last = last_line(&mut file, &path)?;
    let (seq, hash) = last.as_ref().map_or((0, GENESIS), |tombstone| (tombstone.seq, tombstone.hash));

    let mut written = 0;
    let mut from = seq.max(1);
    loop {
        let batch = app.store().read_and_wait(move |view| store::list_tombstones(view, from, BATCH_MAX))?;
        if written == 0 {
            agree(seq, &hash, batch.first(), app)?;
        }
        let missing: Vec<_> = batch.iter().filter(|tombstone| tombstone.seq > seq).collect();
        for tombstone in &missing {
            let line = serde_json::to_string(&Line::of(tombstone, app.keyring())).map_err(|e| told(e.into()))?;
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

/// Whether the last line of the journal is in the database, and the same there.
fn agree(seq: i64, hash: &Digest, first: Option<&Tombstone>, app: &App) -> Result<(), JournalError> {
    if seq == 0 {
        return Ok(());
    }
    match first {
        Some(row) if row.seq == seq && row.hash == *hash => Ok(()),
        Some(row) if row.seq == seq => Err(JournalError::Diverged { seq }),
        _ => {
            let database = app.store().read_and_wait(super::last_tombstone)?;
            Err(JournalError::Ahead { journal: seq, database })
        }
    }
}

/// The last whole line, after cutting off what a crash left behind it. `None`: the journal is empty.
fn last_line(file: &mut File, path: &Path) -> Result<Option<Tombstone>, JournalError> {
    let told = |error| Error::file(path, error);
    let length = file.metadata().map_err(told)?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from)).map_err(told)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(told)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let kept = from + whole as u64;
    if kept < length {
        tracing::warn!(bytes = length - kept, "The erasure journal ended in half a line; it is written again.");
        file.set_len(kept).map_err(told)?;
    }
    let Some(body) = tail[..whole].strip_suffix(b"\n") else { return Ok(None) };
    let line = &body[body.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)..];
    let damaged = JournalError::Damaged { line: 0, what: "at its end is not readable" };
    let tombstone = serde_json::from_slice::<Line>(line).ok().and_then(|line| line.read());
    tombstone.map(Some).ok_or(damaged)
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
        let damaged = |what| JournalError::Damaged { line: checked.count + 1, what };
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
