//! What a step of the clock means for the ends and due times that are stored, and until when nothing is deleted.

use std::time::Duration;

use crate::base::{ClockStep, Timestamp, days, hours};
use crate::db::ClockRecord;

/// How long nothing is deleted after a step forward of more than [`GRACE_MIN`] (safety 5.3, row 22). Within this time
/// somebody can notice that the clock is wrong, and set it back.
pub const GRACE: Duration = hours(24);
/// A step forward up to this much deletes nothing that would not be deleted within the hour anyway.
const GRACE_MIN: Duration = hours(1);
/// How long the readiness probe reports a step up to [`GRACE_MIN`]. A longer one is reported for [`GRACE`].
const REPORTED: Duration = hours(1);
/// A start that is later than the last change by more than this is reported although the machine was restarted: it was
/// off for longer than most machines ever are, or its clock is wrong.
const STOPPED_MAX: Duration = days(7);

/// The times that a step back moves: by how much, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub by: Duration,
    /// Ages from this time on.
    pub ages_from: Timestamp,
    /// Ends from this time on.
    pub ends_from: Timestamp,
}

/// When deletions are allowed again. `None`: they are allowed.
pub fn grace_end(record: &ClockRecord, now: Timestamp) -> Option<Timestamp> {
    record.grace_end(now)
}

/// The sentence of the readiness probe about the last step. `None`: there is nothing to report (any more).
pub(super) fn fault(record: &ClockRecord, now: Timestamp) -> Option<String> {
    let (step, at) = record.step?;
    let (ClockStep::Forward(by) | ClockStep::Back(by)) = step;
    let reported = if by > GRACE_MIN { GRACE } else { REPORTED };
    if now >= at.plus(reported) {
        return None;
    }
    let direction = if matches!(step, ClockStep::Back(_)) { "back" } else { "forward" };
    let until = grace_end(record, now).map(|end| format!("Nothing is deleted before {}. ", end.day_and_time()));
    Some(format!(
        "The clock was set {direction} by {} on {}. {}Check it with \"date\", then run \"domicile clock confirm\".",
        in_words(by),
        at.day_and_time(),
        until.unwrap_or_default(),
    ))
}

