//! Tells the hot path whether its cache of credentials is still valid.
//!
//! ```text
//! writer:  begin ── read counter X ── ... ── commit (X+1) ── invalidate what changed ── validate X+1 ── answer
//! reader:  counter = validated? ── yes: the cache is valid, except what was invalidated after it was read
//!                               └─ no:  ask the database
//! ```
//! A commit by another process moves the counter past the value that the writer validated. Readers then ask the
//! database for every request, until the writer has noticed the foreign commit and has read what it changed.
//!
//! Triggers record the subject of every change of a credential (migration 16), so it is known exactly what changed.
//! Each subject has a cell with the generation of its last change. A cached value is used only if no cell that it
//! depends on is newer than the generation in which the value was read. So no entry is ever removed from a cache, and a
//! reader that stores a value late, after the change, does no harm.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, named_params};

use super::wal_index::CommitCounter;
use super::{Error, by_name, only};
use crate::base::{AccountId, ApiKeyId, ServiceId, WorkspaceId};

/// Never a value of the commit counter: nothing is validated.
const NOT_VALIDATED: u64 = u64::MAX;
/// Cells of subjects. Subjects share cells, so one change invalidates one in 4096 of all cached values.
const CELLS: usize = 4096;
/// Changes that are read one by one. If one commit has more, everything is invalidated.
const CHANGES_MAX: usize = 10_000;

const FIND_LAST: &str = "select coalesce(max(seq), 0) from credential_change";
const LIST_SINCE: &str = "
    select seq, kind, subject_id from credential_change where seq > :after order by seq limit :limit";
const DELETE_OLD: &str = "
    delete from credential_change
    where seq <= min((select max(seq) from credential_change) - :kept, (select min(seq) from credential_change) + :most - 1)";

/// All statements of this file, for the test that prepares each of them.
pub const STATEMENTS: &[&str] = &[FIND_LAST, LIST_SINCE, DELETE_OLD];

/// One thing that decides whether a credential is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Subject {
    Key(ApiKeyId),
    /// A person: their state, names, addresses and memberships.
    Account(AccountId),
    Workspace(WorkspaceId),
    Service(ServiceId),
}

impl Subject {
    fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "key" => ApiKeyId::parse(id).map(Self::Key),
            "account" => AccountId::parse(id).map(Self::Account),
            "workspace" => WorkspaceId::parse(id).map(Self::Workspace),
            "service" => ServiceId::parse(id).map(Self::Service),
            _ => None,
        }
    }

    fn cell(self) -> usize {
        let number = match self {
            Self::Key(id) => id.random_bits(),
            Self::Account(id) => id.random_bits(),
            Self::Workspace(id) => id.random_bits(),
            Self::Service(id) => id.random_bits(),
        };
        // The remainder is below the number of cells.
        (number % CELLS as u64) as usize
    }
}

/// The commit up to which cached credentials are valid, shared by the writer and the hot path.
pub(super) struct ValidatedEpoch {
    counter: CommitCounter,
    validated: AtomicU64,
    generation: AtomicU64,
    cells: Box<[AtomicU64]>,
    content: AtomicU64,
    is_check_requested: AtomicBool,
}

impl ValidatedEpoch {
    pub(super) fn new(counter: CommitCounter) -> Self {
        Self {
            counter,
            validated: AtomicU64::new(NOT_VALIDATED),
            generation: AtomicU64::new(0),
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
            content: AtomicU64::new(0),
            is_check_requested: AtomicBool::new(false),
        }
    }

    /// Whether caches are valid, except for what was invalidated after it was read. `false`: another process has
    /// committed, and the writer has not yet read what it changed.
    pub(super) fn is_current(&self) -> bool {
        // A commit of this process may fall between the two loads. The cache from before it is used then, by a request
        // that began before the committer was told that the commit is done.
        u64::from(self.counter.read()) == self.validated.load(Ordering::SeqCst)
    }

    /// The current generation. Take it before reading from the database, and store it with the cached value.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Whether nothing about `subject` changed after `generation` was taken.
    pub(super) fn is_unchanged_since(&self, subject: Subject, generation: u64) -> bool {
        self.cells[subject.cell()].load(Ordering::SeqCst) <= generation
    }

    /// Grows with every commit that changed more than the job queue; snapshots compare it.
    pub(super) fn content(&self) -> u64 {
        self.content.load(Ordering::SeqCst)
    }

    /// Pages of the write-ahead log that a checkpoint would have to move.
    pub(super) fn pages_to_move(&self) -> u32 {
        self.counter.pages_to_move()
    }

    /// Requests a check by the writer. `true`: the caller is the first to do so since the last check, and must wake the
    /// writer.
    pub(super) fn request_check(&self) -> bool {
        !self.is_check_requested.swap(true, Ordering::SeqCst)
    }

    /// The writer checks now, or could not: a check may be requested again.
    pub(super) fn check_started(&self) {
        self.is_check_requested.store(false, Ordering::SeqCst);
    }

