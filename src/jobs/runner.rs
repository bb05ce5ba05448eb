//! Runs what is due: woken by commits that queued something, and once a second for what other processes queued.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::Value;

use super::model::{Claimed, Lane, Outcome};
use super::{ops, store};
use crate::app::App;
use crate::base::seconds;
use crate::db::Error;

/// What runs a job of one name. It may run twice, so it is written so that twice is the same as once.
pub type Handler = fn(Arc<App>, Value) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One line of the table of handlers.
#[derive(Clone, Copy)]
pub struct Line {
    /// The job's name.
    pub name: &'static str,
    /// What it runs.
    pub run: Handler,
    /// Whether it may take as long as others make it: then it runs beside the rest, and holds up its own kind alone.
    pub has_own_lane: bool,
}

impl Line {
    /// A job that waits for its turn among the others.
    pub const fn new(name: &'static str, run: Handler) -> Self {
        Self { name, run, has_own_lane: false }
    }

    /// A job that may take long, and runs beside the others.
    pub const fn beside(name: &'static str, run: Handler) -> Self {
        Self { name, run, has_own_lane: true }
    }
}

/// Takes the jobs of one lane one after the other until it is told to stop.
pub struct Runner {
    app: Arc<App>,
    lines: &'static [Line],
    lane: Lane,
}

impl Runner {
    /// Runners over a table of handlers, one for each lane. They work side by side.
    pub fn lanes(app: &Arc<App>, lines: &'static [Line]) -> Vec<Self> {
        lanes_of(lines).into_iter().map(|lane| Self { app: app.clone(), lines, lane }).collect()
    }

    /// Works until the future is dropped; a job in hand is then put back when its lease ends.
    pub async fn work(self) {
        let mut wake = self.app.jobs_wake();
        loop {
            match run_lane(&self.app, self.lines, &self.lane).await {
                Ok(0) => {
                    // A commit wakes us; the second is for jobs that a command queued in another process.
                    let _ = tokio::time::timeout(seconds(1), wake.changed()).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "The job queue could not be read; trying again in five seconds.");
                    tokio::time::sleep(seconds(5)).await;
                }
            }
        }
    }
}

fn lanes_of(lines: &[Line]) -> Vec<Lane> {
    let own: Vec<&str> = lines.iter().filter(|line| line.has_own_lane).map(|line| line.name).collect();
    let mut lanes: Vec<Lane> = own.iter().map(|name| Lane::new(&[name])).collect();
    lanes.push(Lane::all_but(&own));
    lanes
}

/// Runs every job that is due now, lane by lane; answers how many ran.
///
/// # Errors
/// [`Error`] when the queue cannot be read or an outcome cannot be noted.
pub async fn run_due(app: &Arc<App>, lines: &'static [Line]) -> Result<usize, Error> {
    let mut ran = 0;
    for lane in lanes_of(lines) {
        ran += run_lane(app, lines, &lane).await?;
    }
    Ok(ran)
}

async fn run_lane(app: &Arc<App>, lines: &'static [Line], lane: &Lane) -> Result<usize, Error> {
    let mut ran = 0;
    // Looking before locking: an idle appliance must not take the write lock every second.
    if !app.query_inline(|view| store::is_due(view, lane))? {
        return Ok(0);
    }
    loop {
        let asked = lane.clone();
        let Some(job) = app.write(move |tx| ops::claim(tx, &asked)).await? else { return Ok(ran) };
        run_one(app, lines, job).await?;
        ran += 1;
    }
}

/// Runs a handler to its end. One that panics is tried again: a fault in one job must not stop the others, for ever.
async fn run_to_end(mut running: Pin<Box<dyn Future<Output = Outcome> + Send>>) -> Outcome {
    std::future::poll_fn(|context| {
        // The handler owns what it holds, and what it wrote in a transaction is committed or rolled back there.
        catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Outcome::Again("the job panicked".into())))
    })
    .await
}

async fn run_one(app: &Arc<App>, lines: &'static [Line], job: Claimed) -> Result<(), Error> {
    let outcome = match lines.iter().find(|line| line.name == job.name) {
        Some(line) => run_to_end((line.run)(app.clone(), job.payload.clone())).await,
        None => Outcome::GiveUp(format!("this program has no job named {}", job.name)),
    };
    match &outcome {
        Outcome::Done => tracing::debug!(job = %job.id, name = %job.name, "A job is done."),
        Outcome::Again(why) => tracing::warn!(job = %job.id, name = %job.name, why, "A job will be tried again."),
        Outcome::GiveUp(why) => tracing::error!(job = %job.id, name = %job.name, why, "A job was given up."),
    }
    app.write(move |tx| ops::finish(tx, job.id, job.attempts, &outcome)).await
}
