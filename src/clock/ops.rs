//! Records a step of the clock, and moves all ends and due times with it.

use std::time::Duration;

use serde_json::json;

use super::model::{Start, after_step, at_start};
use super::store;
use crate::audit::{self, Event, SiteEvent};
use crate::base::{Actor, ClockStep, Timestamp, seconds};
use crate::db::{self, ClockRecord, Error, Tx};
use crate::{factors, tokens};

/// A step back up to this much prolongs the life of an access token by no more than what is allowed for different clocks.
const TOKEN_SLACK: Duration = seconds(60);

/// Records a step. After a step back, all ends and due times move back by as much, so that nothing lives or waits
/// longer. `now`: the time after the step.
///
/// # Errors
/// [`Error`].
// No permission: the machine's clock was set by somebody who may do everything on it.
pub fn record_step(tx: &mut Tx<'_>, step: ClockStep, now: Timestamp, uptime: Duration) -> Result<(), Error> {
    let record = db::find_clock(tx)?;
    let (mut next, shift) = after_step(&record, step, now);
    next.uptime = uptime;
    let mut moved = 0;
    if let Some(shift) = shift {
        moved = store::shift_all(tx, &shift)?;
        if shift.by > TOKEN_SLACK {
            next.token_seq = tokens::next_number(tx)?;
        }
    }
    factors::follow_clock(tx, step, now)?;
    db::update_clock(tx, &next)?;
    if !step.is_notable() {
        return Ok(());
    }
    let data = json!({"seconds": step.millis() / 1000, "time": now.rfc3339(), "rows": moved});
    audit::record(tx, &Actor::System, Event::new(SiteEvent::ClockStepped).data(data))
}

/// Compares the clock with the last change before this start, and records a step. Returns the record if the time since
/// then has no explanation, or if there was a step.
///
/// # Errors
/// [`Error`].
// No permission: as for `record_step`.
pub fn record_start(tx: &mut Tx<'_>, uptime: Duration) -> Result<Option<ClockRecord>, Error> {
    let (record, now) = (db::find_clock(tx)?, tx.now());
    match at_start(&record, now, uptime) {
        Start::Usual => return Ok(None),
        Start::Step(step) => record_step(tx, step, now, uptime)?,
        Start::Unexplained(by) => {
            // No event: most likely the appliance was stopped for a night, and nothing needs an operator.
            let (next, _) = after_step(&record, ClockStep::Forward(by), now);
            db::update_clock(tx, &ClockRecord { step: record.step, uptime, ..next })?;
        }
    }
    db::find_clock(tx).map(Some)
}

/// Records that an operator has checked the clock: deletions are allowed again, and nothing is reported. Returns
/// whether there was something to confirm.
///
/// # Errors
/// [`Error`].
// No permission: only the command line calls it.
pub fn confirm_step(tx: &mut Tx<'_>, actor: &Actor) -> Result<bool, Error> {
    let record = db::find_clock(tx)?;
    let confirmed = ClockRecord { step: None, ahead: None, grace_until: None, ..record };
    if record == confirmed {
        return Ok(false);
    }
    db::update_clock(tx, &confirmed)?;
    audit::record(tx, actor, Event::new(SiteEvent::ClockConfirmed).data(json!({"time": tx.now().rfc3339()})))?;
    Ok(true)
}
