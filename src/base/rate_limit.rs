//! Rate limits: the generic cell rate algorithm (GCRA; ITU-T I.371, annex A), for a bounded number of keys or networks.
//!
//! The state of a limit is one number, the theoretical arrival time: the moment at which all admitted requests would be
//! used up at an even rate. Each admitted request moves it forward by one step. A request that would move it more than
//! one minute into the future is refused and changes nothing.
//!
//! Our own 60 lines and not a crate: the best known one keeps keys without a bound, brings a clock of its own, and
//! cannot give a request back.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use super::Timestamp;

/// The length of the window of every rate limit, in seconds.
pub const WINDOW_SECONDS: u32 = 60;
const MICROS: i64 = 1_000_000;

/// The state of a rate limit, in the terms of draft-ietf-httpapi-ratelimit-headers-11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a minute.
    pub quota: u32,
    /// Requests that would be admitted now.
    pub remaining: u32,
    /// Seconds until the whole quota is available again; for a refused request, until the next one is admitted.
    pub reset_seconds: u32,
}

/// Limits the rate of requests by key or network. It has at most `MAX` of them in memory. When it is full, the oldest
/// are evicted: those whose whole quota is available again, and then those that come closest to it. So a flood of new
/// networks gives a network that has used up its quota nothing back.
pub struct RateLimiter<K, const MAX: usize, S = RandomState>(HashMap<K, Arrival, S>);

/// The theoretical arrival time, in microseconds since 1970. The default is that of an unused limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arrival(i64);

impl<K, const MAX: usize, S: Default> Default for RateLimiter<K, MAX, S> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, const MAX: usize, S: BuildHasher> RateLimiter<K, MAX, S> {
    /// Admits one request, or returns the seconds (at least 1) until the next one will be admitted. `quota`: requests a
    /// minute.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn admit(&mut self, key: K, now: Timestamp, quota: u32) -> Result<RateLimit, u32> {
        if let Some(arrival) = self.0.get_mut(&key) {
            return arrival.admit(now, quota);
        }
        if self.0.len() >= MAX {
            self.evict(now);
        }
        self.0.entry(key).or_default().admit(now, quota)
    }

    /// Gives one admitted request back.
    pub fn refund(&mut self, key: &K, quota: u32) {
        if let Some(arrival) = self.0.get_mut(key) {
            arrival.0 -= step_micros(quota);
        }
    }

    /// Makes space for at least an eighth of the maximum, so that the cost of a search through all of them is shared by
    /// as many new ones.
    fn evict(&mut self, now: Timestamp) {
        let now = micros(now);
        self.0.retain(|_, arrival| arrival.0 > now);
        let Some(excess) = self.0.len().checked_sub(MAX - MAX / 8) else { return };
        let mut arrivals: Vec<i64> = self.0.values().map(|arrival| arrival.0).collect();
        let (earlier, last, _) = arrivals.select_nth_unstable(excess);
        let last = *last;
        // Of those that arrive at the same time, no more than needed.
        let mut equals = 1 + earlier.iter().filter(|arrival| **arrival == last).count();
        self.0.retain(|_, arrival| {
            let goes = arrival.0 < last || (arrival.0 == last && equals > 0);
            equals -= usize::from(goes && arrival.0 == last);
            !goes
        });
    }
}

impl Arrival {
    fn admit(&mut self, now: Timestamp, quota: u32) -> Result<RateLimit, u32> {
        let now = micros(now);
        let step = step_micros(quota);
        let window = step * i64::from(quota.max(1));
        // A time more than one window ahead was written before the clock was set back.
        let begin = if self.0 > now + window { now } else { self.0.max(now) };
        let next = begin + step;
        if next - now > window {
            return Err(seconds_up(next - window - now).max(1));
        }
        self.0 = next;
        let remaining = u32::try_from((window - (next - now)) / step).unwrap_or(0);
        Ok(RateLimit { quota, remaining, reset_seconds: seconds_up(next - now) })
    }
}

