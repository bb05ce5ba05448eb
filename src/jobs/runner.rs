//! Runs due jobs. Commits that queue a job wake the runner; once a second it also looks for jobs that other processes
//! queued.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::Value;

use super::model::{ClaimedJob, Outcome, Queue};
use super::{ops, store};
use crate::app::App;
use crate::base::seconds;
use crate::db::Error;

/// The function that runs a job. A job may run twice, so running it twice must have the same effect as running it once.
pub type JobFn = fn(Arc<App>, Value) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An entry of the table of job handlers.
#[derive(Clone, Copy)]
pub struct JobHandler {
    /// The name of the job.
    pub name: &'static str,
    /// The function that runs it.
    pub run: JobFn,
    /// Whether jobs with this name have a queue of their own. Then a slow one delays only jobs with the same name.
    pub has_own_queue: bool,
}

impl JobHandler {
    /// The handler of a short job, which shares a queue with others.
    pub const fn new(name: &'static str, run: JobFn) -> Self {
        Self { name, run, has_own_queue: false }
    }

    /// The handler of a job that may take long, for example because it waits for another machine.
    pub const fn with_own_queue(name: &'static str, run: JobFn) -> Self {
        Self { name, run, has_own_queue: true }
    }
}

/// Runs the jobs of one queue, one after the other.
pub struct Runner {
    app: Arc<App>,
    handlers: &'static [JobHandler],
    queue: Queue,
}

impl Runner {
    /// One runner for each queue of a table of handlers. The runners work in parallel.
    pub fn for_each_queue(app: &Arc<App>, handlers: &'static [JobHandler]) -> Vec<Self> {
        queues_of(handlers).into_iter().map(|queue| Self { app: app.clone(), handlers, queue }).collect()
    }

    /// Runs jobs until the future is dropped. A job that is running then is requeued when its claim expires.
    pub async fn work(self) {
        let mut wake = self.app.jobs_wake();
        loop {
            match run_queue(&self.app, self.handlers, &self.queue).await {
                Ok(0) => {
                    // A commit of this process wakes us. The timeout finds jobs that a command in another process
                    // queued.
                    let _ = tokio::time::timeout(seconds(1), wake.changed()).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "The job queue could not be read. The runner tries again in five seconds.");
                    tokio::time::sleep(seconds(5)).await;
                }
            }
        }
    }
}

fn queues_of(handlers: &[JobHandler]) -> Vec<Queue> {
    let own: Vec<&str> = handlers.iter().filter(|handler| handler.has_own_queue).map(|handler| handler.name).collect();
    let mut queues: Vec<Queue> = own.iter().map(|name| Queue::new(&[name])).collect();
    queues.push(Queue::all_but(&own));
    queues
}

/// Runs every job that is due now, one queue after the other. Returns how many ran.
///
/// # Errors
/// [`Error`] if the queue cannot be read or an outcome cannot be stored.
pub async fn run_due(app: &Arc<App>, handlers: &'static [JobHandler]) -> Result<usize, Error> {
    let mut ran = 0;
    for queue in queues_of(handlers) {
        ran += run_queue(app, handlers, &queue).await?;
    }
    Ok(ran)
}

async fn run_queue(app: &Arc<App>, handlers: &'static [JobHandler], queue: &Queue) -> Result<usize, Error> {
    let mut ran = 0;
    // This only reads: an idle appliance must not take the write lock every second.
    if !app.query_inline(|view| store::is_due(view, queue))? {
        return Ok(0);
    }
    loop {
        let claimed_queue = queue.clone();
        let Some(job) = app.write(move |tx| ops::claim(tx, &claimed_queue)).await? else { return Ok(ran) };
        run_one(app, handlers, job).await?;
        ran += 1;
    }
}

/// Runs a handler to its end. If it panics, the job is tried again, because a bug in one job must not stop all others.
pub(super) async fn run_to_end(mut running: Pin<Box<dyn Future<Output = Outcome> + Send>>) -> Outcome {
    std::future::poll_fn(|context| {
        // The handler owns its values, and its transactions were already committed or rolled back.
        catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Outcome::Again("the job panicked".into())))
    })
    .await
}

/// Reports how the job with this name ended, in the log and in the metrics.
pub(super) fn report(app: &App, name: &str, outcome: &Outcome) {
    let index = match outcome {
        Outcome::Done => 0,
        Outcome::Again(_) => 1,
        Outcome::GiveUp(_) => 2,
    };
    app.metrics().note_job(name, index, app.now());
    match outcome {
        Outcome::Done => tracing::debug!(name, "A job is done."),
        Outcome::Again(why) => tracing::warn!(name, why, "A job will be tried again."),
        Outcome::GiveUp(why) => tracing::error!(name, why, "A job failed permanently."),
    }
}

async fn run_one(app: &Arc<App>, handlers: &'static [JobHandler], job: ClaimedJob) -> Result<(), Error> {
    let outcome = match handlers.iter().find(|handler| handler.name == job.name) {
        Some(handler) => run_to_end((handler.run)(app.clone(), job.payload.clone())).await,
        None => Outcome::GiveUp(format!("this program has no handler for the job {}", job.name)),
    };
    report(app, &job.name, &outcome);
    app.write(move |tx| ops::finish(tx, job.id, job.attempts, &outcome)).await
}
