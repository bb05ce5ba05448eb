//! Periods, bars and shares. Pure.

use crate::base::{Credits, Timestamp, days};

/// Days of a period at most: what services can report usage for, and a day more.
const DAYS_MAX: i64 = 401;
/// Days that are shown if nothing is chosen.
const DAYS_DEFAULT: i64 = 30;
/// A longer period has a bar for each month.
const DAYS_OF_BARS_MAX: i64 = 92;

/// Days in UTC, both included, by their numbers since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    #[allow(missing_docs)]
    pub first: i64,
    #[allow(missing_docs)]
    pub last: i64,
}

impl Period {
    /// The chosen days, or the last thirty. It ends today at the latest, and one that is too long begins later.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Self {
        let last = to.unwrap_or(now).day_number().clamp(0, now.day_number().max(0));
        let first = from.map_or(last - DAYS_DEFAULT + 1, Timestamp::day_number).min(last);
        Self { first: first.max(last - DAYS_MAX + 1), last }
    }

    /// How many days it has.
    pub const fn days(self) -> i64 {
        self.last - self.first + 1
    }

    /// As many days just before it.
    pub const fn before(self) -> Self {
        Self { first: self.first - self.days(), last: self.first - 1 }
    }
}

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    #[allow(missing_docs)]
    Day,
    #[allow(missing_docs)]
    Month,
}

impl Step {
    /// The chosen one, or the one that fits the period.
    pub fn new(chosen: &str, period: Period) -> Self {
        match chosen {
            "day" if period.days() <= DAYS_OF_BARS_MAX => Self::Day,
            "month" => Self::Month,
            _ if period.days() <= DAYS_OF_BARS_MAX => Self::Day,
            _ => Self::Month,
        }
    }

    /// The first day of the bar after the one of this day.
    fn next(self, day: i64) -> i64 {
        match self {
            Self::Day => day + 1,
            Self::Month => Timestamp::from_day_number(day).next_month().day_number().max(day + 1),
        }
    }
}

/// By what the spending is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// What was used.
    Sku,
    /// Who reported it.
    Service,
    /// The API key.
    Key,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sku, Self::Service, Self::Key];

    /// Its name in an address and in the statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sku => "sku",
            Self::Service => "service",
            Self::Key => "key",
        }
    }

    /// The chosen one. By what was used if nothing is chosen.
    pub fn new(chosen: &str) -> Self {
        Self::ALL.into_iter().find(|group| group.as_str() == chosen).unwrap_or(Self::Sku)
    }
}

/// What a day cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DayRow {
    pub day: i64,
    pub events: i64,
    pub charge: Credits,
}

/// A day or a month of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its first day that is in the period.
    pub first: Timestamp,
    /// What it cost.
    pub charge: Credits,
    #[allow(missing_docs)]
    pub events: i64,
    /// What the same days of the period before cost.
    pub before: Credits,
    /// Whether it is not over.
    pub is_running: bool,
}

/// Where a part of it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The sku, or the name of the service or of the key.
    pub name: String,
    #[allow(missing_docs)]
    pub events: i64,
    #[allow(missing_docs)]
    pub charge: Credits,
    /// Of the whole, in percent, rounded down.
    pub percent: i64,
}

/// What a period cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    #[allow(missing_docs)]
    pub total: Credits,
    #[allow(missing_docs)]
    pub events: i64,
    /// What as many days before it cost.
    pub before: Credits,
    /// One for each day or month, also those without usage.
    pub bars: Vec<Bar>,
    /// The largest first.
    pub shares: Vec<Share>,
}

impl Spending {
    /// What an event cost on average, rounded to a millionth. `None`: there was none.
    pub fn average(&self) -> Option<Credits> {
        let micro = self.total.micro().checked_div(self.events)?;
        Credits::from_micro(micro)
    }

    /// The top of a scale for the bars: 1, 2 or 5 with zeros, in micro-credits.
    pub fn scale_top(&self) -> Credits {
        let most = self.bars.iter().map(|bar| bar.charge.max(bar.before).micro()).max().unwrap_or_default();
        if most <= 0 {
            return Credits::whole(1);
        }
        let mut unit = 1_i64;
        loop {
            for step in [1, 2, 5] {
                if unit * step >= most {
                    return Credits::from_micro(unit * step).unwrap_or(Credits::MAX);
                }
            }
            unit *= 10;
        }
    }
}

