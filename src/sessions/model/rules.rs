//! The throttle as one table: what is counted, per whom, how much is free, and what happens then (safety P7).
//!
//! The rule behind the table: nobody waits for what another one did. Guesses from unknown browsers are limited by name
//! and account, and a person in an unknown browser confirms by a mailed link while these are used up. A visitor with more
//! than a name (a browser that the person signed in with before, a session, a passkey, a mailed link) is counted apart
//! from all others, or not at all.
//!
//! Of one account, at most ten wrong proofs of unknown browsers are checked in any quarter of an hour (five passwords,
//! five second factors), and fewer than a hundred in a month (NIST SP 800-63B-4 §3.2.2), because waits go on doubling up
//! to a day. The manual shows this table; a test compares them.

use std::time::Duration;

use crate::base::{days, hours, minutes, seconds};

/// A row of the table.
#[derive(Debug)]
pub(in crate::sessions) struct Rule {
    /// Goes into the stored digest, so it never changes.
    pub key: &'static str,
    /// What is counted.
    #[cfg(test)]
    pub counted: &'static str,
    /// Per whom.
    #[cfg(test)]
    pub per: &'static str,
    #[allow(missing_docs)]
    pub limit: Limit,
    /// What happens to those who are counted there, once the limit is reached.
    #[cfg(test)]
    pub then: &'static str,
}

/// How much is free, and how the waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sessions) struct Limit {
    /// Counts without a wait.
    pub free: u32,
    /// The first waits.
    pub early: &'static [Duration],
    /// The wait after these; each further wait is twice as long.
    pub then: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Time without a count after which one is forgotten.
    pub forgets_one_after: Duration,
}

const QUARTER: Duration = minutes(15);
/// The longest wait of any rule.
pub(in crate::sessions) const WAIT_MAX: Duration = days(1);

/// Guesses: four without a wait, one after 30 s, then a quarter of an hour, half an hour, an hour … a day.
const GUESSES: Limit =
    Limit { free: 3, early: &[seconds(30)], then: QUARTER, longest: WAIT_MAX, forgets_one_after: hours(24) };

