//! The one writer: a thread that takes closures from a bounded queue and commits what is queued together.
//!
//! Each closure runs in a savepoint of its own, so one caller's failure never touches another's; the commit is one
//! fsync for all, and each caller is answered only after it. What is queued is committed at once: the writer never
//! waits for more.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};
use tokio::sync::{mpsc, oneshot};

use super::change::{Batch, Change, Found, Seen};
use super::{Error, Site, Tx, View};
use crate::base::{Clock, Rng, Timestamp};
use crate::threads;

/// Callers that may wait for the writer; beyond it they are told to come back.
pub(super) const QUEUE_MAX: usize = 4096;
/// Closures in one commit: bounds how long the first of them waits.
const BATCH_MAX: usize = 512;

/// Pages in the log before the writer moves them into the main file: SQLite's own measure.
const CHECKPOINT_PAGES: u32 = 1000;

/// Where triggers note each change of a credential (see `change`).
const CHANGE_TABLE: &str = "credential_change";
const JOB_TABLE: &str = "job";

/// What a commit touched, told after it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// There may be a new job.
    pub jobs: bool,
}

/// One caller's work, with its answer kept until the commit.
pub(super) trait Work: Send {
    /// Does the work; `true`: keep it.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller. `failure`: what happened to the transaction instead of a commit.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

struct Call<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work for Call<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Nothing of ours is behind the unwound closure: its savepoint is rolled back, and it owned what it held.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| Err(Error::Panicked.into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let answer = match (failure, self.outcome) {
            // An operation that refused is refused whatever became of the others' commit.
            (_, Some(Err(refusal))) => Err(refusal),
            (Some(failure), _) => Err(failure.into()),
            (None, Some(Ok(made))) => Ok(made),
            (None, None) => Err(Error::Stopped.into()),
        };
        // A caller that has gone away no longer wants its answer; the work is committed all the same.
        let _ = self.reply.send(answer);
    }
}

/// The callers' end of the queue. Dropping it waits for the thread: what is queued is committed, and the connection is
/// closed before the process takes SQLCipher's library down.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return };
        // The last owner may be a piece of work on the thread itself, which cannot wait for its own end.
        if thread.thread().id() != std::thread::current().id() {
            // It caught its callers' panics; one of its own was reported as it happened.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
pub(super) struct Desk {
    pub connection: Connection,
    pub site: Arc<Site>,
    pub clock: Clock,
    pub rng: Rng,
    pub change: Arc<Change>,
    /// Told after each commit that touched something somebody waits for.
    pub on_commit: Box<dyn Fn(Committed) + Send>,
    /// Told once, with the reason, when the writer can no longer be trusted.
    pub on_fatal: Box<dyn Fn(&Error) + Send>,
}

impl Writer {
    /// Starts the thread. It ends when the `Writer` is gone and the queue is empty, or at the first I/O error.
    pub(super) fn start(desk: Desk) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let touched = Arc::new(AtomicU8::new(0));
        watch_tables(&desk.connection, &touched)?;
        let seen = Seen::now(&desk.connection)?;
        let told = failed.clone();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || serve(desk, waiting, seen, &touched, &told))
            .map_err(|error| Error::file(std::path::Path::new("writer thread"), error))?;
        Ok(Self { queue: Some(queue), failed, thread: Some(thread) })
    }

    /// Hands work over; the receiver gets the answer once the commit is on disk.
    pub(super) fn submit<F, T, E>(&self, work: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if self.failed.load(Ordering::SeqCst) {
            return Err(Error::Stopped);
        }
        let Some(queue) = &self.queue else { return Err(Error::Stopped) };
        let (reply, answer) = oneshot::channel();
        let call = Box::new(Call { work: Some(work), outcome: None, reply });
        match queue.try_send(call) {
            Ok(()) => Ok(answer),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Stopped),
        }
    }
}

thread_local! {
    /// Whether this thread's last commit put anything into the log. Writing what was there already does not, although rows were
    /// counted as changed.
    static HAS_LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// SQLite calls it after each commit that put something into the log.
fn note_logged(_: &Wal, _: std::ffi::c_int) -> rusqlite::Result<()> {
    HAS_LOGGED.set(true);
    Ok(())
}

const CREDENTIALS: u8 = 1;
const JOBS: u8 = 2;
/// Anything but the queue of jobs.
const CONTENT: u8 = 4;

fn watch_tables(connection: &Connection, touched: &Arc<AtomicU8>) -> Result<(), Error> {
    let touched = touched.clone();
    connection.update_hook(Some(move |_, _: &str, table: &str, _| {
        let mark = match table {
            JOB_TABLE => JOBS,
            CHANGE_TABLE => CREDENTIALS | CONTENT,
            _ => CONTENT,
        };
        touched.fetch_or(mark, Ordering::Relaxed);
    }))?;
    connection.wal_hook(Some(note_logged));
    Ok(())
}

fn serve(
    mut desk: Desk,
    mut waiting: mpsc::Receiver<Box<dyn Work>>,
    mut seen: Seen,
    touched: &AtomicU8,
    failed: &AtomicBool,
) {
    threads::step_back(threads::BEHIND_WORKERS);
    let mut last = Timestamp::from_millis(0);
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        // Time never goes back between two commits, so ids and the audit stay in order when the clock steps back.
        last = last.max(desk.clock.now());
        let outcome = commit_together(&mut desk, &mut waiting, &mut batch, last, &mut seen, touched);
        let mask = touched.swap(0, Ordering::Relaxed);
        match outcome {
            Ok((ticket, wrote, found)) => {
                // The hook is silent about tables without rowid, so a write that it did not see counts as content too.
                let content_changed = wrote && (mask & CONTENT != 0 || mask == 0);
                ticket.committed(&mut seen, wrote, &found, content_changed);
                batch.into_iter().for_each(|work| work.answer(None));
                if mask & JOBS != 0 {
                    (desk.on_commit)(Committed { jobs: true });
                }
                checkpoint_when_due(&desk);
            }
            Err(error) => {
                let fatal = error.is_fatal();
                if fatal {
                    failed.store(true, Ordering::SeqCst);
                    (desk.on_fatal)(&error);
                }
                let all = repeat(&error);
                let mut first_gets_it = Some(error);
                for work in batch {
                    let told = first_gets_it.take().unwrap_or_else(&all);
                    work.answer(Some(told));
                }
                if fatal {
                    return;
                }
            }
        }
    }
}

