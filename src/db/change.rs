//! Tells the hot path whether what it remembers is still true.
//!
//! ```text
//! writer:  begin ── read counter X ── ... ── commit (X+1) ── mark what changed ── vouch X+1 ── answer
//! reader:       counter = vouched? ── yes: memory holds, but for what was marked since it was read ── no: ask the database
//! ```
//! A commit by another process moves the counter past what the writer vouches for; readers then ask the database for
//! every request until the writer has looked, found the foreign commit and what it changed.
//!
//! What changed is known exactly: triggers note the subject of every change of a credential (see migration 16). Each
//! subject has a cell with the generation of its last change; what was read in an older generation is not believed. So
//! nobody is removed from anywhere, and a reader that comes late with what it read before the change harms nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, named_params};

use super::Error;
use super::wal_index::CommitCounter;
use crate::base::{AccountId, ApiKeyId, ServiceId, WorkspaceId};

/// No counter value: the writer vouches for nothing.
const NOTHING: u64 = u64::MAX;
/// Cells of subjects: a change makes one in so many of everything that is remembered be read again.
const CELLS: usize = 4096;
/// Changes told one by one; of more than that in one commit, everything counts as changed.
const CHANGES_MAX: usize = 10_000;

const FIND_LAST: &str = "select coalesce(max(seq), 0) from credential_change";
const LIST_SINCE: &str = "
    select seq, kind, subject_id from credential_change where seq > :after order by seq limit :limit";
const DELETE_OLD: &str = "
    delete from credential_change
    where seq <= min((select max(seq) from credential_change) - :kept, (select min(seq) from credential_change) + :most - 1)";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND_LAST, LIST_SINCE, DELETE_OLD];

/// One thing that decides whether a credential is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An API key.
    Key(ApiKeyId),
    /// A person: their state, names, addresses, memberships.
    Account(AccountId),
    /// A workspace.
    Workspace(WorkspaceId),
    /// A connected service.
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
            Self::Key(id) => id.spread(),
            Self::Account(id) => id.spread(),
            Self::Workspace(id) => id.spread(),
            Self::Service(id) => id.spread(),
        };
        // The remainder is below the number of cells.
        (number % CELLS as u64) as usize
    }
}

/// The shared knowledge of the writer and the hot path.
pub(super) struct Change {
    counter: CommitCounter,
    vouched: AtomicU64,
    generation: AtomicU64,
    cells: Box<[AtomicU64]>,
    content: AtomicU64,
    look_asked: AtomicBool,
}

impl Change {
    pub(super) fn new(counter: CommitCounter) -> Self {
        Self {
            counter,
            vouched: AtomicU64::new(NOTHING),
            generation: AtomicU64::new(0),
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
            content: AtomicU64::new(0),
            look_asked: AtomicBool::new(false),
        }
    }

    /// Whether memory holds, but for what was marked since it was read. `false`: somebody unknown has committed.
    pub(super) fn holds(&self) -> bool {
        // A commit that this process vouches for may fall between the two loads: memory from before it is believed then, by
        // a request that began before the committer was told that it is done.
        u64::from(self.counter.read()) == self.vouched.load(Ordering::SeqCst)
    }

    /// The current generation, for tagging what is about to be read from the database.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Whether nothing about `subject` changed since `tag` was taken.
    pub(super) fn is_as_of(&self, subject: Subject, tag: u64) -> bool {
        self.cells[subject.cell()].load(Ordering::SeqCst) <= tag
    }

    /// Grows with every commit that changed more than the queue of jobs: what a snapshot compares.
    pub(super) fn content(&self) -> u64 {
        self.content.load(Ordering::SeqCst)
    }

    /// Pages of the log that a checkpoint would have to move.
    pub(super) fn pages_to_move(&self) -> u32 {
        self.counter.pages_to_move()
    }

    /// Whether the caller is the first to ask the writer for a look since its last one.
    pub(super) fn wants_look(&self) -> bool {
        !self.look_asked.swap(true, Ordering::SeqCst)
    }

    /// Call when the writer looks, or could not: from now on a look may be asked for again.
    pub(super) fn looked(&self) {
        self.look_asked.store(false, Ordering::SeqCst);
    }

