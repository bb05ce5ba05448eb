//! Whether the clock of the machine is right.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::base::{Timestamp, seconds};

/// How far the clock may be from the one of another machine. An HTTP date has whole seconds, and codes from an app are
/// valid for half a minute.
const APART_MAX: Duration = seconds(60);

/// What is to be said about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// The system synchronizes it.
    Synchronized,
    /// It agrees with the other clock; the system does not say whether it synchronizes it.
    Agrees,
    /// The system does not synchronize it, or has not yet.
    NotSynchronized,
    /// It differs from the other clock by so many seconds.
    Apart(u64),
    /// There is nothing to compare it with.
    Unknown,
}

/// Judges the clock by another one that was read at the same moment, and by what the system says.
pub fn judge_clock(now: Timestamp, other: Option<Timestamp>, is_synchronized: Option<bool>) -> ClockVerdict {
    let apart = other.map(|other| now.since(other).max(other.since(now)));
    match (apart, is_synchronized) {
        (Some(apart), _) if apart > APART_MAX => ClockVerdict::Apart(apart.as_secs()),
        (_, Some(true)) => ClockVerdict::Synchronized,
        (_, Some(false)) => ClockVerdict::NotSynchronized,
        (Some(_), None) => ClockVerdict::Agrees,
        (None, None) => ClockVerdict::Unknown,
    }
}

/// Whether the system keeps the clock right. `None`: it does not say.
pub fn is_clock_synchronized() -> Option<bool> {
    let show = ["show", "--property=NTPSynchronized", "--value"];
    let output = Command::new("timedatectl").args(show).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_more_than_a_minute_counts_before_what_the_system_says() {
        let now = Timestamp::from_millis(1_777_798_800_000);
        let (earlier, later) = (now.minus(seconds(61)), now.plus(seconds(3_600)));

        assert_eq!(judge_clock(now, Some(earlier), Some(true)), ClockVerdict::Apart(61));
        assert_eq!(judge_clock(now, Some(later), None), ClockVerdict::Apart(3_600));
        assert_eq!(judge_clock(now, Some(now.plus(seconds(60))), Some(true)), ClockVerdict::Synchronized);
        assert_eq!(judge_clock(now, Some(now), Some(false)), ClockVerdict::NotSynchronized);
        assert_eq!(judge_clock(now, Some(now), None), ClockVerdict::Agrees);
        assert_eq!(judge_clock(now, None, Some(true)), ClockVerdict::Synchronized);
        assert_eq!(judge_clock(now, None, None), ClockVerdict::Unknown);
    }
}
