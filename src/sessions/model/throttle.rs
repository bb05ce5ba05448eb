//! One attempt to prove something, and what the table of [`super::rules`] says to it. Pure: the counters are somebody else's
//! (`ops/throttle.rs` keeps them in the database, the simulation below in a map).

use std::time::Duration;

use super::rules::{self, Limit, Rule, WAIT_MAX};
use crate::base::{AccountId, Network, SessionId, Timestamp, wait_in_words};

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
        wait_in_words(self.wait_seconds)
    }
}

/// What may be done with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Check the proof.
    Check,
    /// Check it, but not more than a few of this address in a minute, because its network guesses.
    Slow,
    /// Do not check it. The person confirms this browser with a mailed link and tries again.
    Confirm {
        /// `false`: the answer must be the one to a wrong password.
        is_told: bool,
        /// How long a person waits who gets no mail.
        otherwise: RetryAfter,
    },
    /// Do not check it.
    Wait(RetryAfter),
}

/// A place where something is counted, by a rule. Its key goes into the stored digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::sessions) struct Bucket {
    key: String,
    limit: Limit,
}

impl Bucket {
    /// The bucket of `whom` by `rule`.
    pub fn new(rule: &Rule, whom: impl std::fmt::Display) -> Self {
        Self { key: format!("{}:{whom}", rule.key), limit: rule.limit }
    }

    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What is stored about a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sessions) struct Counter {
    pub count: u32,
    /// The end of the wait.
    pub until: Timestamp,
    pub updated_at: Timestamp,
}

impl Counter {
    /// Forgets what is old, then counts one more.
    pub fn next(before: Option<Self>, bucket: &Bucket, now: Timestamp) -> Self {
        let limit = bucket.limit;
        let kept = before.map_or(0, |before| {
            let forgotten = now.since(before.updated_at).as_millis() / limit.forgets_one_after.as_millis().max(1);
            before.count.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
        });
        let count = kept.saturating_add(1);
        Self { count, until: now.plus(limit.wait_after(count)), updated_at: now }
    }

    /// `None`: there is nothing to wait for.
    pub fn wait(self, now: Timestamp) -> Option<Duration> {
        // No wait is longer than the maximum: a longer one was stored before the clock was set back.
        Some(self.until.since(now)).filter(|wait| !wait.is_zero() && *wait <= WAIT_MAX)
    }
}

/// The buckets that count for one attempt to prove something.
///
/// ```text
/// let throttle = LoginThrottle::for_name(..)?     or another constructor
/// throttle.verdict(tx)?                           before the proof is checked
/// throttle.note_failure(tx)?                      the proof was wrong; commit this
/// LoginThrottle::clear(tx, ..)?                   with the new session, not after one of two factors
/// ```
/// Where a proof is checked outside the transaction, ask before and once more inside, and serialize on
/// [`LoginThrottle::serial_key`], so that concurrent tries count like tries in a row.
#[derive(Clone, Debug)]
pub struct LoginThrottle {
    /// Attempts with the same key are serialized.
    pub(in crate::sessions) serial_key: String,
    /// `None`: the visitor has nothing but a name.
    pub(in crate::sessions) own: Option<Bucket>,
    /// The bucket that limits an attempt without a name and without a bucket of its own, and counts it.
    pub(in crate::sessions) only: Option<Bucket>,
    /// `None`: no name was typed.
    pub(in crate::sessions) named: Option<NamedAttempt>,
    /// `None`: the network is unknown, or does not count for this attempt.
    pub(in crate::sessions) network: Option<Bucket>,
}

/// An attempt that began with a typed name.
#[derive(Clone, Debug)]
pub(in crate::sessions) struct NamedAttempt {
    /// Trimmed and in lower case.
    pub name: String,
    /// The bucket of the account, or of the name when no account has it.
    pub account: Bucket,
}

