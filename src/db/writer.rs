//! The one writer: a thread that takes work from a bounded queue and commits together what is queued together.
//!
//! Each work runs in its own savepoint, so a failure of one caller does not affect the others. The commit is one
//! fsync for all of them, and each caller is answered only after it. The writer commits what is queued at once. It never
//! waits for more; it only lets threads go first that want to run on its core. `work.rs` says what a work is: the closure
//! of one caller, or requests of one kind that many callers made at the same moment.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi, named_params};
use tokio::sync::{mpsc, oneshot};

use super::answers::Reply;
use super::clock::{self, NOTED_EVERY};
use super::epoch::{Changes, ReadPosition, ValidatedEpoch, Validation};
use super::tx::Memory;
use super::work::{Alone, Batch, Handler, Together, Work};
use super::{Error, Site, Tx, View};
use crate::base::{Clock, Metrics, Rng, Stopwatch, Timestamp};
use crate::threads;

/// Callers that may wait for the writer. More are told to try again.
pub(super) const QUEUE_MAX: usize = 4096;
/// Works in one commit. This limits how long the first of them waits.
const BATCH_MAX: usize = 512;

/// Pages in the log before the writer moves them into the main file. SQLite's own default.
const CHECKPOINT_PAGES: u32 = 1000;

/// Triggers record each change of a credential in this table (see `epoch`).
const CHANGE_TABLE: &str = "credential_change";
const JOB_TABLE: &str = "job";
const COMMAND_TABLE: &str = "service_command";
/// Its new rows are written outside the database too, before their callers are answered.
const JOURNAL_TABLE: &str = "journal";
const CLOCK_TABLE: &str = "clock";
/// What is left to do after erasures. Publishing a snapshot changes it, so it is no reason to publish another one.
const PENDING_ERASURE_TABLE: &str = "erasure_pending";

/// What a commit changed, reported after it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// There may be a new job.
    pub jobs: bool,
    /// There may be a new command to a service, or another one is due.
    pub commands: bool,
}

/// Writes what the journal in the database has more than its file.
pub type JournalWriter = Box<dyn Fn(&View<'_>) -> Result<(), Error> + Send>;

/// A work in the queue, and since when.
type Waiting = (Stopwatch, Box<dyn Work>);

/// The sending end of the queue. Dropping it waits for the thread: what is queued is committed, and the connection is
/// closed before the process unloads SQLCipher's library.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Waiting>>,
    metrics: Arc<Metrics>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return };
        // The last owner may be a closure that runs on this thread, which cannot join itself.
        if thread.thread().id() != std::thread::current().id() {
            // Panics of callers were caught. A panic of the thread itself was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// The state of the writer's thread.
pub(super) struct WriterContext {
    pub connection: Connection,
    pub site: Arc<Site>,
    pub clock: Clock,
    pub rng: Rng,
    pub epoch: Arc<ValidatedEpoch>,
    /// Called after each commit with new rows of the journal, before their callers are answered: writes them into the
    /// file. They get its error, and their changes stay.
    pub write_journal: JournalWriter,
    /// Called after each commit that changed something others wait for.
    pub on_commit: Box<dyn Fn(Committed) + Send>,
    /// Called once, with the reason, when writing failed for good.
    pub on_fatal: Box<dyn Fn(&Error) + Send>,
    pub metrics: Arc<Metrics>,
}

impl Writer {
    /// Starts the thread. It ends when the `Writer` is dropped and the queue is empty, or at the first I/O error.
    pub(super) fn start(context: WriterContext) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let touched = Arc::new(AtomicU8::new(0));
        watch_tables(&context.connection, &touched)?;
        let position = ReadPosition::at_end(&context.connection)?;
        let has_failed = failed.clone();
        let metrics = context.metrics.clone();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run(context, waiting, position, &touched, &has_failed))
            .map_err(|error| Error::file(std::path::Path::new("writer thread"), error))?;
        Ok(Self { queue: Some(queue), metrics, failed, thread: Some(thread) })
    }

    /// Queues `work`. The receiver gets the result once the commit is on disk.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full; [`Error::Stopped`] after a fatal failure.
    pub(super) fn submit<F, T, E>(&self, work: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = Reply::to_this_thread();
        self.queue(Box::new(Alone::new(work, reply)))?;
        Ok(answer)
    }

    /// Queues a request that `handler` answers together with others of its kind that wait at the same moment.
    ///
    /// # Errors
    /// As [`Writer::submit`].
    pub(super) fn submit_together<R, T, E>(
        &self,
        handler: Handler<R, T, E>,
        request: R,
    ) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        R: Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = Reply::to_this_thread();
        self.queue(Box::new(Together::new(handler, request, reply)))?;
        Ok(answer)
    }

    /// How many works wait, and how many may.
    pub(super) fn queue_length(&self) -> (usize, usize) {
        let free = self.queue.as_ref().map_or(QUEUE_MAX, mpsc::Sender::capacity);
        (QUEUE_MAX - free, QUEUE_MAX)
    }

    fn queue(&self, work: Box<dyn Work>) -> Result<(), Error> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(Error::Stopped);
        }
        let Some(queue) = &self.queue else { return Err(Error::Stopped) };
        queue.try_send((Stopwatch::start(), work)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                self.metrics.writer.refused.fetch_add(1, Ordering::Relaxed);
                Error::Busy
            }
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })
    }
}

