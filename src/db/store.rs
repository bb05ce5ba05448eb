//! The open database: the entry point for all layers above.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use rusqlite::Connection;

use super::connection::{self, Purpose};
use super::epoch::{Subject, ValidatedEpoch};
use super::pool::{self, Pool};
use super::wal_index::CommitCounter;
use super::writer::{JournalWriter, Writer, WriterContext};
use super::{Committed, Decided, Error, Handler, Interrupt, Layout, Site, Tx, View, migrate};
use crate::base::{Clock, Metrics, Readiness, Rng, Timestamp};

/// Never a value of [`Store::content`]: this process has published nothing yet.
const NOT_PUBLISHED: u64 = u64::MAX;

static NEXT_STORE: AtomicU64 = AtomicU64::new(1);

/// One live database of this process.
pub struct Store {
    id: u64,
    layout: Layout,
    site: Arc<Site>,
    clock: Clock,
    epoch: Arc<ValidatedEpoch>,
    writer: Writer,
    readers: Pool,
    published: AtomicU64,
    /// When this process published last, or began.
    published_at: AtomicI64,
    interrupt: Interrupt,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    /// Whether a read met damage that nobody has looked for yet.
    pub(super) is_suspected: AtomicBool,
    pub(super) was_left_open: bool,
    /// Held as long as the database is open, so that no restore replaces it meanwhile.
    _users: std::fs::File,
}

/// What the store calls, and where it reports.
pub struct StoreHooks {
    /// After each commit that changed something others wait for.
    pub on_commit: Box<dyn Fn(Committed) + Send>,
    /// After each commit with new rows of the journal, before their callers are answered. They get its error.
    pub write_journal: JournalWriter,
    /// Once, with the reason, when writing failed for good.
    pub on_fatal: Box<dyn Fn(&Error) + Send>,
    /// The lasting faults.
    pub readiness: Arc<Readiness>,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
}

impl Default for StoreHooks {
    fn default() -> Self {
        Self {
            on_commit: Box::new(|_| ()),
            write_journal: Box::new(|_| Ok(())),
            on_fatal: Box::new(|_| ()),
            readiness: Arc::default(),
            metrics: Arc::default(),
        }
    }
}

impl Store {
    /// Opens the live database, which has the current schema or is new and empty, and starts the writer.
    ///
    /// # Errors
    /// [`Error::Restoring`], [`Error::KeyDoesNotOpen`], [`Error::Older`], [`Error::Newer`] or [`Error::Sqlite`]; nothing in
    /// the file changed then.
    pub fn open(layout: Layout, site: Arc<Site>, clock: Clock, mut rng: Rng, hooks: StoreHooks) -> Result<Self, Error> {
        let was_left_open = layout.has_log();
        let users = super::try_share_file(&layout.users_lock())?.ok_or(Error::Restoring)?;
        let key = site.keyring.database_key_pragma();
        let live = layout.live();
        let mut connection = connection::open(&live, &key, Purpose::Write)?;
        match migrate::known_version(&connection)? {
            0 => migrate::to_current(&mut connection, &|_| ())?,
            migrate::MIGRATIONS_COUNT => {}
            // Not here: an upgrade is tried on a copy first.
            found => return Err(Error::Older { found, known: migrate::MIGRATIONS_COUNT }),
        }
        let sentinel = connection::open(&live, &key, Purpose::Read)?;
        let epoch = Arc::new(ValidatedEpoch::new(CommitCounter::new(sentinel)?));
        let context = WriterContext {
            connection,
            site: site.clone(),
            clock: clock.clone(),
            rng: rng.split(),
            epoch: epoch.clone(),
            write_journal: hooks.write_journal,
            on_commit: hooks.on_commit,
            on_fatal: hooks.on_fatal,
            metrics: hooks.metrics.clone(),
        };
        let writer = Writer::start(context)?;
        let readers = Pool::new(live, site.clone())?;
        let id = NEXT_STORE.fetch_add(1, Ordering::Relaxed);
        let published = AtomicU64::new(NOT_PUBLISHED);
        let published_at = AtomicI64::new(clock.now().millis());
        let (readiness, interrupt) = (hooks.readiness, Interrupt::default());
        Ok(Self {
            id,
            layout,
            site,
            clock,
            epoch,
            writer,
            readers,
            published,
            published_at,
            interrupt,
            readiness,
            metrics: hooks.metrics,
            is_suspected: AtomicBool::new(false),
            was_left_open,
            _users: users,
        })
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

    /// The lasting faults that the readiness probe reports.
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How many works wait for the writer, and how many may.
    pub fn queue_length(&self) -> (usize, usize) {
        self.writer.queue_length()
    }

    /// Runs `work` in a transaction. Returns when the commit is on disk.
    ///
    /// # Errors
    /// The error of `work`; [`Error::Busy`] or [`Error::Stopped`] when `work` did not run.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(work)?.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// Runs `handler` once for all requests of its kind that wait at the same moment. Each caller gets its own answer
    /// when the commit is on disk, as from [`Store::write`]; a failure of one does not affect the others.
    ///
    /// # Errors
    /// The error that `handler` has for this request; otherwise as [`Store::write`].
    pub async fn write_together<R, T, E>(&self, handler: Handler<R, T, E>, request: R) -> Result<T, E>
    where
        R: Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit_together(handler, request)?.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// As [`Store::write`], for an operation that may refuse and still commit; see [`super::Decision`].
    ///
    /// # Errors
    /// As [`Store::write`], and the refusal.
    pub async fn write_deciding<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Decided<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write(work).await?.into_result()
    }

