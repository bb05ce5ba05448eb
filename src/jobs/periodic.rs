//! Runs periodic work directly. It leaves no row in the queue: an idle appliance commits nothing, and the queue holds
//! what people caused. The work is idempotent and looks for everything that is due, so the next run also does what a run
//! missed, whatever the reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::model::{ATTEMPTS_MAX, Outcome, backoff};
use super::runner::{JobHandler, report, run_to_end};
use crate::app::App;

/// The periodic work of one handler.
pub struct Periodic {
    handler: JobHandler,
    is_running: AtomicBool,
}

impl Periodic {
    /// Periodic work that this handler does.
    pub const fn new(handler: JobHandler) -> Self {
        Self { handler, is_running: AtomicBool::new(false) }
    }

    /// Runs the work once, unless it is running already. A panic counts as a failure.
    pub async fn run_once(&self, app: &Arc<App>) -> Option<Outcome> {
        if self.is_running.swap(true, Ordering::SeqCst) {
            return None;
        }
        let _running = Running(&self.is_running);
        Some(self.attempt(app).await)
    }

    /// Runs the work until it succeeds or fails permanently, with a growing wait between the attempts. Does nothing while
    /// an earlier call still tries.
    pub async fn run(&self, app: &Arc<App>) {
        self.run_with(app, async |pause| tokio::time::sleep(pause).await).await;
    }

    /// As [`Periodic::run`], with another way to wait.
    pub async fn run_with(&self, app: &Arc<App>, wait: impl AsyncFn(Duration)) {
        if self.is_running.swap(true, Ordering::SeqCst) {
            return;
        }
        let _running = Running(&self.is_running);
        for attempt in 1..=ATTEMPTS_MAX {
            match self.attempt(app).await {
                Outcome::Again(_) if attempt < ATTEMPTS_MAX => wait(backoff(attempt)).await,
                _ => return,
            }
        }
    }

    async fn attempt(&self, app: &Arc<App>) -> Outcome {
        let outcome = run_to_end((self.handler.run)(app.clone(), Value::Null)).await;
        report(app, self.handler.name, &outcome);
        outcome
    }
}

/// The end of a run, also when its future is dropped.
struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
