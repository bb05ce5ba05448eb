//! How long nobody may try again after wrong proofs (safety P7, domain 5.1.9).
//!
//! Wrong tries are counted in lanes. What is wrong in one path, such as a code, counts for all others of its lane, such as a
//! password typed once more:
//!
//! | lane | who is held up | tries in a quarter of an hour |
//! |---|---|---|
//! | name | unknown browsers that type this name, known or not | 5 |
//! | account | unknown browsers, whichever of its names they typed | 5 |
//! | inside | whoever has more than a name: a browser that the person signed in with before, a session, a first factor | 5 |
//! | factor | guesses at codes, whatever a new password forgave | 5 |
//! | network | unknown browsers of one network, whoever they try to be | about 110 |
//!
//! So no more than ten wrong proofs of one account are looked at in any quarter of an hour, whoever tries what, and no more
//! than a hundred in a month (NIST SP 800-63B-4 §3.2.2): pauses go on doubling, up to a day. While strangers fill the
//! account's lane, its person comes in at the first try with a browser that is known, and a link to set a new password makes
//! any browser known. No lane is closed for good.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{days, hours, minutes, seconds};

/// The longest pause.
pub(in crate::sessions) const PAUSE_MAX: Duration = days(1);

/// Nobody may try again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Seconds to wait, at least 1.
    pub wait_seconds: u32,
}

impl Throttled {
    /// Such as `45 seconds` or `3 hours`: never less than it is.
    pub fn in_words(self) -> String {
        let (count, unit) = match self.wait_seconds {
            0..120 => (self.wait_seconds, "second"),
            seconds @ 120..7200 => (seconds.div_ceil(60), "minute"),
            seconds => (seconds.div_ceil(3600), "hour"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// How a lane slows down.
#[derive(Clone, Copy, Debug)]
pub(in crate::sessions) struct Pace {
    /// Failures without a pause.
    free: u32,
    /// The first pauses.
    early: &'static [Duration],
    /// The pause after these; each further one is twice as long.
    then: Duration,
    /// The longest one.
    most: Duration,
    /// One failure is forgotten after so long without another.
    pub forgets: Duration,
}

const QUARTER: Duration = minutes(15);

impl Pace {
    /// Proofs: four, then one after 30 s, after a quarter of an hour, half an hour, an hour … a day.
    pub const PROOF: Self = Self { free: 3, early: &[seconds(30)], then: QUARTER, most: PAUSE_MAX, forgets: hours(24) };
    /// A network: an office mistypes a hundred passwords on a Monday morning and nobody waits; a thousand names with one
    /// password each is another matter. Then 1 s, 2 s, 4 s …
    pub const NETWORK: Self = Self { free: 99, early: &[], then: seconds(1), most: QUARTER, forgets: seconds(9) };
    /// What is no proof, such as asking for a mail: as proofs, but never less than once in a quarter of an hour, so that
    /// nobody is kept from what they ask for by somebody else who asks, too.
    pub const ASKING: Self = Self { most: QUARTER, ..Self::PROOF };

    /// The pause after so many failures. Never for ever, or a stranger could lock a person out.
    pub fn pause_after(self, failures: u32) -> Duration {
        let Some(place) = failures.checked_sub(self.free + 1) else { return Duration::ZERO };
        if let Some(early) = self.early.get(place as usize) {
            return *early;
        }
        let doublings = place.saturating_sub(u32::try_from(self.early.len()).unwrap_or(u32::MAX));
        let times = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.then.checked_mul(times).map_or(self.most, |pause| pause.min(self.most))
    }
}

/// The network of an address: what one household, office or attacker gets, /24 of IPv4 and /56 of IPv6. `None`: it is no
/// address.
pub(in crate::sessions) fn network_of(address: &str) -> Option<String> {
    let network = match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => ipnet::Ipv4Net::new(address, 24).ok()?.trunc().to_string(),
        IpAddr::V6(address) => ipnet::Ipv6Net::new(address, 56).ok()?.trunc().to_string(),
    };
    Some(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(pace: Pace, failures: std::ops::RangeInclusive<u32>) -> Vec<u64> {
        failures.map(|count| pace.pause_after(count).as_secs()).collect()
    }

    #[test]
    fn a_wait_is_said_in_words_a_person_thinks_in() {
        let words = |wait_seconds| Throttled { wait_seconds }.in_words();
        assert_eq!([1, 2, 119].map(words), ["1 second", "2 seconds", "119 seconds"]);
        assert_eq!([120, 121, 901, 7199].map(words), ["2 minutes", "3 minutes", "16 minutes", "120 minutes"]);
        assert_eq!([7200, 86_401].map(words), ["2 hours", "25 hours"]);
    }

    #[test]
    fn pauses_double_and_end_at_a_day() {
        let quarter = 900;
        assert_eq!(pauses(Pace::PROOF, 3..=8), [0, 30, quarter, 2 * quarter, 4 * quarter, 8 * quarter]);
        assert_eq!(pauses(Pace::NETWORK, 98..=103), [0, 0, 1, 2, 4, 8]);
        assert_eq!(pauses(Pace::ASKING, 3..=7), [0, 30, quarter, quarter, quarter]);
        for pace in [Pace::PROOF, Pace::NETWORK, Pace::ASKING] {
            assert_eq!(
                [40, 1000, u32::MAX].map(|failures| pace.pause_after(failures.max(pace.free + 40))),
                [pace.most; 3]
            );
            assert!(pace.most <= PAUSE_MAX);
        }
    }

    /// When a lane takes its tries, from whoever tries as soon as it may; in milliseconds. One failure is forgotten for each
    /// whole `forgets` between two tries, as the store does it.
    fn tries(pace: Pace, until: Duration) -> Vec<u128> {
        let (mut at, mut failures) = (vec![0], 1);
        loop {
            let pause = pace.pause_after(failures);
            let next = at.last().unwrap() + pause.as_millis();
            if next >= until.as_millis() || at.len() > 1000 {
                return at;
            }
            failures = failures - u32::try_from(pause.as_millis() / pace.forgets.as_millis()).unwrap() + 1;
            at.push(next);
        }
    }

    #[test]
    fn p7_no_more_than_ten_tries_of_an_account_fit_into_a_quarter_of_an_hour() {
        let (at, window) = (tries(Pace::PROOF, days(2)), QUARTER.as_millis());
        let most = at.iter().map(|from| at.iter().filter(|try_| (*from..from + window).contains(try_)).count()).max();

        // The account's lane and the one inside.
        assert_eq!(most.map(|most| 2 * most), Some(10));
    }

    #[test]
    fn p7_fewer_than_a_hundred_tries_of_an_account_fit_into_a_month() {
        let of_a_lane = tries(Pace::PROOF, days(30)).len();

        assert!((20..50).contains(&of_a_lane), "{of_a_lane}");
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
