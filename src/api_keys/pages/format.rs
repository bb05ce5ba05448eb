//! Formats the facts of a key for the pages.

use super::super::model::{ApiKey, DailyUse, KeyState, Period, SuccessorLife};
use super::super::ops::DAYS_SHOWN;
use crate::base::Timestamp;
use crate::http::{Moment, TimeFormat};

/// A bar of a sparkline.
pub(super) struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

/// The use of a key in the last 30 days, as bars and as a sentence.
pub(super) struct Sparkline {
    pub sentence: String,
    pub bars: Vec<Bar>,
    pub width: i64,
}

/// The size of the picture: the height of the highest bar, and the width of a day.
const BAR_HEIGHT_MAX: i64 = 24;
const DAY_WIDTH: i64 = 4;

impl Sparkline {
    pub(super) fn new(used: &[DailyUse], now: Timestamp) -> Self {
        let first = now.day_number() - DAYS_SHOWN + 1;
        let busiest = used.iter().max_by_key(|day| day.uses);
        let total: i64 = used.iter().map(|day| day.uses).sum();
        let sentence = match busiest {
            None => format!("Not used in the last {DAYS_SHOWN} days"),
            Some(busiest) => format!(
                "Used {} in the last {DAYS_SHOWN} days, most on {}: {}",
                times(total),
                Timestamp::from_day_number(busiest.day).day(),
                thousands(busiest.uses)
            ),
        };
        let max = busiest.map_or(1, |day| day.uses.max(1));
        let bar = |day: &DailyUse| {
            // A day with one use stays visible next to a day with a million.
            let height = (day.uses.saturating_mul(BAR_HEIGHT_MAX) / max).clamp(2, BAR_HEIGHT_MAX);
            Bar { x: (day.day - first) * DAY_WIDTH, y: BAR_HEIGHT_MAX - height, height }
        };
        Self {
            sentence,
            bars: used.iter().filter(|day| day.day >= first).map(bar).collect(),
            width: DAYS_SHOWN * DAY_WIDTH,
        }
    }
}

/// The use of a key in the last 30 days, with a scale and dates.
pub(super) struct Chart {
    pub sentence: String,
    pub bars: Vec<ChartBar>,
    pub width: i64,
    /// The top of the scale, and its half.
    pub top: String,
    pub half: String,
    /// Days on the axis.
    pub first: String,
    pub middle: String,
    pub last: String,
}

/// A day with uses.
pub(super) struct ChartBar {
    pub x: i64,
    pub y: i64,
    /// From 1 to 100.
    pub height: i64,
    pub day: String,
    pub uses: String,
    pub words: String,
}

impl Chart {
    pub(super) fn new(used: &[DailyUse], now: Timestamp) -> Self {
        let (today, first) = (now.day_number(), now.day_number() - DAYS_SHOWN + 1);
        let day = |number: i64| Timestamp::from_day_number(number).day();
        let top = scale_top(used.iter().map(|day| day.uses).max().unwrap_or_default());
        let bar = |used: &DailyUse| {
            let height = (used.uses.saturating_mul(100) / top).clamp(1, 100);
            let (day, uses) = (day(used.day), thousands(used.uses));
            ChartBar {
                x: (used.day - first) * DAY_WIDTH,
                y: 100 - height,
                height,
                words: format!("{day}: {uses}"),
                day,
                uses,
            }
        };
        Self {
            sentence: Sparkline::new(used, now).sentence,
            bars: used.iter().filter(|day| day.day >= first).map(bar).collect(),
            width: DAYS_SHOWN * DAY_WIDTH - 1,
            top: thousands(top),
            half: thousands(top / 2),
            first: day(first),
            middle: day(first + DAYS_SHOWN / 2),
            last: day(today),
        }
    }
}

/// The top of a scale: the next of 2, 4, 10, 20, 40, 100 and so on, so that its half is a round number too.
fn scale_top(most: i64) -> i64 {
    let mut unit = 1_i64;
    loop {
        for step in [2, 4, 10] {
            let top = unit.saturating_mul(step);
            if top >= most || unit >= i64::MAX / 10 {
                return top;
            }
        }
        unit *= 10;
    }
}

fn times(count: i64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", thousands(count)) }
}

pub(super) fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The tag of a key's state: its label and its CSS class.
pub(super) fn state_tag(key: &ApiKey) -> (&'static str, &'static str) {
    match key.state {
        KeyState::Active => match key.spent_until {
            Some(_) => ("Budget spent", "warn"),
            None => ("Active", "ok"),
        },
        KeyState::Retiring => ("Retiring", "warn"),
        KeyState::Disabled => ("Disabled", ""),
        KeyState::Quarantined => ("Quarantined", "bad"),
        KeyState::Expired => ("Expired", ""),
        KeyState::Revoked => ("Revoked", ""),
    }
}

