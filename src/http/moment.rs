//! Moments on pages.

use std::fmt::{Display, Formatter};

use crate::base::{Timestamp, Zone, days, minutes};

/// How a page shows moments: seen from the time of the request, in the zone of the person who reads it.
#[derive(Clone, Copy)]
pub struct TimeFormat<'z> {
    now: Timestamp,
    zone: &'z Zone,
}

impl<'z> TimeFormat<'z> {
    /// For a request at `now`.
    pub const fn new(now: Timestamp, zone: &'z Zone) -> Self {
        Self { now, zone }
    }

    /// How long ago it was, for less than a week; otherwise day and time. A pointer over it shows the time zone too.
    ///
    /// Up to a minute ahead is just now, because a time can be a little later than the clock: the clock of the machine may
    /// have been set back since, and the times of changes never go back.
    pub fn moment(self, at: Timestamp) -> Moment {
        let is_recent = at <= self.now.plus(minutes(1)) && self.now.since(at) < days(7);
        let text = if is_recent { ago(self.now.since(at).as_secs()) } else { at.day_and_clock_in(self.zone) };
        self.element(at, text)
    }

    /// The day alone, such as `3 May 2026`. A pointer over it shows time and zone too.
    pub fn day(self, at: Timestamp) -> Moment {
        self.element(at, at.day_in(self.zone))
    }

    fn element(self, at: Timestamp, text: String) -> Moment {
        Moment { iso: at.rfc3339(), full: at.day_and_time_in(self.zone), text }
    }
}

fn ago(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// A moment in a template: `{{ event.time }}` is a `time` element.
pub struct Moment {
    iso: String,
    full: String,
    text: String,
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { iso, full, text } = self;
        write!(f, "<time datetime=\"{iso}\" title=\"{full}\">{text}</time>")
    }
}

/// Its texts are dates, times and abbreviations of zones, which need no escape.
impl askama::filters::HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_relative_for_less_than_a_week() {
        let now = Timestamp::from_millis(1_777_798_800_000);
        let text = |seconds: i64| {
            TimeFormat::new(now, &Zone::default()).moment(Timestamp::from_millis(now.millis() - seconds * 1000)).text
        };

        let recent = [0, 59, 60, 119, 120, 3_599, 3_600, 86_399, 86_400, 172_800, 604_799].map(text);
        assert_eq!(recent[..5], ["just now", "just now", "1 minute ago", "1 minute ago", "2 minutes ago"]);
        assert_eq!(recent[5..8], ["59 minutes ago", "1 hour ago", "23 hours ago"]);
        assert_eq!(recent[8..], ["1 day ago", "2 days ago", "6 days ago"]);
        assert_eq!(text(604_800), "26 April 2026, 09:00");
        assert_eq!([text(-1), text(-60)], ["just now"; 2], "the clock went back a little");
        assert_eq!(text(-61), "3 May 2026, 09:01", "what is to come is a date");
    }

    #[test]
    fn the_element_has_the_full_time_with_its_zone() {
        let (now, zone) = (Timestamp::from_millis(1_777_798_800_000), Zone::parse("Europe/Berlin").unwrap());
        let moment = TimeFormat::new(now, &zone).moment(Timestamp::from_millis(now.millis() - 3_600_000));

        assert_eq!(
            moment.to_string(),
            "<time datetime=\"2026-05-03T08:00:00.000Z\" title=\"3 May 2026, 10:00 CEST\">1 hour ago</time>"
        );
    }
}