    /// As [`Store::write_deciding`], for the command line and other threads that may block.
    ///
    /// # Errors
    /// As [`Store::write_deciding`].
    pub fn write_deciding_blocking<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Decided<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_blocking(work)?.into_result()
    }

    /// As [`Store::write`], for the command line and other threads that may block. Not for async code.
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

    /// Reads one consistent state, on a connection of the pool. Blocks this thread.
    ///
    /// # Errors
    /// The error of `read`, or [`Error::Pool`].
    pub fn read_blocking<T, E: From<Error>>(&self, read: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut reader = self.readers.get().inspect_err(|error| self.note_failure(Some(error))).map_err(E::from)?;
        let transaction = reader.transaction().map_err(Error::from)?;
        let view = View::new(&transaction, self.clock.now(), self.clock.has_jumped(), &self.site);
        let outcome = read(&view);
        let failure = view.disk_failure();
        drop(transaction);
        self.note_failure(failure.as_ref());
        reader.is_broken = failure.is_some_and(|failure| failure.is_fatal());
        outcome
    }

    /// Runs a query of microseconds on this thread's own connection, without a transaction: one statement, or several
    /// that need not agree with each other. Blocks this thread.
    ///
    /// # Errors
    /// The error of `query`.
    pub fn query_inline<T>(&self, query: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.with_own(|connection| {
            let view = View::new(connection, self.clock.now(), self.clock.has_jumped(), &self.site);
            (query(&view), view.disk_failure())
        })
    }

    /// As [`Store::query_inline`], on one consistent state: for several statements that must agree with each other.
    ///
    /// # Errors
    /// The error of `read`.
    pub fn read_inline<T, E: From<Error>>(&self, read: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let outcome = self.with_own(|connection| {
            let _transaction = match ReadTransaction::begin(connection) {
                Ok(transaction) => transaction,
                Err(error) => return (Err(error), None),
            };
            let view = View::new(connection, self.clock.now(), self.clock.has_jumped(), &self.site);
            (Ok(read(&view)), view.disk_failure())
        });
        outcome?
    }

    /// Runs `query` on this thread's own connection. It answers its result and the first disk failure that it met.
    fn with_own<T>(&self, query: impl FnOnce(&Connection) -> (Result<T, Error>, Option<Error>)) -> Result<T, Error> {
        let open =
            || connection::open(&self.layout.live(), &self.site.keyring.database_key_pragma(), Purpose::ReadInline);
        let ran = pool::with_own(self.id, open, |connection| {
            let (outcome, failure) = query(connection);
            let is_usable = !failure.as_ref().is_some_and(Error::is_fatal);
            ((outcome, failure), is_usable)
        });
        let (outcome, failure) = ran.inspect_err(|error| self.note_failure(Some(error)))?;
        self.note_failure(failure.as_ref());
        outcome
    }

    /// Whether cached credentials may be used, if [`Store::is_unchanged_since`] says so as well. `false`: ask the
    /// database for this request. The writer has been asked to read what another process committed.
    pub fn is_cache_current(&self) -> bool {
        let is_current = self.epoch.is_current();
        if !is_current && self.epoch.request_check() {
            // Empty work is enough: the writer checks when it takes its lock. If the queue is full, it checks anyway.
            drop(self.writer.submit(|_| Ok::<(), Error>(())));
        }
        is_current
    }

    /// The current generation, which grows with every change of a credential. Take it before reading from the database,
    /// and store it with the cached value.
    pub fn generation(&self) -> u64 {
        self.epoch.generation()
    }

    /// Whether nothing about `subject` changed after `generation` was taken, as far as this process knows.
    pub fn is_unchanged_since(&self, subject: Subject, generation: u64) -> bool {
        self.epoch.is_unchanged_since(subject, generation)
    }

    /// Counts the changes since this process began, without those of the job queue. Take it before copying the
    /// database: it tells later whether the copy is still up to date. A change by another process counts with the next
    /// write of this process.
    pub fn content(&self) -> u64 {
        self.epoch.content()
    }

    /// Whether something changed since the last snapshot that this process published. `true` until it has published
    /// one.
    pub fn has_unpublished(&self) -> bool {
        self.published.load(Ordering::SeqCst) != self.content()
    }

    /// Records that everything up to `content` is published.
    pub fn record_published(&self, content: u64) {
        self.published.store(content, Ordering::SeqCst);
        self.published_at.store(self.clock.now().millis(), Ordering::SeqCst);
    }

    /// When this process published last. If it has not published yet: when it began.
    pub fn published_at(&self) -> Timestamp {
        Timestamp::from_millis(self.published_at.load(Ordering::SeqCst))
    }

    /// Ends the copies and verifications of this process early, because it is about to end.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Pages of the write-ahead log that are not in the main file yet.
    pub(super) fn pages_to_move(&self) -> u32 {
        self.epoch.pages_to_move()
    }
}

/// A read transaction: it shows one state of the database until it is dropped.
struct ReadTransaction<'c>(&'c Connection);

impl<'c> ReadTransaction<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached("begin")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for ReadTransaction<'_> {
    fn drop(&mut self) {
        // Nothing was written. If this fails, the next begin fails too and is reported.
        if let Ok(mut end) = self.0.prepare_cached("rollback") {
            let _ = end.execute([]);
        }
    }
}
