//! Durations as admins write them.

use std::time::Duration;

/// Reads `90s`, `30m`, `12h`, `30d`: a whole number above zero and one unit. `None`: anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let all_digits = number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = if all_digits { number.parse().ok()? } else { return None };
    // At most a century: longer durations are typing errors.
    (1..=36_500 * 86_400).contains(&number.checked_mul(seconds)?).then(|| Duration::from_secs(number * seconds))
}

/// Writes a duration as [`parse_duration`] reads it, in the largest exact unit.
pub(super) fn write_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let exact = [(86_400, "d"), (3600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    exact.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("30d").map(write_duration), Some("30d".to_owned()));
        for bad in ["", "m", "0m", "-1m", "1.5h", "30", "30 m", "1w", "+3m", "99999999999999999999d", "é"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
