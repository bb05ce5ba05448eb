//! When a mail is due. Pure.

use crate::base::{Credits, Timestamp, days};

/// Shares of an allowance, in percent, that its owner is told about.
const SHARES: [i64; 3] = [50, 80, 100];
/// How many days before its end the owner of credit is told.
const DAYS: [u64; 3] = [1, 7, 30];

/// The farthest of [`DAYS`].
pub(super) const DAYS_MAX: u64 = 30;

/// The highest share of an allowance that is spent and told about. 0: none.
pub(super) fn spent_share(amount: Credits, left: Credits) -> i64 {
    let spent = amount.micro().saturating_sub(left.micro());
    let is_spent = |share: &i64| i128::from(spent) * 100 >= i128::from(*share) * i128::from(amount.micro());
    SHARES.into_iter().rev().find(is_spent).unwrap_or(0)
}

/// The number of days before the end that is told now. `None`: the end is far away, or credit with this life is not told about at
/// that distance: it would be news of the day of its grant.
pub(super) fn days_before(granted_at: Timestamp, end: Timestamp, now: Timestamp) -> Option<u64> {
    let left = end.since(now);
    let reached = DAYS.into_iter().find(|known| left <= days(*known))?;
    (end.since(granted_at) > days(reached)).then_some(reached)
}

/// What the owner of a wallet is told after a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Low {
    /// It has less than the limit of the site.
    Low,
    /// Nothing is left.
    Empty,
}

/// What a charge from one balance to another tells. `None`: nothing, or it was told when the balance fell below before.
pub(super) fn low_after(before: Credits, after: Credits, limit: Credits) -> Option<Low> {
    let crosses = |limit: Credits| before > limit && after <= limit;
    if limit == Credits::ZERO {
        return None;
    }
    if crosses(Credits::ZERO) {
        return Some(Low::Empty);
    }
    (before >= limit && after < limit).then_some(Low::Low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_reached_exactly() {
        let share = |left: i64| spent_share(Credits::whole(30), Credits::from_micro(left).unwrap());
        assert_eq!([share(30_000_000), share(15_000_001), share(15_000_000)], [0, 0, 50]);
        assert_eq!([share(6_000_001), share(6_000_000), share(1), share(0)], [50, 80, 80, 100]);
        assert_eq!(spent_share(Credits::MAX, Credits::ZERO), 100);
    }

    #[test]
    fn credit_is_told_about_thirty_seven_and_one_day_before_unless_it_lives_shorter() {
        let granted = Timestamp::from_millis(0);
        let told = |life: u64, day: u64| days_before(granted, granted.plus(days(life)), granted.plus(days(day)));
        assert_eq!([told(90, 59), told(90, 60), told(90, 83), told(90, 89)], [None, Some(30), Some(7), Some(1)]);
        assert_eq!(
            [told(30, 0), told(30, 23), told(7, 0), told(7, 6), told(1, 0)],
            [None, Some(7), None, Some(1), None]
        );
    }

    #[test]
    fn a_charge_tells_when_it_crosses_a_limit_and_only_then() {
        let whole = Credits::whole;
        let told = |before, after| low_after(whole(before), whole(after), whole(2));
        assert_eq!(
            [told(5, 2), told(5, 1), told(1, 1), told(1, 0), told(5, 0)],
            [None, Some(Low::Low), None, Some(Low::Empty), Some(Low::Empty)]
        );
        assert_eq!(low_after(Credits::ZERO, whole(1).negated(), whole(2)), None);
        assert_eq!(low_after(whole(5), Credits::ZERO, Credits::ZERO), None, "the site wants no such mails");
    }
}
