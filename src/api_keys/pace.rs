//! How fast is too fast: the generic cell rate algorithm (ITU-T I.371, annex A), one number per key.
//!
//! The number is the moment at which all that was let in would be used up at an even pace. A request moves it on by one
//! step; one that would move it further than a minute ahead is refused, and moves nothing.

use crate::base::Timestamp;

use super::model::Pace;

/// The window of every rate.
pub(super) const WINDOW_SECONDS: u32 = 60;
const MICROS: i64 = 1_000_000;

/// Lets one request in, or says how many seconds the next one has to wait. `until` is kept by the caller; zero at first.
pub(super) fn take(until: &mut i64, now: Timestamp, quota: u32) -> Result<Pace, u32> {
    let now = now.millis().saturating_mul(1000);
    let step = i64::from(WINDOW_SECONDS) * MICROS / i64::from(quota.max(1));
    let window = step * i64::from(quota.max(1));
    // What lies more than a window ahead was written before the clock was set back.
    let begin = if *until > now + window { now } else { (*until).max(now) };
    let next = begin + step;
    if next - now > window {
        return Err(seconds_up(next - window - now).max(1));
    }
    *until = next;
    let remaining = u32::try_from((window - (next - now)) / step).unwrap_or(0);
    Ok(Pace { quota, remaining, reset_seconds: seconds_up(next - now) })
}

/// Takes one request back that was let in.
pub(super) fn give_back(until: &mut i64, quota: u32) {
    *until -= i64::from(WINDOW_SECONDS) * MICROS / i64::from(quota.max(1));
}

fn seconds_up(micros: i64) -> u32 {
    u32::try_from((micros + MICROS - 1).div_euclid(MICROS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seconds;

    #[test]
    fn a_minute_lets_in_as_many_as_it_says_and_no_more() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        for quota in [1, 3, 60, 1000, 7] {
            let mut until = 0;
            let let_in = (0..quota + 5).filter(|_| take(&mut until, start, quota).is_ok()).count();
            assert_eq!(let_in, quota as usize, "{quota} at once");

            let mut now = start;
            let mut slow = 0;
            let even = 60_000 / i64::from(quota) + 1;
            for _ in 0..quota * 3 {
                assert!(take(&mut slow, now, quota).is_ok(), "{quota} evenly");
                now = Timestamp::from_millis(now.millis() + even);
            }
        }
    }

    #[test]
    fn what_is_refused_burns_nothing_and_the_wait_is_true() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        let mut until = 0;
        assert_eq!(take(&mut until, start, 2), Ok(Pace { quota: 2, remaining: 1, reset_seconds: 30 }));
        assert_eq!(take(&mut until, start, 2), Ok(Pace { quota: 2, remaining: 0, reset_seconds: 60 }));

        let before = until;
        for _ in 0..100 {
            assert_eq!(take(&mut until, start, 2), Err(30));
        }
        assert_eq!(until, before);
        give_back(&mut until, 2);
        assert_eq!(take(&mut until, start, 2), Ok(Pace { quota: 2, remaining: 0, reset_seconds: 60 }));
        assert_eq!(take(&mut until, start.plus(seconds(29)), 2), Err(1));
        assert!(take(&mut until, start.plus(seconds(30)), 2).is_ok());
        assert!(take(&mut until, start.plus(seconds(30)), 2).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        let mut until = 0;
        assert!(take(&mut until, start, 10).is_ok());

        assert!(take(&mut until, start.minus(seconds(86_400)), 10).is_ok());
    }
}