thread_local! {
    /// Whether the last commit of this thread wrote to the log. Writing values that were there already does not,
    /// although SQLite counts the rows as changed.
    static HAS_LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// SQLite calls this after each commit that wrote to the log.
fn set_has_logged(_: &Wal, _: std::ffi::c_int) -> rusqlite::Result<()> {
    HAS_LOGGED.set(true);
    Ok(())
}

const CREDENTIALS: u8 = 1;
const JOBS: u8 = 2;
/// Anything except the job queue, the record of the clock and what is left to do after erasures.
const CONTENT: u8 = 4;
const CLOCK: u8 = 8;
const JOURNAL: u8 = 16;
const HOUSEKEEPING: u8 = 32;
const COMMANDS: u8 = 64;

fn watch_tables(connection: &Connection, touched: &Arc<AtomicU8>) -> Result<(), Error> {
    let touched = touched.clone();
    connection.update_hook(Some(move |_, _: &str, table: &str, _| {
        let kind = match table {
            JOB_TABLE => JOBS,
            CLOCK_TABLE => CLOCK,
            PENDING_ERASURE_TABLE => HOUSEKEEPING,
            CHANGE_TABLE => CREDENTIALS | CONTENT,
            JOURNAL_TABLE => JOURNAL | CONTENT,
            COMMAND_TABLE => COMMANDS | CONTENT,
            _ => CONTENT,
        };
        touched.fetch_or(kind, Ordering::Relaxed);
    }))?;
    connection.wal_hook(Some(set_has_logged));
    Ok(())
}

/// The time of the transactions. It goes back only when the clock accepted a step back: then the transaction of that step
/// has moved all ends and due times back, and the work after it must see the new time.
struct Time {
    clock: Clock,
    last: Timestamp,
    /// When the time was last written down.
    noted: Timestamp,
    /// [`Clock::returns`] when `last` was read.
    returns: u64,
}

impl Time {
    fn now(&mut self) -> Timestamp {
        let (returns, now) = (self.clock.returns(), self.clock.now());
        self.last = if returns == self.returns { self.last.max(now) } else { now };
        self.returns = returns;
        self.last
    }

    /// Writes the time down once a minute, with changes that are committed anyway. The next start compares it with its
    /// clock.
    fn note(&mut self, connection: &Connection) -> Result<(), Error> {
        let now = self.now();
        if now < self.noted.plus(NOTED_EVERY) && now >= self.noted {
            return Ok(());
        }
        let uptime = clock::millis(self.clock.uptime());
        let params = named_params! {":seen_at": now, ":uptime": uptime};
        connection.prepare_cached(clock::UPDATE_SEEN)?.execute(params)?;
        self.noted = now;
        Ok(())
    }
}

fn run(
    mut context: WriterContext,
    mut waiting: mpsc::Receiver<Waiting>,
    mut position: ReadPosition,
    touched: &AtomicU8,
    failed: &AtomicBool,
) {
    threads::lower_priority(threads::BELOW_WORKERS);
    let never = Timestamp::from_millis(0);
    let mut time = Time { clock: context.clock.clone(), last: never, noted: never, returns: 0 };
    let mut memory = Memory::default();
    let metrics = context.metrics.clone();
    while let Some((since, first)) = waiting.blocking_recv() {
        metrics.writer.wait.note(since.elapsed());
        let mut batch = Batch::starting_with(first);
        // The workers that were answered a moment ago have more requests, which can share this commit.
        std::thread::yield_now();
        let commit = Stopwatch::start();
        let outcome =
            commit_together(&mut context, &mut memory, &mut waiting, &mut batch, &mut time, &mut position, touched);
        memory.clear();
        let security = std::mem::take(&mut memory.security);
        let mask = touched.swap(0, Ordering::Relaxed);
        match outcome {
            Ok((validation, has_logged, changes)) => {
                metrics.writer.commit.note(commit.elapsed());
                // SQLite does not call the hook for tables without rowid, so a write that it did not report counts as
                // content too.
                let has_content = has_logged && (mask & CONTENT != 0 || mask == 0);
                validation.committed(&mut position, has_logged, &changes, has_content);
                answer_committed(&context, batch, time.last);
                security.iter().for_each(|event| metrics.note_security(event));
                let committed = Committed { jobs: mask & JOBS != 0, commands: mask & COMMANDS != 0 };
                if committed != Committed::default() {
                    (context.on_commit)(committed);
                }
                checkpoint_when_due(&context);
            }
            Err(error) => {
                let fatal = error.is_fatal();
                metrics.writer.failed.fetch_add(1, Ordering::Relaxed);
                if fatal {
                    failed.store(true, Ordering::SeqCst);
                    (context.on_fatal)(&error);
                }
                batch.answer(Some(error));
                if fatal {
                    return;
                }
            }
        }
    }
}

/// Answers the callers of a batch that is committed. First the journal gets its lines, with one fsync for all of them. If
/// that fails, the callers with lines get the error: their changes are made, and are not recorded outside the database.
fn answer_committed(context: &WriterContext, batch: Batch, now: Timestamp) {
    let failure = if batch.has_journal() {
        // Outside of a transaction, so that it reads what other processes have committed too.
        (context.write_journal)(&View::new(&context.connection, now, context.clock.has_jumped(), &context.site)).err()
    } else {
        None
    };
    batch.answer_committed(failure.as_ref());
}

/// Moves the log into the main file once it is long, as far as readers allow. It runs after the callers are answered: a
/// checkpoint takes milliseconds, and during one inside the commit readers could not tell whose commit it was (see
/// `epoch`).
fn checkpoint_when_due(context: &WriterContext) {
    if context.epoch.pages_to_move() < CHECKPOINT_PAGES {
        return;
    }
    let statement = context.connection.prepare_cached("pragma wal_checkpoint(passive)");
    if let Err(error) = statement.and_then(|mut statement| statement.query_row([], |_| Ok(()))) {
        // Nothing is lost: committed data stays in the log, and the next commit tries again.
        tracing::warn!(%error, "Could not move the write-ahead log into the database; the next commit tries again.");
    }
}

/// Runs the batch, and what joins the queue meanwhile, in one transaction. `Ok`: it is on disk. The `bool` says whether
/// the commit wrote to the log.
fn commit_together<'d>(
    context: &'d mut WriterContext,
    memory: &mut Memory,
    waiting: &mut mpsc::Receiver<Waiting>,
    batch: &mut Batch,
    time: &mut Time,
    position: &mut ReadPosition,
    touched: &AtomicU8,
) -> Result<(Validation<'d>, bool, Changes), Error> {
    if let Err(error) = begin(&context.connection) {
        // A reader may request a check again.
        context.epoch.check_started();
        return Err(error);
    }
    let validation = match Validation::begin(&context.epoch, &context.connection, position) {
        Ok(validation) => validation,
        Err(error) => return Err(roll_back(&context.connection, error)),
    };
    let outcome = loop {
        // Before each work, so that one of many callers finds all that wait already.
        while batch.len() < BATCH_MAX
            && let Ok((since, next)) = waiting.try_recv()
        {
            context.metrics.writer.wait.note(since.elapsed());
            batch.add(next);
        }
        let Some(work) = batch.next() else { break Ok(()) };
        let now = (time.now(), time.clock.has_jumped());
        let ran = run_one(&context.connection, &context.site, &mut context.rng, memory, now, work);
        // Also what was rolled back, so that it does not count for the next one.
        let has_journal = touched.fetch_and(!JOURNAL, Ordering::Relaxed) & JOURNAL != 0;
        match ran {
            Ok(true) if has_journal => batch.note_journal(),
            Ok(true) => {}
            Ok(false) => batch.split_last(),
            Err(error) => break Err(error),
        }
    };
    let outcome = outcome.and_then(|()| {
        let has_credentials = touched.load(Ordering::Relaxed) & CREDENTIALS != 0;
        let changes = validation.read_changes(&context.connection, position, has_credentials)?;
        if touched.load(Ordering::Relaxed) != 0 {
            time.note(&context.connection)?;
        }
        HAS_LOGGED.set(false);
        context.connection.prepare_cached("commit")?.execute([])?;
        Ok(changes)
    });
    match outcome {
        Ok(changes) => Ok((validation, HAS_LOGGED.get(), changes)),
        Err(error) => {
            validation.rolled_back(position);
            Err(roll_back(&context.connection, error))
        }
    }
}