    /// Invalidates what depends on `subjects`. `None`: it is unknown what changed, so everything is invalidated.
    fn invalidate(&self, subjects: Option<&[Subject]>) {
        let generation = self.generation.load(Ordering::SeqCst) + 1;
        let invalidate = |cell: &AtomicU64| cell.store(generation, Ordering::SeqCst);
        match subjects {
            Some(subjects) => subjects.iter().for_each(|subject| invalidate(&self.cells[subject.cell()])),
            None => self.cells.iter().for_each(invalidate),
        }
        // After the cells: what is read in the new generation includes the change.
        self.generation.store(generation, Ordering::SeqCst);
    }
}

/// The writer's side: one value for each batch, made while the write lock is held.
pub(super) struct Validation<'c> {
    epoch: &'c ValidatedEpoch,
    counter_at_begin: u32,
    is_after_foreign: bool,
}

/// How far the writer has read: `PRAGMA data_version` of its connection, which changes with foreign commits only, and
/// the number of the last change.
pub(super) struct ReadPosition {
    data_version: Option<i64>,
    last_change: i64,
}

impl ReadPosition {
    /// The position at the end of what is in the database now.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub(super) fn at_end(connection: &Connection) -> Result<Self, Error> {
        Ok(Self { data_version: None, last_change: connection.query_row(FIND_LAST, [], only)? })
    }
}

/// What a batch changed, and the position to read on from after its commit.
pub(super) struct Changes {
    /// `None`: unknown, so everything.
    subjects: Option<Vec<Subject>>,
    last: i64,
}

impl<'c> Validation<'c> {
    /// Call with the write lock held, so that no other process can commit.
    pub(super) fn begin(
        epoch: &'c ValidatedEpoch,
        connection: &Connection,
        position: &mut ReadPosition,
    ) -> Result<Self, Error> {
        epoch.check_started();
        let version: i64 = connection.prepare_cached("pragma data_version")?.query_row([], only)?;
        let is_after_foreign = position.data_version.replace(version) != Some(version);
        if is_after_foreign {
            epoch.content.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Self { epoch, counter_at_begin: epoch.counter.read(), is_after_foreign })
    }

    /// What this batch and the foreign commits before it changed. Call before the commit. `has_credentials`: the batch
    /// itself changed a credential.
    pub(super) fn read_changes(
        &self,
        connection: &Connection,
        position: &ReadPosition,
        has_credentials: bool,
    ) -> Result<Changes, Error> {
        if !has_credentials && !self.is_after_foreign {
            return Ok(Changes { subjects: Some(Vec::new()), last: position.last_change });
        }
        let mut listing = connection.prepare_cached(LIST_SINCE)?;
        let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX) + 1;
        let rows = listing
            .query_map(named_params! {":after": position.last_change, ":limit": limit}, |row| {
                by_name!(row, LIST_SINCE => seq, kind, subject_id);
                let (seq, kind, id): (i64, String, String) = (seq.get()?, kind.get()?, subject_id.get()?);
                Ok((seq, Subject::parse(&kind, &id)))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let last: i64 = connection.prepare_cached(FIND_LAST)?.query_row([], only)?;
        // Numbers are dense in the order of commits. Where one is missing, rows were deleted before they were read
        // here.
        let is_complete =
            rows.len() <= CHANGES_MAX && rows.first().is_none_or(|(seq, _)| *seq == position.last_change + 1);
        let subjects = rows.into_iter().map(|(_, subject)| subject).collect::<Option<Vec<_>>>();
        Ok(Changes { subjects: subjects.filter(|_| is_complete && last >= position.last_change), last })
    }

    /// Call after the commit and before any caller is answered. `has_logged`: the commit wrote to the log, so the
    /// counter moved.
    pub(super) fn committed(self, position: &mut ReadPosition, has_logged: bool, changes: &Changes, has_content: bool) {
        if has_content {
            self.epoch.content.fetch_add(1, Ordering::SeqCst);
        }
        if changes.subjects.as_ref().is_none_or(|subjects| !subjects.is_empty()) {
            self.epoch.invalidate(changes.subjects.as_deref());
        }
        position.last_change = changes.last;
        let expected = if has_logged { self.counter_at_begin.wrapping_add(1) } else { self.counter_at_begin };
        self.epoch.validated.store(u64::from(expected), Ordering::SeqCst);
    }

    /// Call after the batch was rolled back: any process may make the next commit. Foreign changes that this batch
    /// would have handled are handled by the next one.
    pub(super) fn rolled_back(self, position: &mut ReadPosition) {
        self.epoch.validated.store(NOT_VALIDATED, Ordering::SeqCst);
        position.data_version = None;
    }
}

/// Deletes records of changes except the newest 10,000, at most 100,000 in one call, because very many keys may have
/// changed at once. Answers how many it deleted.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn purge_changes(tx: &mut super::Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":kept": 10_000, ":most": 100_000})
}
