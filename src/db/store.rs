//! The open database: the way in for everybody above.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::change::{Change, Subject};
use super::connection::{self, Purpose};
use super::pool::{self, Pool};
use super::wal_index::CommitCounter;
use super::writer::{Desk, Writer};
use super::{Committed, Error, Site, Tx, View, migrate};
use crate::base::{Clock, Rng};

/// Where the files of a data folder are (contract section 2).
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.to_owned() }
    }

    /// The data folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the live database: not to be copied.
    pub fn live_dir(&self) -> PathBuf {
        self.root.join("live")
    }

    /// The live database.
    pub fn live(&self) -> PathBuf {
        self.live_dir().join("live.sqlite")
    }

    /// The live database while `init` makes it.
    pub fn unfinished(&self) -> PathBuf {
        self.live_dir().join("unfinished.sqlite")
    }

    /// Names the keyring of an `init` that has begun; gone when it is done.
    pub fn init_note(&self) -> PathBuf {
        self.root.join("init.unfinished")
    }

    /// Held by the one server of this folder.
    pub fn lock(&self) -> PathBuf {
        self.live_dir().join("server.lock")
    }

    /// The published snapshot, which backup jobs copy.
    pub fn snapshot(&self) -> PathBuf {
        self.root.join("domicile.sqlite")
    }

    /// The snapshot's manifest for people.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("domicile.sqlite.json")
    }

    /// The erasure journal.
    pub fn tombstones(&self) -> PathBuf {
        self.root.join("tombstones.jsonl")
    }

    /// Held by whoever publishes a snapshot.
    pub fn snapshot_lock(&self) -> PathBuf {
        self.live_dir().join("snapshot.lock")
    }

    /// Held by whoever writes the erasure journal.
    pub fn tombstones_lock(&self) -> PathBuf {
        self.live_dir().join("tombstones.lock")
    }

    /// Finished exports.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }
}

/// No value of [`Store::content`]: nothing was published by this process yet.
const NOTHING: u64 = u64::MAX;

static NEXT_STORE: AtomicU64 = AtomicU64::new(1);

/// One live database of this process.
pub struct Store {
    id: u64,
    layout: Layout,
    site: Arc<Site>,
    clock: Clock,
    change: Arc<Change>,
    writer: Writer,
    readers: Pool,
    published: AtomicU64,
}

impl Store {
    /// Opens the live database, brings it to the current schema and starts the writer.
    ///
    /// # Errors
    /// [`Error::KeyDoesNotOpen`], [`Error::Newer`], [`Error::Migration`], or SQLite's own; nothing is changed then.
    pub fn open(
        layout: Layout,
        site: Arc<Site>,
        clock: Clock,
        mut rng: Rng,
        on_commit: impl Fn(Committed) + Send + 'static,
        on_fatal: impl Fn(&Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let key = site.keyring.database_key_pragma();
        let live = layout.live();
        let mut connection = connection::open(&live, &key, Purpose::Write)?;
        migrate::to_current(&mut connection)?;
        let sentinel = connection::open(&live, &key, Purpose::Read)?;
        let change = Arc::new(Change::new(CommitCounter::new(sentinel)?));
        let desk = Desk {
            connection,
            site: site.clone(),
            clock: clock.clone(),
            rng: rng.split(),
            change: change.clone(),
            on_commit: Box::new(on_commit),
            on_fatal: Box::new(on_fatal),
        };
        let writer = Writer::start(desk)?;
        let readers = Pool::new(live, site.clone())?;
        let id = NEXT_STORE.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, layout, site, clock, change, writer, readers, published: AtomicU64::new(NOTHING) })
    }

    /// Where the files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The appliance.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The clock that transactions see.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes something; the answer comes when it is on disk.
    ///
    /// # Errors
    /// What `work` said; [`Error::Busy`] or [`Error::Stopped`] when it never ran.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(work)?.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// As [`Store::write`], for the command line and other threads that may wait. Not from async code.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_blocking<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(work)?.blocking_recv().unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// Reads from one consistent moment, on a connection of the pool. Blocks this thread.
    ///
    /// # Errors
    /// What `look` said, or [`Error::Pool`].
    pub fn read_blocking<T, E: From<Error>>(&self, look: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut connection = self.readers.get().map_err(E::from)?;
        let transaction = connection.transaction().map_err(Error::from)?;
        look(&View::new(&transaction, self.clock.now(), &self.site))
    }

    /// A look of microseconds on this thread's own connection: one statement, or several that need not agree.
    ///
    /// # Errors
    /// What `look` said.
    pub fn query_inline<T>(&self, look: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.with_own(|connection| look(&View::new(connection, self.clock.now(), &self.site)))
    }

    /// As [`Store::glance`], from one consistent moment: several statements that must agree.
    ///
    /// # Errors
    /// What `look` said.
    pub fn read_inline<T, E: From<Error>>(&self, look: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let looked = self.with_own(|connection| {
            let _moment = Moment::begin(connection)?;
            Ok(look(&View::new(connection, self.clock.now(), &self.site)))
        });
        looked?
    }

    fn with_own<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let open = || connection::open(&self.layout.live(), &self.site.keyring.database_key_pragma(), Purpose::Glance);
        pool::with_own(self.id, open, look)
    }

    /// Whether what is remembered of credentials holds, where [`Store::is_as_of`] says so. `false`: ask the database for
    /// this request; the writer has been asked to find out who committed.
    pub fn memory_holds(&self) -> bool {
        let holds = self.change.holds();
        if !holds && self.change.wants_look() {
            // An empty work is a look: the writer compares versions when it takes its lock. Full queue: it looks anyway.
            drop(self.writer.submit(|_| Ok::<(), Error>(())));
        }
        holds
    }

    /// Tags what is read from the database next; taken before reading. It grows with every change of a credential.
    pub fn generation(&self) -> u64 {
        self.change.generation()
    }

    /// Whether nothing about `subject` changed since `tag` was taken, as far as this process knows.
    pub fn is_as_of(&self, subject: Subject, tag: u64) -> bool {
        self.change.is_as_of(subject, tag)
    }

    /// Counts what changed since this process began, the queue of jobs left out. Taken before copying, it tells whether the
    /// copy is still what the database holds; a change by another process is noticed with this process's next write.
    pub fn content(&self) -> u64 {
        self.change.content()
    }

    /// Whether something changed since the last snapshot that this process published; at first, always.
    pub fn has_unpublished(&self) -> bool {
        self.published.load(Ordering::SeqCst) != self.content()
    }

    /// Notes that everything up to `content` is published.
    pub fn note_published(&self, content: u64) {
        self.published.store(content, Ordering::SeqCst);
    }

    /// Moves what is committed out of the write-ahead log into the main file, and cuts the log to nothing, so that what
    /// was deleted is in neither. `false`: a reader held it up; the next checkpoint does it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn checkpoint(&self) -> Result<bool, Error> {
        let connection = self.maintenance_connection()?;
        let busy: i64 = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// A connection of the caller's own for checkpoints.
    pub(super) fn maintenance_connection(&self) -> Result<Connection, Error> {
        connection::open(&self.layout.live(), &self.site.keyring.database_key_pragma(), Purpose::Write)
    }
}

/// One moment of the database, for as long as this lives.
struct Moment<'c>(&'c Connection);

impl<'c> Moment<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached("begin")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        // Nothing was written. What cannot end the moment cannot begin the next one either, and that is told.
        if let Ok(mut end) = self.0.prepare_cached("rollback") {
            let _ = end.execute([]);
        }
    }
}
