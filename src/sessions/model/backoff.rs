//! How long to wait after wrong proofs (safety P7, domain 5.1.9).
//!
//! Wrong tries are counted in buckets. A wrong try of one kind, such as a code, counts for every other kind of proof
//! with the same bucket, such as a password:
//!
//! | bucket | visitors that it slows down | tries in a quarter of an hour |
//! |---|---|---|
//! | name | unknown browsers that type this name, whether or not an account has it | 5 |
//! | account | unknown browsers, with any name of the account | 5 |
//! | trusted | visitors with more than a name: a browser that the person signed in with before, a session, a first factor | 5 |
//! | factor | guesses at codes, even after a new password | 5 |
//! | network | unknown browsers of one network, with any name | about 110 |
//!
//! So at most ten wrong proofs of one account are checked in any quarter of an hour, and fewer than a hundred in a
//! month (NIST SP 800-63B-4 §3.2.2), because waits go on doubling up to a day. While attackers fill the bucket of the
//! account, its person signs in at the first try with a known browser, and a link to set a new password makes any
//! browser known. No bucket is closed for ever.

use std::time::Duration;

use crate::base::{AccountId, Network, days, hours, minutes, seconds};

/// The longest wait.
pub(in crate::sessions) const BACKOFF_MAX: Duration = days(1);

/// How long to wait before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// At least 1.
    pub wait_seconds: u32,
}