pub(super) fn sum(rows: &[DayRow]) -> Credits {
    let micro: i64 = rows.iter().map(|row| row.charge.micro()).sum();
    Credits::from_micro(micro).unwrap_or(Credits::MAX)
}

/// The bars of a period, with the days before it behind them.
pub(super) fn bars(period: Period, step: Step, rows: &[DayRow], before: &[DayRow], now: Timestamp) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut first = period.first;
    while first <= period.last {
        let end = step.next(first).min(period.last + 1);
        let of = |rows: &[DayRow], shift: i64| -> Vec<DayRow> {
            rows.iter().filter(|row| (first - shift..end - shift).contains(&row.day)).copied().collect()
        };
        let (own, earlier) = (of(rows, 0), of(before, period.days()));
        bars.push(Bar {
            first: Timestamp::from_day_number(first),
            charge: sum(&own),
            events: own.iter().map(|row| row.events).sum(),
            before: sum(&earlier),
            is_running: now < Timestamp::from_day_number(end) && now.plus(days(1)) > Timestamp::from_day_number(first),
        });
        first = end;
    }
    bars
}

/// How much of the whole it is, in percent.
pub(super) fn percent(part: Credits, whole: Credits) -> i64 {
    let share = i128::from(part.micro()) * 100 / i128::from(whole.micro()).max(1);
    i64::try_from(share.clamp(0, 100)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str) -> Timestamp {
        Timestamp::parse(day).unwrap()
    }

    #[test]
    fn a_period_is_thirty_days_unless_it_is_chosen_and_never_longer_than_usage_can_be_old() {
        let now = at("2026-05-03T09:00:00Z");
        let days_of = |from: Option<&str>, to: Option<&str>| {
            let period = Period::new(from.map(at), to.map(at), now);
            (Timestamp::from_day_number(period.first).iso_day(), period.days())
        };
        assert_eq!(days_of(None, None), ("2026-04-04".into(), 30));
        assert_eq!(days_of(Some("2026-05-01"), Some("2026-05-02")), ("2026-05-01".into(), 2));
        assert_eq!(days_of(Some("2026-05-09"), Some("2026-05-02")), ("2026-05-02".into(), 1));
        assert_eq!(days_of(Some("1999-01-01"), None).1, 401);
        assert_eq!(
            days_of(Some("0001-01-01"), Some("9999-12-31")),
            ("2025-03-29".into(), 401),
            "nothing is used in the future"
        );
        assert_eq!(days_of(None, Some("0001-01-01")), ("1969-12-03".into(), 30));
    }

    #[test]
    fn months_have_the_days_of_the_period_only_and_the_days_before_behind_them() {
        let period = Period::new(Some(at("2026-03-30")), Some(at("2026-05-03")), at("2026-05-03T09:00:00Z"));
        let row =
            |day: &str, credits: u32| DayRow { day: at(day).day_number(), events: 1, charge: Credits::whole(credits) };
        let rows = [row("2026-03-30", 1), row("2026-04-01", 2), row("2026-04-30", 4), row("2026-05-03", 8)];
        let before = [row("2026-02-23", 16), row("2026-03-29", 32)];
        let bars = bars(period, Step::Month, &rows, &before, at("2026-05-03T09:00:00Z"));
        let seen: Vec<_> =
            bars.iter().map(|bar| (bar.first.iso_day(), bar.charge, bar.events, bar.before, bar.is_running)).collect();
        let whole = Credits::whole;
        assert_eq!(
            seen,
            [
                ("2026-03-30".into(), whole(1), 1, whole(16), false),
                ("2026-04-01".into(), whole(6), 2, whole(0), false),
                ("2026-05-01".into(), whole(8), 1, whole(32), true),
            ]
        );
    }

    #[test]
    fn a_scale_ends_with_a_round_number() {
        let top = |micro: i64| {
            let charge = Credits::from_micro(micro).unwrap();
            let bar = Bar { first: at("2026-05-03"), charge, events: 1, before: Credits::ZERO, is_running: false };
            let spending =
                Spending { total: charge, events: 3, before: Credits::ZERO, bars: vec![bar], shares: Vec::new() };
            (spending.scale_top().micro(), spending.average().unwrap().micro())
        };
        assert_eq!(
            [top(0), top(1), top(3), top(11), top(5_100_000)],
            [(1_000_000, 0), (1, 0), (5, 1), (20, 3), (10_000_000, 1_700_000)]
        );
    }
}
