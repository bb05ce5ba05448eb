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

    /// The month for people, in UTC: `May 2026`.
    pub fn month_in_words(self) -> String {
        self.zoned().strftime("%B %Y").to_string()
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
        Self::parse_day(text).or_else(|| Self::parse_rfc3339(text))
    }

    /// Reads a day such as `2026-05-03`, as its first moment in UTC. Nothing may follow it.
    pub fn parse_day(text: &str) -> Option<Self> {
        parse_date(text).map(|date| Self::from_day_number(days_since_1970(date)))
    }

    /// Reads an RFC 3339 time (section 5.6), such as `2026-05-03T09:00:00.120+02:00`. Without its offset from UTC, a
    /// time is not a moment: it is refused. What is finer than a millisecond is cut off. A leap second counts as the
    /// second before it.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = (parse_date(text.get(..10)?)?, text.get(10..)?);
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (hour, minute, second) = (two_digits(rest, 0)?, two_digits(rest, 3)?, two_digits(rest, 6)?);
        let is_time = rest.get(2..3)? == ":" && rest.get(5..6)? == ":" && hour < 24 && minute < 60 && second <= 60;
        let (millis, offset) = parse_fraction(rest.get(8..)?)?;
        let offset_minutes = parse_offset(offset)?;
        let seconds = (hour * 60 + minute - offset_minutes) * 60 + second.min(59);
        let day = Self::from_day_number(days_since_1970(date));
        is_time.then(|| Self(day.0 + seconds * 1000 + millis))
    }

    fn zoned(self) -> jiff::Zoned {
        jiff_moment(self).to_zoned(jiff::tz::TimeZone::UTC)
    }
}

/// The moment for formatting. The last day of the year 9999, which no local time reaches, is shown as the day before.
pub(super) fn jiff_moment(moment: Timestamp) -> jiff::Timestamp {
    let nearest = if moment.millis() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(moment.millis()).unwrap_or(nearest)
}

/// A day of ten characters, `2026-05-03`.
pub(super) fn parse_date(text: &str) -> Option<jiff::civil::Date> {
    let is_shaped = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let year = two_digits(text, 0)? * 100 + two_digits(text, 2)?;
    let (month, day) = (two_digits(text, 5)?, two_digits(text, 8)?);
    let narrow = |number: i64| i8::try_from(number).ok();
    is_shaped.then(|| jiff::civil::Date::new(i16::try_from(year).ok()?, narrow(month)?, narrow(day)?).ok())?
}

fn days_since_1970(date: jiff::civil::Date) -> i64 {
    date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24
}

/// The number of two digits at this place.
fn two_digits(text: &str, at: usize) -> Option<i64> {
    let digits = text.get(at..at + 2)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The milliseconds of `.120` and what follows. Without a point: none.
fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(digits) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = digits.split_at(length);
    let millis: String = fraction.chars().chain("00".chars()).take(3).collect();
    (length > 0).then(|| Some((millis.parse().ok()?, rest)))?
}

/// The minutes of `Z` or `+02:00`.
fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = (two_digits(text, 1)?, two_digits(text, 4)?);
    (text.len() == 6 && text.get(3..4) == Some(":") && hours < 24 && minutes < 60)
        .then_some(sign * (hours * 60 + minutes))
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
    fn a_time_without_its_offset_is_no_moment_and_no_day() {
        for bad in [
            "2026-05-03T17:30:00",
            "2026-05-03T17:30",
            "2026-05-03 17:30:00",
            "2026-05-03T17:30Z",
            "2026-05-03T17:30:00+02",
            "2026-05-03T17:30:00+0200",
            "2026-05-03T17:30:00 02:00",
            "2026-05-03T17:30:00+24:00",
            "2026-05-03T17:30:00.Z",
            "2026-05-03T17:30:00,5Z",
            "2026-05-03T17:30:00Z[Europe/Berlin]",
            "2026-05-03T24:00:00Z",
            "2026-05-03T17:60:00Z",
            "2026-02-30T00:00:00Z",
            "2026-02-30",
            "2026-05-03[u-ca=iso8601]",
            "20260503",
            "2026-5-3",
            "+002026-05-03",
            "2026-05-03Z",
            "2026-05-0\u{663}",
            " 2026-05-03",
            "1777766400",
            "",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
        let utc = |text: &str| Timestamp::parse(text).map(Timestamp::rfc3339).unwrap_or_default();
        for (good, same) in [
            ("2026-05-03T17:30:00+02:00", "2026-05-03T15:30:00.000Z"),
            ("2026-05-03t17:30:00.1z", "2026-05-03T17:30:00.100Z"),
            ("2026-05-03 17:30:00.123456789-05:30", "2026-05-03T23:00:00.123Z"),
            ("2026-05-03T17:30:00-00:00", "2026-05-03T17:30:00.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(good), same, "{good}");
        }
        let last = Timestamp::parse("9999-12-31").unwrap();
        assert_eq!(last.plus(days(1)).millis(), Timestamp::parse("9999-12-31T23:59:59.999Z").unwrap().millis() + 1);
        assert_eq!(last.iso_day(), "9999-12-30");
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