/// Moves the log into the main file once it is long, as far as readers allow. After the answers: a checkpoint takes
/// milliseconds, and while it ran inside the commit, readers could not know whose commit it was (see `change`).
fn checkpoint_when_due(desk: &Desk) {
    if desk.change.pages_to_move() < CHECKPOINT_PAGES {
        return;
    }
    let moved = desk.connection.prepare_cached("pragma wal_checkpoint(passive)");
    if let Err(error) = moved.and_then(|mut moved| moved.query_row([], |_| Ok(()))) {
        // Nothing is lost: what was committed stays in the log, and the next commit tries again.
        tracing::warn!(%error, "The write-ahead log could not be moved into the database.");
    }
}

/// The same failure for everybody else in the batch: a full disk is one for all of them. SQLite's error itself cannot be
/// copied, its code can.
fn repeat(error: &Error) -> impl Fn() -> Error + use<> {
    let code = match error {
        Error::Sqlite(inner) if !error.is_fatal() => inner.sqlite_error().copied(),
        _ => None,
    };
    move || code.map_or(Error::Stopped, |code| rusqlite::Error::SqliteFailure(code, None).into())
}

/// Runs the batch, and what joins the queue meanwhile, in one transaction. `Ok`: it is on disk, and whether that
/// took a commit in the log.
fn commit_together<'d>(
    desk: &'d mut Desk,
    waiting: &mut mpsc::Receiver<Box<dyn Work>>,
    batch: &mut Vec<Box<dyn Work>>,
    now: Timestamp,
    seen: &mut Seen,
    touched: &AtomicU8,
) -> Result<(Batch<'d>, bool, Found), Error> {
    if let Err(error) = begin(&desk.connection) {
        // Whoever asked for a look may ask again.
        desk.change.looked();
        return Err(error);
    }
    let ticket = match Batch::begin(&desk.change, &desk.connection, seen) {
        Ok(ticket) => ticket,
        Err(error) => return Err(roll_back(&desk.connection, error)),
    };
    let mut done = 0;
    let outcome = loop {
        let Some(work) = batch.get_mut(done) else { break Ok(()) };
        match run_one(&desk.connection, &desk.site, &mut desk.rng, [now, desk.clock.now()], work.as_mut()) {
            Ok(()) => {}
            Err(error) => break Err(error),
        }
        done += 1;
        if done == batch.len()
            && done < BATCH_MAX
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
    };
    let outcome = outcome.and_then(|()| {
        let found = ticket.find(&desk.connection, seen, touched.load(Ordering::Relaxed) & CREDENTIALS != 0)?;
        HAS_LOGGED.set(false);
        desk.connection.prepare_cached("commit")?.execute([])?;
        Ok(found)
    });
    match outcome {
        Ok(found) => Ok((ticket, HAS_LOGGED.get(), found)),
        Err(error) => {
            ticket.abandoned(seen);
            Err(roll_back(&desk.connection, error))
        }
    }
}

fn begin(connection: &Connection) -> Result<(), Error> {
    connection.prepare_cached("begin immediate")?.execute([])?;
    Ok(())
}

/// One caller's work in its savepoint, at [`View::now`] and [`View::wall`].
fn run_one(
    connection: &Connection,
    site: &Arc<Site>,
    rng: &mut Rng,
    [now, wall]: [Timestamp; 2],
    work: &mut dyn Work,
) -> Result<(), Error> {
    connection.prepare_cached("savepoint caller")?.execute([])?;
    let mut tx = Tx::new(View::new(connection, now, site).with_wall(wall), rng);
    let keep = work.run(&mut tx);
    // What the operation made of a failing disk does not count: nobody may be answered "done" after it. A disk that is
    // merely full makes SQLite roll the whole transaction back by itself, or the one statement, which is the caller's affair.
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
    }
    connection.prepare_cached("release caller")?.execute([])?;
    Ok(())
}

fn roll_back(connection: &Connection, error: Error) -> Error {
    if !connection.is_autocommit() {
        // The first error is the one to tell; a failing rollback shows again at the next begin.
        let _ = connection.execute_batch("rollback");
    }
    error
}
