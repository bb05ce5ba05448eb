//! Drills and copies of the keyring: what is known about them, and what is due.

use std::time::Duration;

use crate::base::{Timestamp, days};

/// How long after a good drill the next one is due.
const DRILL_EVERY: Duration = days(7);
/// How long after a failed drill the next one is due, and after the installation the first one.
const DRILL_AGAIN: Duration = days(1);
/// How old the last good drill may be.
const DRILL_AGE_MAX: Duration = days(21);
/// Characters of the longest stored result.
const RESULT_MAX: usize = 2000;
/// Characters of the longest reason.
pub(super) const REASON_MAX: usize = 500;

/// A restore drill that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    #[allow(missing_docs)]
    pub finished_at: Timestamp,
    /// When the snapshot was made. `None`: it could not be read.
    pub snapshot_made_at: Option<Timestamp>,
    /// Whether the snapshot could be restored and used.
    pub is_good: bool,
    /// One sentence for operators.
    pub result: String,
    #[allow(missing_docs)]
    pub duration: Duration,
}

impl Drill {
    /// Shortens the result to what can be stored.
    pub(super) fn shortened(mut self) -> Self {
        self.result = self.result.chars().take(RESULT_MAX).collect();
        self
    }
}

/// What is known about drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillState {
    /// `None`: none was made.
    pub last: Option<Drill>,
    /// When the last good one finished. `None`: none was good.
    pub last_good: Option<Timestamp>,
    /// When the appliance was installed.
    pub installed_at: Timestamp,
}

impl DrillState {
    /// Whether a drill should be made now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let due = match &self.last {
            None => self.installed_at.plus(DRILL_AGAIN),
            Some(last) if last.is_good => last.finished_at.plus(DRILL_EVERY),
            Some(last) => last.finished_at.plus(DRILL_AGAIN),
        };
        due <= now
    }

    /// Why an operator has to act, in one sentence. `None`: all is well, or the appliance is new.
    pub fn fault(&self, now: Timestamp) -> Option<String> {
        if let Some(failed) = self.last.as_ref().filter(|last| !last.is_good) {
            let day = failed.finished_at.day();
            return Some(format!("The restore drill of {day} failed: {} Then run: domicile drill", failed.result));
        }
        let since = self.last_good.unwrap_or(self.installed_at);
        (since.plus(DRILL_AGE_MAX) < now)
            .then(|| format!("No restore drill has succeeded since {}. Run: domicile drill", since.day()))
    }
}

/// Whether the keyring, as it is now, was copied to a safe place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Escrow {
    /// A copy was made then.
    Exported(Timestamp),
    /// An operator decided then to make none.
    Waived(Timestamp, String),
    /// No copy was made since the keyring was created or last changed.
    Due,
}

/// What operators hear until the keyring was copied.
pub const ESCROW_REMINDER: &str = "The keyring has not been exported since it was created or last changed. Without it, no \
    backup can be read. Run: domicile keyring export --to age1…";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u64) -> Timestamp {
        Timestamp::from_millis(1_777_766_400_000).plus(days(day))
    }

    fn state(last: Option<(u64, bool)>, last_good: Option<u64>) -> DrillState {
        let drill = |(day, is_good)| Drill {
            finished_at: at(day),
            snapshot_made_at: None,
            is_good,
            result: "The snapshot is damaged.".into(),
            duration: days(0),
        };
        DrillState { last: last.map(drill), last_good: last_good.map(at), installed_at: at(0) }
    }

    #[test]
    fn a_drill_is_due_a_day_after_the_installation_or_a_failure_and_a_week_after_a_good_one() {
        let due_on = |state: DrillState| (0..40).find(|day| state.is_due(at(*day)));

        assert_eq!(due_on(state(None, None)), Some(1));
        assert_eq!(due_on(state(Some((10, true)), Some(10))), Some(17));
        assert_eq!(due_on(state(Some((10, false)), Some(3))), Some(11));
    }

    #[test]
    fn operators_hear_of_a_failed_drill_at_once_and_of_a_missing_one_after_three_weeks() {
        let heard_on = |state: DrillState| (0..60).find(|day| state.fault(at(*day)).is_some());

        assert_eq!(heard_on(state(None, None)), Some(22));
        assert_eq!(heard_on(state(Some((10, true)), Some(10))), Some(32));
        assert_eq!(heard_on(state(Some((10, false)), Some(9))), Some(0));
        let sentence = state(Some((10, false)), None).fault(at(11)).unwrap();
        assert_eq!(
            sentence,
            "The restore drill of 13 May 2026 failed: The snapshot is damaged. Then run: domicile drill"
        );
    }
}
