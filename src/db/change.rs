//! Tells the hot path whether what it remembers is still true.
//!
//! ```text
//! writer:  begin ── read counter X ── ... ── commit (counter X+1) ── generation+1 if credentials changed ── vouch X+1
//! reader:       counter = vouched? ── yes: memory of this generation holds ── no: ask the database
//! ```
//! A commit by another process moves the counter past what the writer vouches for; readers then ask the database for
//! every request until the writer has looked, found the foreign commit and started a new generation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Error;
use super::wal_index::CommitCounter;

/// No counter value: the writer vouches for nothing.
const NOTHING: u64 = u64::MAX;

/// The shared knowledge of the writer and the hot path.
pub(super) struct Change {
    counter: CommitCounter,
    vouched: AtomicU64,
    generation: AtomicU64,
    content: AtomicU64,
    look_asked: AtomicBool,
}

impl Change {
    pub(super) fn new(counter: CommitCounter) -> Self {
        Self {
            counter,
            vouched: AtomicU64::new(NOTHING),
            generation: AtomicU64::new(0),
            content: AtomicU64::new(0),
            look_asked: AtomicBool::new(false),
        }
    }

    /// The generation that memory must be of to hold. `None`: somebody unknown has committed; ask the database.
    pub(super) fn generation(&self) -> Option<u64> {
        // A commit that this process vouches for may fall between the two loads: the older generation is answered then, to a
        // request that began before the committer was told that it is done. The next request sees the new one.
        let generation = self.generation.load(Ordering::SeqCst);
        (u64::from(self.counter.read()) == self.vouched.load(Ordering::SeqCst)).then_some(generation)
    }

    /// The current generation, for tagging what is about to be read from the database.
    pub(super) fn generation_for_tag(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
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
}

/// The writer's side: one value per batch, made when the write lock is held.
pub(super) struct Batch<'c> {
    change: &'c Change,
    counter_at_begin: u32,
}

/// Remembers `PRAGMA data_version` of the writer's connection, which moves with foreign commits only.
#[derive(Default)]
pub(super) struct ForeignVersion(Option<i64>);

impl<'c> Batch<'c> {
    /// Call with the write lock held, when nobody else can commit.
    pub(super) fn begin(
        change: &'c Change,
        connection: &rusqlite::Connection,
        seen: &mut ForeignVersion,
    ) -> Result<Self, Error> {
        change.look_asked.store(false, Ordering::SeqCst);
        let version: i64 = connection.prepare_cached("pragma data_version")?.query_row([], |row| row.get(0))?;
        if seen.0.replace(version) != Some(version) {
            change.generation.fetch_add(1, Ordering::SeqCst);
            change.content.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Self { change, counter_at_begin: change.counter.read() })
    }

    /// Call after the commit and before anybody is answered.
    pub(super) fn committed(self, wrote: bool, credentials_changed: bool, content_changed: bool) {
        if content_changed {
            self.change.content.fetch_add(1, Ordering::SeqCst);
        }
        if credentials_changed {
            self.change.generation.fetch_add(1, Ordering::SeqCst);
        }
        let expected = if wrote { self.counter_at_begin.wrapping_add(1) } else { self.counter_at_begin };
        self.change.vouched.store(u64::from(expected), Ordering::SeqCst);
    }

    /// Call when the batch was rolled back: the counter's next value is anybody's.
    pub(super) fn abandoned(self) {
        self.change.vouched.store(NOTHING, Ordering::SeqCst);
    }
}
