//! Follows the clock of the machine while the server runs, and compares it at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::model::{self, grace_end};
use super::ops;
use crate::app::App;
use crate::base::{Actor, ClockStep};
use crate::db::{self, Error};

/// The name of the fault in the readiness probe.
const FAULT: &str = "clock";

/// Compares the clock with the last change that the database knows. The server calls this before it serves anything.
///
/// # Errors
/// [`Error`].
pub fn begin(app: &Arc<App>) -> Result<(), Error> {
    let uptime = app.store().clock().uptime();
    let record = app.store().write_blocking(move |tx| ops::record_start(tx, uptime))?;
    if let Some(record) = record
        && let Some(end) = grace_end(&record, app.now())
    {
        tracing::warn!(
            until = end.rfc3339(),
            "The appliance was stopped for a long time, or the clock was set forward. Nothing is deleted before then. If \
             the clock is right, run \"domicile clock confirm\"."
        );
    }
    report(app)
}

/// Handles a step of the clock, if there was one. Returns whether there was one. The server calls it every second.
///
/// # Errors
/// [`Error`]: the step was not recorded. The appliance continues its own time, and the next call tries again.
pub async fn follow(app: &Arc<App>) -> Result<bool, Error> {
    let clock = app.store().clock().clone();
    let Some(step) = clock.step() else { return report(app).map(|()| false) };
    let uptime = clock.uptime();
    let is_accepted = Arc::new(AtomicBool::new(false));
    let (accepting, has_accepted) = (clock.clone(), is_accepted.clone());
    let recorded = app
        .write(move |tx| {
            // A step forward is in `now` already, and a step back is not before it is accepted.
            let now = match step {
                ClockStep::Forward(_) => tx.now(),
                ClockStep::Back(by) => tx.now().minus(by),
            };
            ops::record_step(tx, step, now, uptime)?;
            // Before the next work of this commit, which must see the time after the step.
            accepting.accept(step);
            has_accepted.store(true, Ordering::SeqCst);
            Ok::<(), Error>(())
        })
        .await;
    if let Err(error) = recorded {
        if is_accepted.load(Ordering::SeqCst) {
            clock.refuse(step);
        }
        return Err(error);
    }
    report(app).map(|()| true)
}

/// Tells the readiness probe and the log about the last step, until it is confirmed or old.
///
/// # Errors
/// [`Error`].
pub fn report(app: &App) -> Result<(), Error> {
    let record = app.query_inline(db::find_clock)?;
    match model::fault(&record, app.now()) {
        Some(sentence) => {
            if app.readiness().set_fault(FAULT, sentence.clone()) {
                tracing::warn!("{sentence}");
            }
        }
        None => {
            app.readiness().clear_fault(FAULT);
        }
    }
    Ok(())
}

/// Whether periodic work may delete and end things now. Not after a step forward that nobody confirmed yet.
///
/// # Errors
/// [`Error`].
pub fn is_deletion_allowed(app: &App) -> Result<bool, Error> {
    // The view asks the clock first: a step that is accepted in between is in the record.
    app.query_inline(db::is_clock_right)
}

/// Confirms that the clock is right; see [`ops::confirm_step`].
///
/// # Errors
/// [`Error`].
pub fn confirm(app: &App) -> Result<bool, Error> {
    app.store().write_blocking(|tx| ops::confirm_step(tx, &Actor::Operator))
}