/// At most `free` at once, then one for each `every`.
const fn steady(free: u32, every: Duration) -> Limit {
    Limit { free: free - 1, early: &[], then: every, longest: every, forgets_one_after: every }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $counted:literal, $per:literal, $limit:expr, $then:literal;)*) => {
        $($(#[$doc])* pub(in crate::sessions) const $name: Rule =
            Rule { key: $key, #[cfg(test)] counted: $counted, #[cfg(test)] per: $per, limit: $limit, #[cfg(test)] then: $then };)*
        /// All rules, in the order of the manual.
        #[cfg(test)]
        pub(in crate::sessions) const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    /// The bucket of visitors who have more than a name.
    OWN = "own",
        "wrong proofs of a browser that the person signed in with before, or that is signed in",
        "browser and account", GUESSES,
        "this browser alone is treated as an unknown one; if it is signed in, it waits";
    /// Second factors from browsers in which the person never completed a sign-in.
    FACTOR = "factor",
        "wrong second factors of other browsers, after a right password",
        "account", GUESSES,
        "these browsers wait; a new password does not end the wait, a passkey does not have to wait";
    /// Mailed codes of a sign-up, whose browser was given a cookie.
    CODE = "code",
        "wrong codes for the address of a sign-up",
        "sign-up", GUESSES,
        "the browser of this sign-up waits";
    /// Passwords from unknown browsers, by what was typed.
    NAME = "name",
        "wrong passwords of unknown browsers",
        "typed name, whether or not an account has it", GUESSES,
        "unknown browsers confirm by a mailed link";
    /// Passwords from unknown browsers, by whom they concern.
    ACCOUNT = "account",
        "wrong passwords of unknown browsers with any of its names",
        "account", GUESSES,
        "the same, but the page does not say more than for a wrong password: it would tell which names are one person's";
    /// Passwords from unknown browsers, by where they come from: an office can mistype a hundred on a Monday morning.
    NETWORK = "network",
        "wrong passwords of unknown browsers with any names",
        "network (IPv4 /24, IPv6 /56)",
        Limit {
            free: 99,
            early: &[],
            then: minutes(1),
            longest: minutes(1),
            forgets_one_after: seconds(9),
        },
        "for a minute each address there has 10 checks; further ones take up to 20 seconds longer, then confirm by a mailed link";
    /// Codes for credit, which are typed after the sign-in.
    REDEEM = "redeem",
        "wrong voucher and promo codes",
        "account", GUESSES,
        "this account waits before it can redeem a code";
    /// The same by where they come from: accounts cost nothing where everybody can sign up.
    REDEEM_OF = "redeem-of",
        "the same codes of any accounts",
        "network (IPv4 /24, IPv6 /56)", steady(60, minutes(1)),
        "people there wait before they can redeem a code";
    /// The mail that lets an unknown browser in.
    CONFIRMATION = "confirm",
        "mails with a link that confirms a browser",
        "name and account", steady(1, hours(12)),
        "no further mail until its link is used, which is valid for a day";
    /// Mails that anybody can cause, by who gets them.
    MAILS_TO = "mails-to",
        "mails with codes and reset links that somebody asked for who is not signed in",
        "address",
        Limit { longest: QUARTER, ..GUESSES },
        "429; the newest code or link is at most that old";
    /// Mails that anybody can cause, by who asks.
    MAILS_OF = "mails-of",
        "the same mails",
        "network that asks", steady(60, minutes(1)),
        "429; browsers known to the account are not counted";
    /// Mails that anybody can cause.
    MAILS_ALL = "mails-all",
        "the same mails",
        "site", steady(1000, seconds(1)),
        "429; browsers known to the account are not counted";
}

impl Limit {
    /// The wait after so many counts. It always ends, because otherwise an attacker could lock a person out.
    pub fn wait_after(self, count: u32) -> Duration {
        let Some(index) = count.checked_sub(self.free + 1) else { return Duration::ZERO };
        if let Some(early) = self.early.get(index as usize) {
            return *early;
        }
        let doublings = index.saturating_sub(u32::try_from(self.early.len()).unwrap_or(u32::MAX));
        let times = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.then.checked_mul(times).map_or(self.longest, |wait| wait.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(limit: Limit, counts: std::ops::RangeInclusive<u32>) -> Vec<u64> {
        counts.map(|count| limit.wait_after(count).as_secs()).collect()
    }

    #[test]
    fn waits_double_up_to_a_day() {
        let quarter = 900;
        assert_eq!(waits(GUESSES, 3..=8), [0, 30, quarter, 2 * quarter, 4 * quarter, 8 * quarter]);
        assert_eq!(waits(NETWORK.limit, 98..=102), [0, 0, 60, 60, 60]);
        assert_eq!(waits(MAILS_TO.limit, 3..=7), [0, 30, quarter, quarter, quarter]);
        assert_eq!(waits(MAILS_OF.limit, 59..=62), [0, 60, 60, 60]);
        assert_eq!(waits(CONFIRMATION.limit, 1..=2), [12 * 3600, 12 * 3600]);
        for Rule { key, limit, .. } in RULES {
            let far = |count: u32| limit.wait_after(count.max(limit.free + 40));
            assert_eq!([40, 1000, u32::MAX].map(far), [limit.longest; 3], "{key}");
            assert!(limit.longest <= WAIT_MAX, "{key}");
        }
    }

    /// `15 minutes`; `a day` for one of its unit.
    fn in_words(time: Duration) -> String {
        let units = [(days(1), "a day"), (hours(1), "an hour"), (minutes(1), "a minute"), (seconds(1), "a second")];
        let (unit, one) = units.into_iter().find(|(unit, _)| time.as_secs().is_multiple_of(unit.as_secs())).unwrap();
        let name = one.split_once(' ').unwrap().1;
        match time.as_secs() / unit.as_secs() {
            1 => one.to_owned(),
            number => format!("{number} {name}s"),
        }
    }

    /// How many, for the manual.
    fn how_many(limit: Limit) -> String {
        let at_once = limit.free + 1;
        if limit.longest > limit.then {
            return format!(
                "{} in {}, then waits that double up to {}; one is forgotten each {}",
                at_once as usize + limit.early.len(),
                in_words(limit.then),
                in_words(limit.longest),
                in_words(limit.forgets_one_after).trim_start_matches("a "),
            );
        }
        // While one waits for the next, others are forgotten.
        let rate = in_words(limit.then.min(limit.forgets_one_after));
        if at_once == 1 {
            return format!("1 in {rate}");
        }
        let thousands = if at_once < 1000 { String::new() } else { format!("{},", at_once / 1000) };
        let rest = if at_once < 1000 { at_once.to_string() } else { format!("{:03}", at_once % 1000) };
        let early: String = limit.early.iter().map(|wait| format!("one after {}, ", in_words(*wait))).collect();
        let steady = if rate.starts_with("a ") { format!("one {rate}") } else { format!("one each {rate}") };
        format!("{thousands}{rest} at once, {early}then {steady}")
    }

    #[test]
    fn keys_of_rules_differ() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(RULES[..index].iter().all(|other| other.key != rule.key), "{}", rule.key);
        }
    }

    #[test]
    fn the_manual_has_this_table() {
        let mut table = "| what is counted | per | how many | then |\n|---|---|---|---|\n".to_owned();
        for Rule { counted, per, limit, then, .. } in RULES {
            table += &format!("| {counted} | {per} | {} | {then} |\n", how_many(*limit));
        }
        let manual = include_str!("../../../templates/manual/security.md");
        assert!(manual.contains(&table), "The manual must have this table:\n{table}");
    }
}
