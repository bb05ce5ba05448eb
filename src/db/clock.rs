//! What the database knows about the clock of the machine (migration `clock`).

use std::time::Duration;

use rusqlite::named_params;

use super::{Error, Tx, View, by_name};
use crate::base::{ClockStep, Timestamp};

/// How old `seen_at` may be: one more statement a minute.
pub(super) const NOTED_EVERY: Duration = Duration::from_secs(60);

const FIND: &str = "
    select seen_at, uptime, stepped_at, stepped_by, ahead, ahead_since, grace_until, token_seq from clock where id = 1";
const UPDATE: &str = "
    update clock
    set seen_at = :seen_at, uptime = :uptime, stepped_at = :stepped_at, stepped_by = :stepped_by, ahead = :ahead,
        ahead_since = :ahead_since, grace_until = :grace_until, token_seq = :token_seq
    where id = 1";
pub(super) const UPDATE_SEEN: &str = "
    update clock set seen_at = :seen_at, uptime = :uptime where id = 1 and seen_at < :seen_at";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, UPDATE, UPDATE_SEEN];

/// What is known about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRecord {
    /// The latest time of a change, to the minute. 1970: there was none.
    pub seen_at: Timestamp,
    /// The uptime of the machine at `seen_at`.
    pub uptime: Duration,
    /// The last step that an operator should know, and the time after it. `None`: there is none, or it is confirmed.
    pub step: Option<(ClockStep, Timestamp)>,
    /// By how much the clock was set forward, and the first time after that. `None`: it was not, or it is confirmed.
    pub ahead: Option<(Duration, Timestamp)>,
    /// Nothing is deleted before this time. `None`: the clock was not set far forward, or it is confirmed.
    pub grace_until: Option<Timestamp>,
    /// The number in the feed of revocations when the clock was last set back. Tokens with a lower one are older.
    pub token_seq: i64,
}

impl ClockRecord {
    /// Whether the last change is more than an hour after `now`: then the clock of the machine is wrong, or it was.
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        now.plus(Duration::from_secs(3600)) < self.seen_at
    }

    /// When things may be deleted and ended again. `None`: they may be.
    pub fn grace_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.grace_until.filter(|end| now < *end)
    }
}

/// What is known about the clock.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_clock(view: &View<'_>) -> Result<ClockRecord, Error> {
    view.one(FIND, [], |row| {
        by_name!(row, FIND => seen_at, uptime, stepped_at, stepped_by, ahead, ahead_since, grace_until, token_seq);
        let (stepped_at, ahead_since): (Option<Timestamp>, Option<Timestamp>) = (stepped_at.get()?, ahead_since.get()?);
        let stepped_by: Option<i64> = stepped_by.get()?;
        let ahead = Duration::from_millis(ahead.get::<i64>()?.unsigned_abs());
        Ok(ClockRecord {
            seen_at: seen_at.get()?,
            uptime: Duration::from_millis(uptime.get::<i64>()?.unsigned_abs()),
            step: stepped_by.map(ClockStep::from_millis).zip(stepped_at),
            ahead: ahead_since.map(|since| (ahead, since)),
            grace_until: grace_until.get()?,
            token_seq: token_seq.get()?,
        })
    })
}

/// Whether things may be deleted and ended for good now: not after a step forward of the clock that nobody confirmed yet.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn is_clock_right(view: &View<'_>) -> Result<bool, Error> {
    Ok(!view.has_clock_jumped() && find_clock(view)?.grace_end(view.now()).is_none())
}

/// Replaces what is known about the clock.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn update_clock(tx: &mut Tx<'_>, record: &ClockRecord) -> Result<(), Error> {
    let ahead = record.ahead.map_or(Duration::ZERO, |(ahead, _)| ahead);
    tx.execute(
        UPDATE,
        named_params! {
            ":seen_at": record.seen_at,
            ":uptime": millis(record.uptime),
            ":stepped_at": record.step.map(|(_, at)| at),
            ":stepped_by": record.step.map(|(step, _)| step.millis()),
            ":ahead": millis(ahead),
            ":ahead_since": record.ahead.map(|(_, since)| since),
            ":grace_until": record.grace_until,
            ":token_seq": record.token_seq,
        },
    )?;
    Ok(())
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
