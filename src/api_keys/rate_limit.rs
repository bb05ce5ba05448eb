//! A rate limiter for one key or network: the generic cell rate algorithm (GCRA; ITU-T I.371, annex A).
//!
//! The state is one number, the theoretical arrival time: the moment at which all admitted requests would be used up at
//! an even rate. Each admitted request moves it forward by one step. A request that would move it more than one minute
//! into the future is refused and changes nothing.

use crate::base::Timestamp;

use super::model::RateLimit;

/// Length of the window of every rate limit, in seconds.
pub(super) const WINDOW_SECONDS: u32 = 60;
const MICROS: i64 = 1_000_000;

/// Limits the requests of one key or network. The default is an unused limiter, with its whole quota available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RateLimiter {
    /// The theoretical arrival time, in microseconds since 1970.
    arrival_micros: i64,
}

impl RateLimiter {
    /// Admits one request, or returns the seconds (at least 1) until the next request will be admitted. `quota`:
    /// requests a minute.
    pub(super) fn admit(&mut self, now: Timestamp, quota: u32) -> Result<RateLimit, u32> {
        let now = micros(now);
        let step = i64::from(WINDOW_SECONDS) * MICROS / i64::from(quota.max(1));
        let window = step * i64::from(quota.max(1));
        // A time more than one window ahead was written before the clock was set back.
        let begin = if self.arrival_micros > now + window { now } else { self.arrival_micros.max(now) };
        let next = begin + step;
        if next - now > window {
            return Err(seconds_up(next - window - now).max(1));
        }
        self.arrival_micros = next;
        let remaining = u32::try_from((window - (next - now)) / step).unwrap_or(0);
        Ok(RateLimit { quota, remaining, reset_seconds: seconds_up(next - now) })
    }

    /// Gives one admitted request back.
    pub(super) fn refund(&mut self, quota: u32) {
        self.arrival_micros -= i64::from(WINDOW_SECONDS) * MICROS / i64::from(quota.max(1));
    }

    /// Whether the whole quota is available again, so that this limiter need not be kept.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.arrival_micros <= micros(now)
    }
}

fn micros(moment: Timestamp) -> i64 {
    moment.millis().saturating_mul(1000)
}

fn seconds_up(micros: i64) -> u32 {
    u32::try_from((micros + MICROS - 1).div_euclid(MICROS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seconds;

    #[test]
    fn a_minute_admits_exactly_the_quota() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        for quota in [1, 3, 60, 1000, 7] {
            let mut limiter = RateLimiter::default();
            let admitted = (0..quota + 5).filter(|_| limiter.admit(start, quota).is_ok()).count();
            assert_eq!(admitted, quota as usize, "{quota} at once");

            let mut now = start;
            let mut slow = RateLimiter::default();
            let even = 60_000 / i64::from(quota) + 1;
            for _ in 0..quota * 3 {
                assert!(slow.admit(now, quota).is_ok(), "{quota} evenly");
                now = Timestamp::from_millis(now.millis() + even);
            }
        }
    }

    #[test]
    fn a_refused_request_costs_nothing_and_the_wait_is_correct() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        let mut limiter = RateLimiter::default();
        let status = |remaining, reset_seconds| Ok(RateLimit { quota: 2, remaining, reset_seconds });
        assert_eq!(limiter.admit(start, 2), status(1, 30));
        assert_eq!(limiter.admit(start, 2), status(0, 60));

        let before = limiter;
        for _ in 0..100 {
            assert_eq!(limiter.admit(start, 2), Err(30));
        }
        assert_eq!(limiter, before);
        limiter.refund(2);
        assert_eq!(limiter.admit(start, 2), status(0, 60));
        assert_eq!(limiter.admit(start.plus(seconds(29)), 2), Err(1));
        assert!(limiter.admit(start.plus(seconds(30)), 2).is_ok());
        assert!(limiter.admit(start.plus(seconds(30)), 2).is_err());
    }

    #[test]
    fn setting_the_clock_back_does_not_block_requests() {
        let start = Timestamp::from_millis(1_777_000_000_000);
        let mut limiter = RateLimiter::default();
        assert!(limiter.admit(start, 10).is_ok());

        assert!(limiter.admit(start.minus(seconds(86_400)), 10).is_ok());
    }
}
