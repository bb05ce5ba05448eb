//! When new keys end, and which choices of it a form offers.

use std::time::Duration;

use crate::base::{Timestamp, days};

/// The longest lifetime: ten years. A longer one would be the same as none.
pub const LIFE_MAX: Duration = days(3653);

/// When a new key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never. Allowed only where neither the site nor the workspace has a maximum lifetime.
    Never,
    /// This long after its creation.
    After(Duration),
}

impl Expiry {
    /// Parses `never`, or a span such as `90d` up to [`LIFE_MAX`]. `None`: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if text == NEVER {
            return Some(Self::Never);
        }
        crate::config::parse_duration(text).filter(|life| *life <= LIFE_MAX).map(Self::After)
    }

    /// Parses a choice of an [`ExpiryOffer`], or what [`Expiry::parse`] accepts. `day`: the last day, for the choice
    /// [`ON_DAY`].
    pub fn parse_choice(choice: &str, day: &str, now: Timestamp) -> Option<Self> {
        if choice == ON_DAY { Self::on_day(day, now) } else { Self::parse(choice) }
    }

    /// Parses a day such as `2026-05-03`; the key ends when that day ends, in UTC. `None`: it is not a day, not in the
    /// future, or beyond [`LIFE_MAX`].
    pub fn on_day(text: &str, now: Timestamp) -> Option<Self> {
        let end = Timestamp::parse_day(text)?.plus(days(1));
        let life = end.since(now);
        (!life.is_zero() && life <= LIFE_MAX).then_some(Self::After(life))
    }

    /// Whether a key may live so long. `max`: the maximum lifetime, if there is one.
    pub fn is_within(self, max: Option<Duration>) -> bool {
        match (self, max) {
            (_, None) => true,
            (Self::Never, Some(_)) => false,
            (Self::After(life), Some(max)) => life <= max,
        }
    }
}

/// The choice of no expiration.
pub const NEVER: &str = "never";
/// The choice of a last day.
pub const ON_DAY: &str = "custom";
/// The spans that a form offers, the shortest first.
const SPANS: [&str; 5] = ["7d", "30d", "60d", "90d", "365d"];
/// The preselected span: long enough to be useful, short enough that a forgotten key does little harm.
const PRESELECTED: &str = "90d";

/// The expirations that a new key can have in a workspace, as a form offers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryOffer {
    /// Spans, then [`ON_DAY`], then [`NEVER`] if it is allowed.
    pub choices: Vec<&'static str>,
    /// The choice to select before the person has chosen: the usual span, or the longest allowed one if that is
    /// shorter.
    pub preselected: &'static str,
    /// The first and the last day for [`ON_DAY`].
    pub days: (Timestamp, Timestamp),
    /// The maximum lifetime. `None`: there is none.
    pub max_life: Option<Duration>,
}

impl ExpiryOffer {
    /// The offer for a workspace with this maximum lifetime.
    pub fn new(max_life: Option<Duration>, now: Timestamp) -> Self {
        let is_allowed = |choice: &&str| Expiry::parse(choice).is_some_and(|expiry| expiry.is_within(max_life));
        let spans: Vec<&'static str> = SPANS.into_iter().filter(is_allowed).collect();
        let preselected = spans.iter().copied().find(|span| *span == PRESELECTED).or(spans.last().copied());
        let never = Some(NEVER).filter(is_allowed);
        let longest = max_life.unwrap_or(LIFE_MAX);
        Self {
            preselected: preselected.unwrap_or(ON_DAY),
            choices: spans.into_iter().chain([ON_DAY]).chain(never).collect(),
            days: (now.plus(days(1)), now.plus(longest).minus(days(1))),
            max_life,
        }
    }

    /// The choice to select in the form. `wanted`: what the person chose before; empty, if nothing.
    pub fn selected(&self, wanted: &str) -> &'static str {
        self.choices.iter().copied().find(|choice| *choice == wanted).unwrap_or(self.preselected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_has_only_what_is_allowed_and_preselects_the_usual_or_the_longest() {
        let now = Timestamp::parse("2026-05-03T12:00:00Z").unwrap();
        let offer = |max: Option<u64>| ExpiryOffer::new(max.map(days), now);

        assert_eq!(offer(None).choices, ["7d", "30d", "60d", "90d", "365d", "custom", "never"]);
        assert_eq!(offer(Some(60)).choices, ["7d", "30d", "60d", "custom"]);
        assert_eq!(
            [None, Some(100), Some(60), Some(5)].map(|max| offer(max).preselected),
            ["90d", "90d", "60d", "custom"]
        );
        assert_eq!(
            ["never", "7d", "", "365d"].map(|wanted| offer(Some(60)).selected(wanted)),
            ["60d", "7d", "60d", "60d"]
        );
        assert_eq!(offer(Some(60)).days, (now.plus(days(1)), now.plus(days(59))));
        assert_eq!(offer(None).days.1, now.plus(LIFE_MAX).minus(days(1)));
    }
}