pub(in crate::sessions) fn folded(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// Stands in for the bucket of an account when no account has the name, or the proof was not checked.
fn of_nobody(name: &str) -> Bucket {
    Bucket::new(&rules::ACCOUNT, format_args!("nobody:{name}"))
}

impl NamedAttempt {
    pub fn new(typed: &str, account: Option<AccountId>) -> Self {
        let name = folded(typed);
        let account = account.map_or_else(|| of_nobody(&name), |account| Bucket::new(&rules::ACCOUNT, account));
        Self { name, account }
    }

    fn by_name(&self) -> Bucket {
        Bucket::new(&rules::NAME, &self.name)
    }
}

/// The bucket of a browser that the person signed in with before.
pub(in crate::sessions) fn of_browser(account: AccountId, device: &str) -> Bucket {
    Bucket::new(&rules::OWN, format_args!("{account}:browser:{device}"))
}

/// The bucket of a session in a browser that is not known otherwise.
pub(in crate::sessions) fn of_session(account: AccountId, session: SessionId) -> Bucket {
    Bucket::new(&rules::OWN, format_args!("{account}:session:{session}"))
}

/// The bucket of the admin at the command line of the machine.
pub(in crate::sessions) fn of_terminal(account: AccountId) -> Bucket {
    Bucket::new(&rules::OWN, format_args!("{account}:terminal"))
}

/// The network of an address. `None`: the text is not an address.
pub(in crate::sessions) fn network_of(address: &str) -> Option<String> {
    Some(Network::subscriber(address.parse().ok()?).to_string())
}

impl LoginThrottle {
    /// The key on which concurrent attempts are serialized.
    pub fn serial_key(&self) -> &str {
        &self.serial_key
    }

    /// What may be done with the attempt. `wait`: how long a bucket has to wait.
    ///
    /// What an unknown browser is told depends only on the typed name and on its own network. So it does not tell whether
    /// an account has the name, or which names and addresses belong to the same account.
    pub(in crate::sessions) fn judge<E>(
        &self,
        wait: impl Fn(&Bucket) -> Result<Option<Duration>, E>,
    ) -> Result<Verdict, E> {
        let of = |bucket: Option<&Bucket>| bucket.map_or(Ok(None), &wait);
        let own = of(self.own.as_ref())?;
        if self.own.is_some() && own.is_none() {
            return Ok(Verdict::Check);
        }
        let Some(named) = &self.named else {
            let longest = own.max(of(self.only.as_ref())?);
            return Ok(longest.map_or(Verdict::Check, |wait| Verdict::Wait(RetryAfter::from_wait(wait))));
        };
        if let Some(name) = wait(&named.by_name())? {
            return Ok(Verdict::Confirm { is_told: true, otherwise: RetryAfter::from_wait(name) });
        }
        if let Some(account) = wait(&named.account)? {
            // A known browser may be told about the account, which is its person's.
            return Ok(Verdict::Confirm { is_told: own.is_some(), otherwise: RetryAfter::from_wait(account) });
        }
        Ok(if of(self.network.as_ref())?.is_some() { Verdict::Slow } else { Verdict::Check })
    }

    /// Where a wrong proof counts: in the bucket of the browser if it may use it, otherwise in those of the name, the account
    /// and the network. A name without an account has as many. A proof that was not checked counts for nobody instead of
    /// for the account: it says nothing about the account, and otherwise an attacker who tries all names of a person could
    /// close the account's bucket for a day.
    pub(in crate::sessions) fn buckets_of_failure<E>(
        &self,
        wait: impl Fn(&Bucket) -> Result<Option<Duration>, E>,
    ) -> Result<Vec<Bucket>, E> {
        let Some(named) = &self.named else { return Ok(self.own.iter().chain(&self.only).cloned().collect()) };
        if let Some(own) = &self.own
            && wait(own)?.is_none()
        {
            return Ok(vec![own.clone()]);
        }
        let account = if wait(&named.account)?.is_some() { of_nobody(&named.name) } else { named.account.clone() };
        Ok([named.by_name(), account].into_iter().chain(self.network.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{days, minutes};

    /// The times in milliseconds at which a bucket allows a try, when each try follows as soon as it may.
    fn tries(bucket: &Bucket, until: Duration) -> Vec<u128> {
        let start = Timestamp::from_millis(1_777_000_000_000);
        let (mut at, mut counter) = (Vec::new(), None);
        let mut now = start;
        while now.since(start) < until && at.len() < 1000 {
            at.push(now.since(start).as_millis());
            let next = Counter::next(counter, bucket, now);
            now = next.until.max(now);
            counter = Some(next);
        }
        at
    }

    #[test]
    fn p7_no_more_than_ten_tries_of_an_account_fit_into_a_quarter_of_an_hour() {
        let window = minutes(15).as_millis();
        let most = |rule| {
            let at = tries(&Bucket::new(rule, "x"), days(2));
            at.iter().map(|from| at.iter().filter(|try_| (*from..from + window).contains(try_)).count()).max()
        };

        assert_eq!([most(&rules::ACCOUNT), most(&rules::FACTOR)], [Some(5), Some(5)]);
    }

    #[test]
    fn p7_fewer_than_a_hundred_tries_of_an_account_fit_into_a_month() {
        let of_a_bucket = |rule| tries(&Bucket::new(rule, "x"), days(30)).len();

        let most = of_a_bucket(&rules::ACCOUNT) + of_a_bucket(&rules::FACTOR);
        assert!((40..100).contains(&most), "{most}");
    }

    #[test]
    fn a_steady_limit_gives_its_rate_however_it_is_asked() {
        let hour = tries(&Bucket::new(&rules::MAILS_OF, "x"), minutes(60)).len();
        assert!((115..=121).contains(&hour), "60 at once and one a minute: {hour}");
    }

    #[test]
    fn a_wait_that_is_too_long_is_from_before_the_clock_was_set_back() {
        let now = Timestamp::from_millis(1_777_000_000_000);
        let counter = |wait| Counter { count: 9, until: now.plus(wait), updated_at: now };
        assert_eq!(counter(days(1)).wait(now), Some(days(1)));
        assert_eq!([counter(days(2)).wait(now), counter(Duration::ZERO).wait(now)], [None, None]);
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
