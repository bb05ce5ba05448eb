//! Time zones: shows a moment in the local time of the person who reads it.

use std::sync::OnceLock;

use super::Timestamp;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    name: String,
    rules: jiff::tz::TimeZone,
}

/// The default zone.
const UTC: &str = "UTC";

/// The regions at the beginning of zone names. All other names in the database are old aliases.
const REGIONS: [&str; 10] =
    ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];

impl Default for Zone {
    fn default() -> Self {
        Self { name: UTC.into(), rules: jiff::tz::TimeZone::UTC }
    }
}

impl Zone {
    /// The zone with this name. `None`: it is not one of [`Zone::names`].
    pub fn parse(name: &str) -> Option<Self> {
        if name == UTC {
            return Some(Self::default());
        }
        let known = Self::names().iter().find(|known| known.as_str() == name)?;
        let rules = jiff::tz::TimeZone::get(known).ok()?;
        Some(Self { name: known.clone(), rules })
    }

    /// The zone with a stored name; UTC if the time zone database no longer has it.
    pub fn new(stored: &str) -> Self {
        if stored.is_empty() || stored == UTC {
            return Self::default();
        }
        Self::parse(stored).unwrap_or_default()
    }

    /// The IANA name of the zone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every name that a person can choose: UTC first, then in alphabetical order. They come from the machine's time
    /// zone database, or from the one inside this program if the machine has none.
    pub fn names() -> &'static [String] {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let is_place = |name: &String| name.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region));
            let mut names: Vec<String> =
                jiff::tz::db().available().map(|name| name.to_string()).filter(is_place).collect();
            names.sort_unstable();
            names.dedup();
            names.insert(0, UTC.into());
            names
        })
    }

    /// The first moment of a day such as `2026-05-03` in this zone, and the first moment after the day. `None`: the
    /// text is not a day.
    pub fn day(&self, text: &str) -> Option<(Timestamp, Timestamp)> {
        let date = super::time::parse_date(text)?;
        let start = |date: jiff::civil::Date| date.to_zoned(self.rules.clone()).ok();
        let moment = |zoned: jiff::Zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond());
        Some((moment(start(date)?), moment(start(date.tomorrow().ok()?)?)))
    }

    fn at(&self, moment: Timestamp) -> jiff::Zoned {
        super::time::jiff_moment(moment).to_zoned(self.rules.clone())
    }
}

impl Timestamp {
    /// The day for people, in a zone: `3 May 2026`.
    pub fn day_in(self, zone: &Zone) -> String {
        zone.at(self).strftime("%-d %B %Y").to_string()
    }

    /// The day in a zone, as a date field has it: `2026-05-03`.
    pub fn iso_day_in(self, zone: &Zone) -> String {
        zone.at(self).strftime("%Y-%m-%d").to_string()
    }

    /// Day and time for people, in a zone, with the abbreviation of the zone at that time: `3 May 2026, 11:00 CEST`. A
    /// zone without an abbreviation is shown as its offset from UTC: `UTC+05`.
    pub fn day_and_time_in(self, zone: &Zone) -> String {
        let abbreviation = zone.at(self).strftime("%Z").to_string();
        let abbreviation =
            if abbreviation.starts_with(['+', '-']) { format!("UTC{abbreviation}") } else { abbreviation };
        format!("{} {abbreviation}", self.day_and_clock_in(zone))
    }

    /// Day and time in a zone without its name: `3 May 2026, 11:00`.
    pub fn day_and_clock_in(self, zone: &Zone) -> String {
        zone.at(self).strftime("%-d %B %Y, %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    #[test]
    fn a_moment_is_shown_in_the_zone_of_the_reader() {
        let summer = Timestamp::parse("2026-07-01T22:30:00Z").unwrap();
        let winter = Timestamp::parse("2026-01-01T09:00:00Z").unwrap();

        assert_eq!(summer.day_and_time_in(&Zone::default()), summer.day_and_time());
        assert_eq!(summer.day_and_time_in(&zone("Europe/Berlin")), "2 July 2026, 00:30 CEST");
        assert_eq!(winter.day_and_time_in(&zone("Europe/Berlin")), "1 January 2026, 10:00 CET");
        assert_eq!(winter.day_and_time_in(&zone("Asia/Almaty")), "1 January 2026, 14:00 UTC+05");
        assert_eq!((summer.day_in(&zone("Europe/Berlin")), summer.day()), ("2 July 2026".into(), "1 July 2026".into()));
    }

    #[test]
    fn a_day_has_23_or_25_hours_when_the_clocks_change() {
        let hours = |day: &str| {
            let (start, end) = zone("Europe/Berlin").day(day).unwrap();
            end.since(start).as_secs() / 3600
        };

        assert_eq!((hours("2026-03-29"), hours("2026-05-03"), hours("2026-10-25")), (23, 24, 25));
        assert_eq!(zone("Europe/Berlin").day("soon"), None);
    }

    #[test]
    fn only_names_of_the_database_are_zones() {
        let names = Zone::names();

        assert!(names.len() > 300 && names[0] == "UTC", "{}", names.len());
        for bad in ["", "Mars/Olympus", "europe/berlin", "../etc/passwd", "Europe", "posix/Europe/Berlin", "EST"] {
            assert_eq!(Zone::parse(bad), None, "{bad}");
        }
        assert_eq!(Zone::new("Mars/Olympus"), Zone::default());
    }
}