    /// Marks `subjects` as changed. `None`: nobody can say which, so all are.
    fn mark(&self, subjects: Option<&[Subject]>) {
        let generation = self.generation.load(Ordering::SeqCst) + 1;
        let mark = |cell: &AtomicU64| cell.store(generation, Ordering::SeqCst);
        match subjects {
            Some(subjects) => subjects.iter().for_each(|subject| mark(&self.cells[subject.cell()])),
            None => self.cells.iter().for_each(mark),
        }
        // After the marks: what is read from now on, and tagged with it, is as of the change.
        self.generation.store(generation, Ordering::SeqCst);
    }
}

/// The writer's side: one value per batch, made when the write lock is held.
pub(super) struct Batch<'c> {
    change: &'c Change,
    counter_at_begin: u32,
    is_after_foreign: bool,
}

/// Where the writer has read to: `PRAGMA data_version` of its connection, which moves with foreign commits only, and the
/// last change.
pub(super) struct Seen {
    version: Option<i64>,
    change: i64,
}

impl Seen {
    /// As the database is now.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub(super) fn now(connection: &Connection) -> Result<Self, Error> {
        Ok(Self { version: None, change: connection.query_row(FIND_LAST, [], |row| row.get(0))? })
    }
}

/// What a batch changed, and where reading goes on once it is committed.
pub(super) struct Found {
    /// `None`: nobody can say; everything.
    subjects: Option<Vec<Subject>>,
    last: i64,
}

impl<'c> Batch<'c> {
    /// Call with the write lock held, when nobody else can commit.
    pub(super) fn begin(change: &'c Change, connection: &Connection, seen: &mut Seen) -> Result<Self, Error> {
        change.looked();
        let version: i64 = connection.prepare_cached("pragma data_version")?.query_row([], |row| row.get(0))?;
        let is_after_foreign = seen.version.replace(version) != Some(version);
        if is_after_foreign {
            change.content.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Self { change, counter_at_begin: change.counter.read(), is_after_foreign })
    }

    /// What this batch and foreign commits before it changed. Call before the commit: `touched` says whether the batch
    /// itself changed a credential.
    pub(super) fn find(&self, connection: &Connection, seen: &Seen, touched: bool) -> Result<Found, Error> {
        if !touched && !self.is_after_foreign {
            return Ok(Found { subjects: Some(Vec::new()), last: seen.change });
        }
        let mut listing = connection.prepare_cached(LIST_SINCE)?;
        let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX) + 1;
        let rows = listing
            .query_map(named_params! {":after": seen.change, ":limit": limit}, |row| {
                let (seq, kind, id): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((seq, Subject::parse(&kind, &id)))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let last: i64 = connection.prepare_cached(FIND_LAST)?.query_row([], |row| row.get(0))?;
        // Numbers are dense in the order of commits; where one is missing, old ones were deleted unread.
        let is_whole = rows.len() <= CHANGES_MAX && rows.first().is_none_or(|(seq, _)| *seq == seen.change + 1);
        let subjects = rows.into_iter().map(|(_, subject)| subject).collect::<Option<Vec<_>>>();
        Ok(Found { subjects: subjects.filter(|_| is_whole && last >= seen.change), last })
    }

    /// Call after the commit and before anybody is answered. `wrote`: something came into the log, so the counter moved.
    pub(super) fn committed(self, seen: &mut Seen, wrote: bool, found: &Found, content_changed: bool) {
        if content_changed {
            self.change.content.fetch_add(1, Ordering::SeqCst);
        }
        if found.subjects.as_ref().is_none_or(|subjects| !subjects.is_empty()) {
            self.change.mark(found.subjects.as_deref());
        }
        seen.change = found.last;
        let expected = if wrote { self.counter_at_begin.wrapping_add(1) } else { self.counter_at_begin };
        self.change.vouched.store(u64::from(expected), Ordering::SeqCst);
    }

    /// Call when the batch was rolled back: the counter's next value is anybody's, and foreign changes that the batch would
    /// have marked are marked with the next one.
    pub(super) fn abandoned(self, seen: &mut Seen) {
        self.change.vouched.store(NOTHING, Ordering::SeqCst);
        seen.version = None;
    }
}

/// Deletes notes of changes but the newest ten thousand, a bounded number at a time: a great many keys may have changed at once.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn purge_changes(tx: &mut super::Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":kept": 10_000, ":most": 100_000})
}
