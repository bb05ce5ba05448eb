//! Keys as pages show them.

use super::super::model::{ApiKey, DayOfUse, KeyState, Period};
use super::super::ops::DAYS_SHOWN;
use crate::base::{Timestamp, Zone, days};

/// A bar of the picture of a key's use.
pub(super) struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

/// The last weeks of a key as a picture and in words.
pub(super) struct Spark {
    pub words: String,
    pub bars: Vec<Bar>,
    pub width: i64,
}

/// Height of the picture, and the width of a day in it.
const HIGH: i64 = 24;
const WIDE: i64 = 4;

impl Spark {
    pub(super) fn new(used: &[DayOfUse], now: Timestamp) -> Self {
        let first = now.day_number() - DAYS_SHOWN + 1;
        let most = used.iter().max_by_key(|day| day.uses);
        let total: i64 = used.iter().map(|day| day.uses).sum();
        let words = match most {
            None => format!("Not used in the last {DAYS_SHOWN} days"),
            Some(most) => format!(
                "Used {} in the last {DAYS_SHOWN} days, most on {}: {}",
                times(total),
                Timestamp::of_day(most.day).day(),
                thousands(most.uses)
            ),
        };
        let most = most.map_or(1, |day| day.uses.max(1));
        let bar = |day: &DayOfUse| {
            // A day with one use can still be seen beside one with a million.
            let height = (day.uses.saturating_mul(HIGH) / most).clamp(2, HIGH);
            Bar { x: (day.day - first) * WIDE, y: HIGH - height, height }
        };
        Self { words, bars: used.iter().filter(|day| day.day >= first).map(bar).collect(), width: DAYS_SHOWN * WIDE }
    }
}

fn times(count: i64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", thousands(count)) }
}

pub(super) fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A state as a tag: its word and its colour.
pub(super) fn tag_of(key: &ApiKey) -> (&'static str, &'static str) {
    match key.state {
        KeyState::Active if key.spent_until.is_some() => ("Budget spent", "warn"),
        KeyState::Active => ("Active", "ok"),
        KeyState::Retiring => ("Retiring", "warn"),
        KeyState::Disabled => ("Disabled", ""),
        KeyState::Quarantined => ("Quarantined", "bad"),
        KeyState::Expired => ("Expired", ""),
        KeyState::Revoked => ("Revoked", ""),
    }
}

/// When a key ends by itself, in words, and whether that is soon.
pub(super) fn end_of(key: &ApiKey, now: Timestamp, zone: &Zone) -> (String, bool) {
    match key.good_until() {
        None => ("Never".to_owned(), false),
        Some(end) => (end.day_in(zone), !key.state.is_over() && end.since(now) < days(7)),
    }
}

/// The last use in words: day, and whence.
pub(super) fn last_use_of(key: &ApiKey, zone: &Zone) -> String {
    let at = key.last_used_at.map_or("Never".to_owned(), |used| used.day_and_time_in(zone));
    if key.last_address.is_empty() { at } else { format!("{at}, from {}", key.last_address) }
}

/// The limits in one sentence. Empty: there are none.
pub(super) fn limits_of(key: &ApiKey) -> String {
    let mut words = Vec::new();
    if !key.limits.networks.is_empty() {
        words.push(format!("only from {}", key.limits.networks_text().replace(' ', ", ")));
    }
    words.extend(key.limits.rate_per_minute.map(|rate| format!("{} requests a minute", thousands(rate.into()))));
    words.extend(key.limits.budget.map(|budget| {
        let period = match budget.period {
            Period::Month => "a month",
            Period::Total => "in all",
        };
        format!("{} credits {period}", budget.amount)
    }));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_use_says_the_same_in_words() {
        let now = Timestamp::parse("2026-05-30T12:00:00Z").unwrap();
        let day = |ago: i64, uses: i64| DayOfUse { day: now.day_number() - ago, uses };

        let quiet = Spark::new(&[], now);
        assert_eq!((quiet.words.as_str(), quiet.bars.len()), ("Not used in the last 30 days", 0));
        let busy = Spark::new(&[day(29, 1), day(1, 24_000), day(0, 12_000)], now);
        assert_eq!(busy.words, "Used 36,001 times in the last 30 days, most on 29 May 2026: 24,000");
        let places: Vec<_> = busy.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(places, [(0, 22, 2), (112, 0, 24), (116, 12, 12)]);
    }
}