impl RetryAfter {
    pub(in crate::sessions) fn from_wait(wait: Duration) -> Self {
        Self { wait_seconds: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
    }

    /// The wait rounded up, such as `45 seconds` or `3 hours`.
    pub fn in_words(self) -> String {
        let (count, unit) = match self.wait_seconds {
            0..120 => (self.wait_seconds, "second"),
            seconds @ 120..7200 => (seconds.div_ceil(60), "minute"),
            seconds => (seconds.div_ceil(3600), "hour"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// A place where tries are counted. Its key goes into the stored digest, so the texts below never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sessions) struct Bucket(String);

impl Bucket {
    /// `folded`: trimmed and in lower case.
    pub fn name(folded: &str) -> Self {
        Self(format!("name:{folded}"))
    }

    /// Stands in for [`Bucket::account`] when no account has the name, or the proof was not checked.
    pub fn unknown_name(folded: &str) -> Self {
        Self(format!("nobody:{folded}"))
    }

    pub fn account(account: AccountId) -> Self {
        Self(format!("account:{account}"))
    }

    pub fn trusted(account: AccountId) -> Self {
        Self(format!("inside:{account}"))
    }

    pub fn factor(account: AccountId) -> Self {
        Self(format!("factor:{account}"))
    }

    pub fn network(network: &str) -> Self {
        Self(format!("network:{network}"))
    }

    /// Requests that prove nothing.
    pub fn request(what: &str) -> Self {
        Self(what.to_owned())
    }

    pub fn key(&self) -> &str {
        &self.0
    }
}

/// How the waits of a bucket grow.
#[derive(Clone, Copy, Debug)]
pub(in crate::sessions) struct Backoff {
    /// Failures without a wait.
    free: u32,
    /// The first waits.
    early: &'static [Duration],
    /// The wait after these; each further wait is twice as long.
    then: Duration,
    /// The longest wait.
    longest: Duration,
    /// Time without a failure after which one failure is forgotten.
    pub forgets_one_after: Duration,
}

const QUARTER: Duration = minutes(15);

impl Backoff {
    /// Proofs: four without a wait, then one after 30 s, a quarter of an hour, half an hour, an hour … a day.
    pub const PROOF: Self =
        Self { free: 3, early: &[seconds(30)], then: QUARTER, longest: BACKOFF_MAX, forgets_one_after: hours(24) };
    /// Networks: an office can mistype a hundred passwords on a Monday morning without a wait. More failures look like
    /// one password that is tried with many names: then the waits are 1 s, 2 s, 4 s …
    pub const NETWORK: Self =
        Self { free: 99, early: &[], then: seconds(1), longest: QUARTER, forgets_one_after: seconds(9) };
    /// Requests that prove nothing, such as for a mail: as proofs, but at least one in a quarter of an hour is allowed,
    /// so that an attacker who makes the same request cannot keep the person from it.
    pub const REQUEST: Self = Self { longest: QUARTER, ..Self::PROOF };

    /// The wait after so many failures. It always ends, because otherwise an attacker could lock a person out.
    pub fn wait_after(self, failures: u32) -> Duration {
        let Some(index) = failures.checked_sub(self.free + 1) else { return Duration::ZERO };
        if let Some(early) = self.early.get(index as usize) {
            return *early;
        }
        let doublings = index.saturating_sub(u32::try_from(self.early.len()).unwrap_or(u32::MAX));
        let times = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.then.checked_mul(times).map_or(self.longest, |wait| wait.min(self.longest))
    }
}

/// The network of an address, as in the name of its bucket. `None`: the text is not an address.
pub(in crate::sessions) fn network_of(address: &str) -> Option<String> {
    Some(Network::subscriber(address.parse().ok()?).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff, failures: std::ops::RangeInclusive<u32>) -> Vec<u64> {
        failures.map(|count| backoff.wait_after(count).as_secs()).collect()
    }

    #[test]
    fn a_wait_is_written_in_units_that_people_use() {
        let words = |wait_seconds| RetryAfter { wait_seconds }.in_words();
        assert_eq!([1, 2, 119].map(words), ["1 second", "2 seconds", "119 seconds"]);
        assert_eq!([120, 121, 901, 7199].map(words), ["2 minutes", "3 minutes", "16 minutes", "120 minutes"]);
        assert_eq!([7200, 86_401].map(words), ["2 hours", "25 hours"]);
    }

    #[test]
    fn waits_double_up_to_a_day() {
        let quarter = 900;
        assert_eq!(waits(Backoff::PROOF, 3..=8), [0, 30, quarter, 2 * quarter, 4 * quarter, 8 * quarter]);
        assert_eq!(waits(Backoff::NETWORK, 98..=103), [0, 0, 1, 2, 4, 8]);
        assert_eq!(waits(Backoff::REQUEST, 3..=7), [0, 30, quarter, quarter, quarter]);
        for backoff in [Backoff::PROOF, Backoff::NETWORK, Backoff::REQUEST] {
            assert_eq!(
                [40, 1000, u32::MAX].map(|failures| backoff.wait_after(failures.max(backoff.free + 40))),
                [backoff.longest; 3]
            );
            assert!(backoff.longest <= BACKOFF_MAX);
        }
    }

    /// The times in milliseconds at which a bucket allows a try, when each try follows as soon as it may. One failure
    /// is forgotten for each whole `forgets_one_after` between two tries, as in the store.
    fn tries(backoff: Backoff, until: Duration) -> Vec<u128> {
        let (mut at, mut failures) = (vec![0], 1);
        loop {
            let wait = backoff.wait_after(failures);
            let next = at.last().unwrap() + wait.as_millis();
            if next >= until.as_millis() || at.len() > 1000 {
                return at;
            }
            failures = failures - u32::try_from(wait.as_millis() / backoff.forgets_one_after.as_millis()).unwrap() + 1;
            at.push(next);
        }
    }

    #[test]
    fn p7_no_more_than_ten_tries_of_an_account_fit_into_a_quarter_of_an_hour() {
        let (at, window) = (tries(Backoff::PROOF, days(2)), QUARTER.as_millis());
        let most = at.iter().map(|from| at.iter().filter(|try_| (*from..from + window).contains(try_)).count()).max();

        // In the bucket of the account and in the trusted one.
        assert_eq!(most.map(|most| 2 * most), Some(10));
    }

    #[test]
    fn p7_fewer_than_a_hundred_tries_of_an_account_fit_into_a_month() {
        let of_a_bucket = tries(Backoff::PROOF, days(30)).len();

        assert!((20..50).contains(&of_a_bucket), "{of_a_bucket}");
    }

    #[test]
    fn neighbours_are_one_network() {
        let of = |address| network_of(address);
        assert_eq!(of("203.0.113.7").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(of("203.0.113.7"), of("203.0.113.250"));
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.7"));
        assert_ne!(of("203.0.114.7"), of("203.0.113.7"));
        assert_eq!(of("2001:db8:1:100::1"), of("2001:db8:1:1ff::9"));
        assert_ne!(of("2001:db8:1:100::1"), of("2001:db8:1:200::1"));
        assert_eq!((of(""), of("nonsense")), (None, None));
    }
}