/// The day on which a key ends. `None`: never.
pub(super) fn expiry_day(key: &ApiKey, times: TimeFormat<'_>) -> Option<Moment> {
    key.good_until().map(|end| times.day(end))
}

/// How long the new key of a rotation lives.
pub(super) fn successor_life_text(successor: SuccessorLife) -> String {
    let SuccessorLife { life, is_shortened } = successor;
    let span = match life.map(|life| life.as_secs().div_ceil(86_400)) {
        None => "No end".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(number) => format!("{number} days"),
    };
    if is_shortened { format!("{span}, the maximum for new keys") } else { format!("{span}, as the old key") }
}

/// The label of a choice.
pub(super) fn label_of(value: &'static str, labels: &[(&str, &'static str)]) -> &'static str {
    labels.iter().find(|(known, _)| *known == value).map_or(value, |(_, label)| label)
}

/// The last use of a key.
pub(super) struct LastUse {
    /// `None`: it was never used.
    pub at: Option<Moment>,
    /// Empty: not known.
    pub address: String,
}

impl LastUse {
    pub fn new(key: &ApiKey, times: TimeFormat<'_>) -> Self {
        Self { at: key.last_used_at.map(|used| times.moment(used)), address: key.last_address.clone() }
    }
}

/// Characters of a note that fit under the name of a key in the list.
const SHORT_NOTE_CHARS_MAX: usize = 80;

/// The note for the list. `None`: there is none, or it is too long for a list and stands on the page of the key only.
pub(super) fn short_note(note: &str) -> Option<&str> {
    let is_short = !note.contains('\n') && (1..=SHORT_NOTE_CHARS_MAX).contains(&note.chars().count());
    is_short.then_some(note)
}

/// The limits as text. Empty: the key has no limits.
pub(super) fn limits_text(key: &ApiKey) -> String {
    let mut parts = Vec::new();
    if !key.limits.networks.is_empty() {
        parts.push(format!("only from {}", key.limits.networks_text().replace(' ', ", ")));
    }
    parts.extend(key.limits.rate_per_minute.map(|rate| format!("{} requests a minute", thousands(rate.into()))));
    parts.extend(key.limits.budget.map(|budget| {
        let period = match budget.period {
            Period::Month => "a month",
            Period::Total => "in total",
        };
        format!("{} credits {period}", budget.amount)
    }));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_notes_of_one_short_line() {
        assert_eq!(short_note("for the farm"), Some("for the farm"));
        assert!(short_note(&"é".repeat(80)).is_some());
        for other in ["", "two\nlines", &"é".repeat(81)] {
            assert_eq!(short_note(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_chart_has_a_round_scale_and_names_its_days() {
        let now = Timestamp::parse("2026-05-30T12:00:00Z").unwrap();
        let day = |ago: i64, uses: i64| DailyUse { day: now.day_number() - ago, uses };

        assert_eq!([0, 2, 3, 5, 11, 24_000].map(scale_top), [2, 2, 4, 10, 20, 40_000]);
        assert!(scale_top(i64::MAX) > 0);
        let chart = Chart::new(&[day(29, 1), day(0, 24_000)], now);
        assert_eq!([&chart.top, &chart.half], ["40,000", "20,000"]);
        assert_eq!([&chart.first, &chart.middle, &chart.last], ["1 May 2026", "16 May 2026", "30 May 2026"]);
        let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height, bar.words.as_str())).collect();
        assert_eq!(bars, [(0, 99, 1, "1 May 2026: 1"), (116, 40, 60, "30 May 2026: 24,000")]);
    }

    #[test]
    fn a_sparkline_and_its_sentence_say_the_same() {
        let now = Timestamp::parse("2026-05-30T12:00:00Z").unwrap();
        let day = |ago: i64, uses: i64| DailyUse { day: now.day_number() - ago, uses };

        let quiet = Sparkline::new(&[], now);
        assert_eq!((quiet.sentence.as_str(), quiet.bars.len()), ("Not used in the last 30 days", 0));
        let busy = Sparkline::new(&[day(29, 1), day(1, 24_000), day(0, 12_000)], now);
        assert_eq!(busy.sentence, "Used 36,001 times in the last 30 days, most on 29 May 2026: 24,000");
        let rectangles: Vec<_> = busy.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(rectangles, [(0, 22, 2), (112, 0, 24), (116, 12, 12)]);
    }
}
