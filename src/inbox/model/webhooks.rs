//! Webhooks and their deliveries: types and pure rules.

use std::time::Duration;

use crate::base::{ServiceId, Timestamp, days, hours, minutes, seconds};

/// Where a service receives webhooks.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct WebhookEndpoint {
    pub service: ServiceId,
    /// `None`: the service reads its inbox.
    pub url: Option<String>,
    pub state: WebhookState,
    pub changed_at: Timestamp,
    /// Until when the previous secret signs too. `None`: there is none.
    pub previous_ends_at: Option<Timestamp>,
    /// Calls that failed one after the other.
    pub failures: u32,
    /// Until when it is not called. `None`: it may be called.
    pub paused_until: Option<Timestamp>,
}

/// Whether webhooks are sent, and arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// There is no address.
    None,
    /// The last one was taken, or none was sent yet.
    Working,
    /// None was taken since then.
    Failing(Timestamp),
    /// The service answered 410 then. No webhook is sent until an address is set.
    Gone(Timestamp),
}

impl WebhookState {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Working => "working",
            Self::Failing(_) => "failing",
            Self::Gone(_) => "gone",
        }
    }

    /// The words for operators.
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "Reads its inbox",
            Self::Working => "Working",
            Self::Failing(_) => "Failing",
            Self::Gone(_) => "Switched off by the service",
        }
    }

    /// Since when no webhook was taken, or none is sent any more.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Working => None,
            Self::Failing(at) | Self::Gone(at) => Some(at),
        }
    }
}

/// One attempt to send a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Delivery {
    pub at: Timestamp,
    pub duration: Duration,
    /// The HTTP status. `None`: there was no answer.
    pub status: Option<u16>,
    /// The beginning of the answer, without what a page must not show.
    pub answer: String,
    /// Why there was no answer, or why it does not count. `None`: the webhook was taken.
    pub failure: Option<String>,
}

/// How one call of a webhook went.
#[derive(Clone, Debug)]
pub(in crate::inbox) struct CallResult {
    #[allow(missing_docs)]
    pub delivery: Delivery,
    /// How long the service asked us to wait (RFC 9110 §10.2.3). `None`: it did not say.
    pub retry_after: Option<Duration>,
}

/// The waits between the attempts to send a webhook (Standard Webhooks 1.0). The first attempt is made at once.
const RETRIES: [Duration; 9] =
    [seconds(5), minutes(5), minutes(30), hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];

/// When to send a webhook again after so many failed attempts. `None`: no more; the command stays in the inbox.
pub(in crate::inbox) fn next_attempt(now: Timestamp, attempts: u32) -> Option<Timestamp> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    RETRIES.get(index).map(|wait| now.plus(*wait))
}

/// The longest pause that a service can ask for: a command has to be acknowledged within days.
const RETRY_AFTER_MAX: Duration = days(1);

/// How long a service is not called after so many failed calls one after the other: as long as the attempt of one command would wait,
/// and at most a day. All of its commands share the pause, so a dead service gets one call at its end, however many wait.
/// `asked`: what the service asked for, which counts instead: at least the first pause, at most a day.
pub(in crate::inbox) fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    let last = RETRIES.len() - 1;
    let own = RETRIES[usize::try_from(failures).unwrap_or(last).clamp(1, last + 1) - 1];
    asked.map_or(own, |asked| asked.clamp(RETRIES[0], RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_day_and_a_service_can_ask_for_another_one_within_bounds() {
        assert_eq!(
            [0, 1, 2, 9, 10, u32::MAX].map(|failures| pause(failures, None)),
            [seconds(5), seconds(5), minutes(5), hours(24), hours(24), hours(24)]
        );
        let asked = [Duration::ZERO, seconds(60), days(30)].map(|asked| pause(4, Some(asked)));
        assert_eq!(asked, [seconds(5), seconds(60), days(1)]);
    }
}