fn begin(connection: &Connection) -> Result<(), Error> {
    connection.prepare_cached("begin immediate")?.execute([])?;
    Ok(())
}

/// Runs a work in its savepoint. `Ok(false)`: its changes were rolled back.
fn run_one(
    connection: &Connection,
    site: &Arc<Site>,
    rng: &mut Rng,
    memory: &mut Memory,
    (now, has_clock_jumped): (Timestamp, bool),
    work: &mut dyn Work,
) -> Result<bool, Error> {
    connection.prepare_cached("savepoint caller")?.execute([])?;
    let noted = memory.security.len();
    let mut tx = Tx::new(View::new(connection, now, has_clock_jumped, site), rng, memory);
    let keep = work.run(&mut tx);
    // If the disk failed, the result of the operation does not count: no caller may be answered "done" after that. If
    // the disk is only full, SQLite rolls back either the whole transaction by itself, or one statement, which the
    // caller handles.
    let failure = tx.disk_failure();
    if connection.is_autocommit() {
        let rolled_back = || rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR), None).into();
        return Err(failure.unwrap_or_else(rolled_back));
    }
    if let Some(failure) = failure.filter(Error::is_fatal) {
        return Err(failure);
    }
    if !keep {
        connection.prepare_cached("rollback to caller")?.execute([])?;
        memory.clear();
        memory.security.truncate(noted);
    }
    connection.prepare_cached("release caller")?.execute([])?;
    Ok(keep)
}

fn roll_back(connection: &Connection, error: Error) -> Error {
    if !connection.is_autocommit() {
        // The first error is the one to report. If the rollback fails, the next begin fails too.
        let _ = connection.execute_batch("rollback");
    }
    error
}