/// The time that one request uses up.
fn step_micros(quota: u32) -> i64 {
    i64::from(WINDOW_SECONDS) * MICROS / i64::from(quota.max(1))
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

    const START: Timestamp = Timestamp::from_millis(1_777_000_000_000);

    /// A limiter of one key.
    #[derive(Default)]
    struct One(RateLimiter<(), 1>);

    impl One {
        fn admit(&mut self, now: Timestamp, quota: u32) -> Result<RateLimit, u32> {
            self.0.admit((), now, quota)
        }
    }

    #[test]
    fn a_minute_admits_exactly_the_quota() {
        for quota in [1, 3, 60, 1000, 7] {
            let mut limiter = One::default();
            let admitted = (0..quota + 5).filter(|_| limiter.admit(START, quota).is_ok()).count();
            assert_eq!(admitted, quota as usize, "{quota} at once");

            let mut now = START;
            let mut slow = One::default();
            let even = 60_000 / i64::from(quota) + 1;
            for _ in 0..quota * 3 {
                assert!(slow.admit(now, quota).is_ok(), "{quota} evenly");
                now = Timestamp::from_millis(now.millis() + even);
            }
        }
    }

    #[test]
    fn a_refused_request_costs_nothing_and_the_wait_is_correct() {
        let mut limiter = One::default();
        let status = |remaining, reset_seconds| Ok(RateLimit { quota: 2, remaining, reset_seconds });
        assert_eq!(limiter.admit(START, 2), status(1, 30));
        assert_eq!(limiter.admit(START, 2), status(0, 60));

        for _ in 0..100 {
            assert_eq!(limiter.admit(START, 2), Err(30));
        }
        limiter.0.refund(&(), 2);
        assert_eq!(limiter.admit(START, 2), status(0, 60));
        assert_eq!(limiter.admit(START.plus(seconds(29)), 2), Err(1));
        assert!(limiter.admit(START.plus(seconds(30)), 2).is_ok());
        assert!(limiter.admit(START.plus(seconds(30)), 2).is_err());
    }

    #[test]
    fn setting_the_clock_back_does_not_block_requests() {
        let mut limiter = One::default();
        assert!(limiter.admit(START, 10).is_ok());

        assert!(limiter.admit(START.minus(seconds(86_400)), 10).is_ok());
    }

    #[test]
    fn a_flood_of_other_keys_gives_no_new_quota_and_the_oldest_go_first() {
        let mut limiter = RateLimiter::<u32, 64>::default();
        while limiter.admit(0, START, 5).is_ok() {}
        assert!(limiter.admit(1, START, 5).is_ok());
        let later = START.plus(seconds(1));

        for other in 2..10_000 {
            assert!(limiter.admit(other, later, 5).is_ok());
            assert!(limiter.0.len() <= 64);
        }

        assert!(!limiter.0.contains_key(&1));
        assert!(limiter.admit(0, later, 5).is_err());
        // After a minute all of them are idle.
        assert!(limiter.admit(10_000, later.plus(seconds(61)), 5).is_ok());
        assert!((0..64).all(|other| limiter.admit(other, later.plus(seconds(61)), 5).is_ok()));
    }

    #[test]
    fn a_full_limiter_keeps_seven_eighths_even_if_all_of_them_are_the_same() {
        for older in [0, 5] {
            let mut limiter = RateLimiter::<u32, 64>::default();
            assert!((0..older).all(|other| limiter.admit(other, START.minus(seconds(1)), 1).is_ok()));
            assert!((older..64).all(|other| limiter.admit(other, START, 1).is_ok()));

            assert!(limiter.admit(64, START, 1).is_ok());

            assert_eq!(limiter.0.len(), 64 / 8 * 7, "{older} of them are older");
            assert!((0..older).all(|other| !limiter.0.contains_key(&other)));
        }
    }
}
