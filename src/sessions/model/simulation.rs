//! An attack in virtual time: 100,000 guesses from 10,000 addresses, half of them at 20 accounts and half at everybody, beside
//! 1,000 honest people of whom 100 come with an unknown browser. No hash is computed: only the rules decide.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use super::rules;
use super::throttle::{Bucket, Counter, LoginThrottle, NamedAttempt, Verdict, network_of, of_browser};
use crate::base::{AccountId, Rng, Timestamp, days, minutes, seconds};

const START: Timestamp = Timestamp::from_millis(1_777_000_000_000);
const DAY_MILLIS: u32 = 86_400_000;
const PEOPLE: u32 = 1000;
const ATTACKED: u32 = 20;
/// The last 100, half of the attacked among them.
const FIRST_UNKNOWN: u32 = 900;

/// The counters of a site in memory.
#[derive(Default)]
struct Site {
    counters: HashMap<Bucket, Counter>,
    /// The times at which a password of unknown browsers was checked, by person.
    checks: HashMap<u32, Vec<Timestamp>>,
}

impl Site {
    fn wait(&self, bucket: &Bucket, now: Timestamp) -> Result<Option<Duration>, Infallible> {
        Ok(self.counters.get(bucket).and_then(|counter| counter.wait(now)))
    }

    fn verdict(&self, throttle: &LoginThrottle, now: Timestamp) -> Verdict {
        let Ok(verdict) = throttle.judge(|bucket| self.wait(bucket, now));
        verdict
    }

    fn count(&mut self, throttle: &LoginThrottle, now: Timestamp) {
        let Ok(buckets) = throttle.buckets_of_failure(|bucket| self.wait(bucket, now));
        for bucket in buckets {
            let next = Counter::next(self.counters.get(&bucket).copied(), &bucket, now);
            self.counters.insert(bucket, next);
        }
    }
}

struct People {
    accounts: Vec<AccountId>,
}

impl People {
    /// An attempt with one of the two names of a person. `browser`: a known one.
    fn attempt(&self, person: u32, by_address: bool, browser: Option<&str>, network: &str) -> LoginThrottle {
        let account = self.accounts[person as usize];
        let name = if by_address { format!("person-{person}@example.org") } else { format!("person-{person}") };
        LoginThrottle {
            serial_key: account.to_string(),
            own: browser.map(|device| of_browser(account, device)),
            only: None,
            named: Some(NamedAttempt::new(&name, Some(account))),
            network: network_of(network).map(|network| Bucket::new(&rules::NETWORK, network)),
        }
    }
}

#[test]
fn p7_an_attack_from_many_addresses_reaches_few_hashes_and_refuses_no_honest_person() {
    let mut rng = Rng::seeded(7);
    let people = People { accounts: (0..PEOPLE).map(|_| AccountId::new(START, &mut rng)).collect() };
    let mut site = Site::default();
    // Who does something when: a guess of the attackers, or one sign-in of an honest person.
    let mut events: Vec<(u32, Option<u32>)> = (0..100_000).map(|_| (rng.below(DAY_MILLIS), None)).collect();
    events.extend((0..PEOPLE).map(|person| (rng.below(DAY_MILLIS), Some(person))));
    events.sort_unstable();
    // 10,000 addresses in 2,500 networks, in which the honest people are too.
    let address = |number: u32| format!("10.{}.{}.{}", number % 2500 / 250, number % 250, number / 2500 + 1);

    let (mut guesses, mut refused, mut confirmed, mut slowed, mut honest) = (0_u32, Vec::new(), 0, 0, 0);
    for (at, who) in events {
        let now = START.plus(Duration::from_millis(at.into()));
        let from = address(rng.below(10_000));
        let Some(person) = who else {
            guesses += 1;
            let victim = if guesses % 2 == 0 { FIRST_UNKNOWN - 10 + rng.below(ATTACKED) } else { rng.below(PEOPLE) };
            let attempt = people.attempt(victim, rng.below(2) == 0, None, &from);
            let verdict = site.verdict(&attempt, now);
            match verdict {
                Verdict::Check | Verdict::Slow => site.checks.entry(victim).or_default().push(now),
                // Answered like a wrong password, so it counts as one.
                Verdict::Confirm { is_told: false, .. } => {}
                Verdict::Confirm { .. } | Verdict::Wait(_) => continue,
            }
            site.count(&attempt, now);
            continue;
        };
        honest += 1;
        let browser = (person < FIRST_UNKNOWN).then_some("home");
        // One in ten mistypes twice first.
        let mut tries = if person % 10 == 0 { 3 } else { 1 };
        let mut now = now;
        while tries > 0 {
            let attempt = people.attempt(person, person % 2 == 0, browser, &from);
            match site.verdict(&attempt, now) {
                Verdict::Check => {}
                Verdict::Slow => slowed += 1,
                Verdict::Confirm { .. } => {
                    // The link makes the browser known; then the password is checked in its own bucket.
                    confirmed += 1;
                    let known = people.attempt(person, person % 2 == 0, Some("confirmed"), &from);
                    if site.verdict(&known, now) != Verdict::Check {
                        refused.push(person);
                    }
                    break;
                }
                Verdict::Wait(_) => refused.push(person),
            }
            tries -= 1;
            if tries > 0 {
                site.count(&attempt, now);
                now = now.plus(seconds(5));
            }
        }
        assert!(browser.is_none() || tries == 0, "a known browser comes in at once: {person}");
    }

    let most = |window: Duration| {
        let within = |times: &Vec<Timestamp>, from: &Timestamp| {
            times.iter().filter(|at| **at >= *from && at.since(*from) < window).count()
        };
        site.checks.values().flat_map(|times| times.iter().map(move |from| within(times, from))).max().unwrap_or(0)
    };
    let (quarter, day) = (most(minutes(15)), most(days(1)));
    let figures = format!(
        "checked of one account: {quarter} in 15 minutes, {day} in a day; refused {refused:?}, confirmed by mail: {confirmed}, slowed: {slowed}"
    );
    assert_eq!((guesses, honest), (100_000, PEOPLE));
    assert!(quarter <= 5, "{figures}");
    assert!(day < 20, "{figures}");
    assert!(refused.is_empty(), "{figures}");
    assert!((10..=100).contains(&confirmed), "{figures}");
}
