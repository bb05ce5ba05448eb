//! Moments and durations. `clock.rs` reads the clock of the machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment in UTC, in whole milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, the unit of JWT and introspection (RFC 7662).
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// From the standard library's type, for times of files.
    pub fn from_system_time(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The moment as the standard library's type, for crates that need it.
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }

    /// The moment `duration` later. Saturates instead of overflowing.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier. Saturates instead of overflowing.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, `2026-05-03T09:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        self.zoned().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// The day for people, in UTC: `3 May 2026`.
    pub fn day(self) -> String {
        self.zoned().strftime("%-d %B %Y").to_string()
    }

    /// The day for programs and date fields, in UTC: `2026-05-03`.
    pub fn iso_day(self) -> String {
        self.zoned().strftime("%Y-%m-%d").to_string()
    }

    /// Day and time for people, in UTC: `3 May 2026, 09:00 UTC`.
    pub fn day_and_time(self) -> String {
        self.zoned().strftime("%-d %B %Y, %H:%M UTC").to_string()
    }

    /// The month, `2026-05`, in UTC.
    pub fn month(self) -> String {
        self.zoned().strftime("%Y-%m").to_string()
    }

    /// The first moment of the next month, in UTC.
    pub fn next_month(self) -> Self {
        let first = self.zoned().first_of_month().and_then(|first| first.start_of_day());
        let next = first.and_then(|first| first.checked_add(jiff::Span::new().months(1)));
        next.map_or(self, |next| Self(next.timestamp().as_millisecond()))
    }

    /// The number of days since 1970-01-01, in UTC.
    pub const fn day_number(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// The first moment of the day with this number.
    pub const fn from_day_number(number: i64) -> Self {
        Self(number.saturating_mul(86_400_000))
    }

    /// Reads a day such as `2026-05-03`, as its first moment in UTC, or a full RFC 3339 time. `None`: the text is
    /// neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(Self(moment.as_millisecond()));
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    fn zoned(self) -> jiff::Zoned {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC)
    }
}

/// `n` seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` minutes.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// `n` hours.
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

/// `n` days of 24 hours.
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

/// Measures how long something takes, for logs and measurements only. No decision may depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_formatted_for_programs_and_for_people() {
        let moment = Timestamp::parse("2026-05-03T09:00:00.120Z").unwrap();

        assert_eq!(moment.rfc3339(), "2026-05-03T09:00:00.120Z");
        assert_eq!(moment.day(), "3 May 2026");
        assert_eq!(moment.day_and_time(), "3 May 2026, 09:00 UTC");
        assert_eq!(Timestamp::parse("2026-05-03").unwrap().rfc3339(), "2026-05-03T00:00:00.000Z");
        assert_eq!(Timestamp::parse("soon"), None);
    }

    #[test]
    fn the_next_month_is_right_at_the_end_of_a_year_and_in_a_leap_year() {
        let next = |text: &str| Timestamp::parse(text).unwrap().next_month().rfc3339();

        assert_eq!(next("2026-12-31T23:59:59.999Z"), "2027-01-01T00:00:00.000Z");
        assert_eq!(next("2028-01-31"), "2028-02-01T00:00:00.000Z");
        let leap = Timestamp::parse("2028-02-29T12:00:00Z").unwrap();
        assert_eq!(
            (leap.month().as_str(), Timestamp::from_day_number(leap.day_number()).iso_day().as_str()),
            ("2028-02", "2028-02-29")
        );
    }
}
