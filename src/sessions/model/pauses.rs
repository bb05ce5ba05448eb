//! How long nobody may try again after wrong proofs (safety P7, domain 5.1.9).
//!
//! Wrong tries are counted in lanes. What is wrong in one path, such as a code, counts for all others, such as a password:
//!
//! | lane | who is held up | tries in a quarter of an hour |
//! |---|---|---|
//! | name | who types this name, known or not | 7 |
//! | account | unknown browsers, whatever they typed | 7 |
//! | known | browsers that the person signed in with before, once the account's lane is closed | 3 more |
//! | network | unknown browsers of one network, whoever they try to be | about 110 |
//!
//! So no more than ten wrong proofs of one account are looked at in any quarter of an hour, whoever tries what; and while
//! strangers fill the account's lane, its person comes in at the first try with a browser that is known. No lane is closed
//! for longer than a quarter of an hour.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{hours, minutes, seconds};

/// The longest pause.
pub(in crate::sessions) const PAUSE_MAX: Duration = minutes(15);

/// Nobody may try again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Seconds to wait, at least 1.
    pub wait_seconds: u32,
}

/// How a lane slows down.
#[derive(Clone, Copy, Debug)]
pub(in crate::sessions) struct Pace {
    /// Failures without a pause.
    free: u32,
    /// The first pause.
    first: Duration,
    /// Each further one is so many times as long.
    factor: u32,
    /// One failure is forgotten after so long without another.
    pub forgets: Duration,
}

impl Pace {
    /// Names and accounts: five, then 1 s, 30 s, and a quarter of an hour from then on: seven in a quarter of an hour.
    pub const PROOF: Self = Self { free: 4, first: seconds(1), factor: 30, forgets: hours(24) };
    /// A browser that is known, beside a lane that is closed: three.
    pub const KNOWN: Self = Self { free: 2, first: PAUSE_MAX, factor: 1, forgets: hours(24) };
    /// A network: an office mistypes a hundred passwords on a Monday morning and nobody waits; a thousand names with one
    /// password each is another matter. Then 1 s, 2 s, 4 s …
    pub const NETWORK: Self = Self { free: 99, first: seconds(1), factor: 2, forgets: seconds(9) };

    /// The pause after so many failures. Never for ever, or a stranger could lock a person out.
    pub fn pause_after(self, failures: u32) -> Duration {
        let Some(more) = failures.checked_sub(self.free + 1) else { return Duration::ZERO };
        let times = self.factor.saturating_pow(more);
        self.first.checked_mul(times).map_or(PAUSE_MAX, |pause| pause.min(PAUSE_MAX))
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
    fn pauses_grow_and_end_at_a_quarter_of_an_hour() {
        assert_eq!(pauses(Pace::PROOF, 3..=9), [0, 0, 1, 30, 900, 900, 900]);
        assert_eq!(pauses(Pace::KNOWN, 1..=4), [0, 0, 900, 900]);
        assert_eq!(pauses(Pace::NETWORK, 98..=103), [0, 0, 1, 2, 4, 8]);
        for pace in [Pace::PROOF, Pace::KNOWN, Pace::NETWORK] {
            assert_eq!(pace.pause_after(u32::MAX), PAUSE_MAX);
        }
    }

    #[test]
    fn p7_no_more_than_ten_tries_of_an_account_fit_into_a_quarter_of_an_hour() {
        let most = |pace: Pace| {
            let mut at = vec![0];
            while at.len() < 40 {
                let failures = u32::try_from(at.len()).unwrap();
                at.push(at.last().unwrap() + pace.pause_after(failures).as_millis());
            }
            let window = PAUSE_MAX.as_millis();
            at.iter().map(|from| at.iter().filter(|try_| (*from..from + window).contains(try_)).count()).max().unwrap()
        };

        assert_eq!((most(Pace::PROOF), most(Pace::KNOWN)), (7, 3));
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
