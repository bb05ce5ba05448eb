//! Rotations: how long the old key stays, and how long the new one lives.

use std::time::Duration;

use super::ApiKey;
use crate::base::{Timestamp, days};
use crate::config::parse_duration;

/// The overlap of a rotation where the request names none: a day to deploy the new key.
pub const OVERLAP_DEFAULT: Duration = days(1);
/// The longest overlap of a rotation. During the overlap both keys are good, so it has to be short.
pub const OVERLAP_MAX: Duration = days(7);
/// The overlaps that a form offers, the shortest first.
const OVERLAPS: [(&str, Duration); 5] = [
    ("0", Duration::ZERO),
    ("1h", Duration::from_secs(3600)),
    ("24h", OVERLAP_DEFAULT),
    ("3d", days(3)),
    ("7d", OVERLAP_MAX),
];

/// Parses an overlap: `0`, or a span such as `24h` up to [`OVERLAP_MAX`]. `None`: it is neither.
pub fn parse_overlap(text: &str) -> Option<Duration> {
    let known = OVERLAPS.into_iter().find(|(name, _)| *name == text).map(|(_, overlap)| overlap);
    known.or_else(|| parse_duration(text)).filter(|overlap| *overlap <= OVERLAP_MAX)
}

/// How long the successor of a key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessorLife {
    /// From its creation. `None`: it does not expire.
    pub life: Option<Duration>,
    /// Whether the maximum lifetime makes it shorter than that of the old key.
    pub is_shortened: bool,
}

impl SuccessorLife {
    /// As long as the old key was to live, up to the maximum lifetime of site and workspace, if there is one.
    pub fn new(old: &ApiKey, max_life: Option<Duration>) -> Self {
        let before = old.expires_at.map(|end| end.since(old.created_at));
        let life = [before, max_life].into_iter().flatten().min();
        Self { life, is_shortened: life != before }
    }
}

/// What a rotation of a key would give.
#[derive(Debug)]
pub struct RotationPreview {
    /// The key to rotate.
    pub key: ApiKey,
    /// How long the new key would live.
    pub successor: SuccessorLife,
    /// The overlaps that a form offers. None is longer than the rest of the old key's life.
    pub overlaps: Vec<&'static str>,
    /// The overlap to select: the usual one, or the longest of the offer.
    pub preselected: &'static str,
}

impl RotationPreview {
    /// The preview for a key that can be rotated.
    pub fn new(key: ApiKey, max_life: Option<Duration>, now: Timestamp) -> Self {
        let rest = key.expires_at.map(|end| end.since(now));
        let offered: Vec<_> =
            OVERLAPS.into_iter().filter(|(_, overlap)| rest.is_none_or(|rest| *overlap <= rest)).collect();
        let preselected = offered.iter().rev().find(|(_, overlap)| *overlap <= OVERLAP_DEFAULT);
        Self {
            successor: SuccessorLife::new(&key, max_life),
            preselected: preselected.map_or("0", |(name, _)| name),
            overlaps: offered.into_iter().map(|(name, _)| name).collect(),
            key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hours;

    #[test]
    fn overlaps_are_parsed_up_to_a_week() {
        assert_eq!(["0", "1h", "24h", "7d"].map(parse_overlap), [Duration::ZERO, hours(1), days(1), days(7)].map(Some));
        assert_eq!((parse_overlap("90m"), parse_overlap("168h")), (Some(hours(1) + hours(1) / 2), Some(days(7))));
        assert_eq!(["", "8d", "169h", "-1h", "soon"].map(parse_overlap), [None; 5]);
    }
}