/// A duration in words, rounded down: `90 seconds`, `10 minutes`, `5 hours`, `365 days`.
pub(super) fn in_words(by: Duration) -> String {
    let seconds = by.as_secs();
    let (count, unit) = match seconds {
        0..300 => (seconds, "second"),
        300..10_800 => (seconds / 60, "minute"),
        10_800..259_200 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The record after a step, and the times that move. `now`: the time after the step.
pub(super) fn after_step(record: &ClockRecord, step: ClockStep, now: Timestamp) -> (ClockRecord, Option<Move>) {
    let mut next = ClockRecord { seen_at: now, ..*record };
    if step.is_notable() {
        next.step = Some((step, now));
    }
    match step {
        ClockStep::Forward(by) => {
            let (ahead, since) = match record.ahead {
                // It is set forward in several steps.
                Some((before, since)) if now < since.plus(by).plus(GRACE) => (before + by, since),
                _ => (by, now),
            };
            next.ahead = Some((ahead, since));
            if ahead > GRACE_MIN {
                next.grace_until = Some(now.plus(GRACE));
            }
            (next, None)
        }
        ClockStep::Back(by) => {
            let mut shift = Move { by, ages_from: Timestamp::from_millis(i64::MIN), ends_from: now };
            match record.ahead {
                // It takes a step forward back: what was written before that step was right and stays.
                Some((ahead, since)) if is_return(by, ahead) => {
                    shift.ages_from = since;
                    shift.ends_from = now.max(since);
                    (next.ahead, next.grace_until) = (None, None);
                }
                Some((ahead, since)) => {
                    next.ahead = Some((ahead.saturating_sub(by), since.minus(by)));
                    next.grace_until = record.grace_until.map(|end| end.minus(by));
                }
                None => {}
            }
            (next, Some(shift))
        }
    }
}

/// Whether a step back takes a step forward back, all but a tenth.
fn is_return(back: Duration, ahead: Duration) -> bool {
    ahead > GRACE_MIN && back >= ahead - ahead / 10
}

/// What a start finds out about the clock from the last change that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing: as much time has passed as the machine was running, or not much more.
    Usual,
    /// The clock was set.
    Step(ClockStep),
    /// It was stopped for this long, or its clock was set forward: nobody knows.
    Unexplained(Duration),
}

/// Compares the time of a start with the last change. The uptime explains the time since then if the machine was not
/// restarted.
pub(super) fn at_start(record: &ClockRecord, now: Timestamp, uptime: Duration) -> Start {
    if record.seen_at.millis() == 0 {
        return Start::Usual;
    }
    if now < record.seen_at {
        return Start::Step(ClockStep::Back(record.seen_at.since(now)));
    }
    let is_same_boot = uptime >= record.uptime;
    let explained = if is_same_boot { uptime - record.uptime } else { uptime };
    let rest = now.since(record.seen_at).saturating_sub(explained);
    let step = ClockStep::Forward(rest);
    if (is_same_boot && step.is_notable()) || rest > STOPPED_MAX {
        Start::Step(step)
    } else if rest > GRACE_MIN {
        Start::Unexplained(rest)
    } else {
        Start::Usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{minutes, seconds};

    const NOW: Timestamp = Timestamp::from_millis(1_777_000_000_000);

    fn record() -> ClockRecord {
        ClockRecord { seen_at: NOW, uptime: days(3), step: None, ahead: None, grace_until: None, token_seq: 0 }
    }

    #[test]
    fn a_long_step_forward_forbids_deletions_for_a_day() {
        let later = NOW.plus(days(365));
        let (ahead, none) = after_step(&record(), ClockStep::Forward(days(365)), later);

        assert_eq!(none, None);
        assert_eq!(grace_end(&ahead, later), Some(later.plus(GRACE)));
        assert_eq!(grace_end(&ahead, later.plus(GRACE)), None);
        let (short, _) = after_step(&record(), ClockStep::Forward(minutes(50)), NOW.plus(minutes(50)));
        assert_eq!(grace_end(&short, NOW.plus(minutes(50))), None);
        let (again, _) = after_step(&short, ClockStep::Forward(minutes(50)), NOW.plus(minutes(100)));
        assert!(grace_end(&again, NOW.plus(minutes(100))).is_some(), "two short steps are a long one");
    }

    #[test]
    fn a_step_that_is_taken_back_ends_the_grace_and_leaves_what_was_right() {
        let since = NOW.plus(days(365));
        let (ahead, _) = after_step(&record(), ClockStep::Forward(days(365)), since);
        let now = NOW.plus(minutes(5));

        let (back, moves) = after_step(&ahead, ClockStep::Back(days(365)), now);

        assert_eq!(moves, Some(Move { by: days(365), ages_from: since, ends_from: since }));
        assert_eq!((back.ahead, grace_end(&back, now)), (None, None));
    }

    #[test]
    fn a_step_back_by_itself_moves_everything() {
        let (next, moves) = after_step(&record(), ClockStep::Back(minutes(10)), NOW);

        let all = Timestamp::from_millis(i64::MIN);
        assert_eq!(moves, Some(Move { by: minutes(10), ages_from: all, ends_from: NOW }));
        assert_eq!(next.step, Some((ClockStep::Back(minutes(10)), NOW)));
        assert_eq!(after_step(&record(), ClockStep::Back(seconds(30)), NOW).0.step, None);
    }

    #[test]
    fn a_start_knows_a_step_from_a_pause_by_the_uptime() {
        let start = |after: Duration, uptime: Duration| at_start(&record(), NOW.plus(after), uptime);

        assert_eq!(start(days(30), days(33)), Start::Usual);
        assert_eq!(start(days(30), days(3)), Start::Step(ClockStep::Forward(days(30))));
        assert_eq!(start(minutes(10), days(3)), Start::Step(ClockStep::Forward(minutes(10))));
        assert_eq!(start(seconds(50), days(3)), Start::Usual);
        assert_eq!(start(minutes(50), seconds(20)), Start::Usual);
        assert_eq!(start(days(2), hours(1)), Start::Unexplained(days(2) - hours(1)));
        assert_eq!(start(days(365), seconds(20)), Start::Step(ClockStep::Forward(days(365) - seconds(20))));
        assert_eq!(at_start(&record(), NOW.minus(hours(1)), days(3)), Start::Step(ClockStep::Back(hours(1))));
        let never = ClockRecord { seen_at: Timestamp::from_millis(0), ..record() };
        assert_eq!(at_start(&never, NOW, days(3)), Start::Usual);
    }

    #[test]
    fn a_fault_names_the_step_and_ends_after_an_hour_or_a_day() {
        let (back, _) = after_step(&record(), ClockStep::Back(seconds(90)), NOW);

        assert_eq!(
            fault(&back, NOW).unwrap(),
            "The clock was set back by 90 seconds on 24 April 2026, 03:06 UTC. Check it with \"date\", then run \
             \"domicile clock confirm\"."
        );
        assert_eq!(fault(&back, NOW.plus(hours(1))), None);
        let (forward, _) = after_step(&record(), ClockStep::Forward(days(365)), NOW);
        assert!(fault(&forward, NOW.plus(hours(23))).unwrap().contains("Nothing is deleted before 25 April 2026"));
        assert_eq!(fault(&forward, NOW.plus(hours(24))), None);
    }
}
