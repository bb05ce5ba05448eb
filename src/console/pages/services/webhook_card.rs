//! The card about the webhooks of a service.

use super::super::super::model::WebhookDetails;
use super::Tag;
use crate::http::{Moment, TimeFormat};
use crate::inbox::WebhookState;

/// The card about the webhooks of a service.
pub(super) struct WebhookCard {
    /// Empty: it has no address.
    pub url: String,
    pub tag: Tag,
    /// Since when no webhook was taken, or none is sent any more.
    pub since: Option<Moment>,
    /// The last attempt: when, and the answer in one line.
    pub last: Option<(Moment, String)>,
    /// Whether there is a secret to rotate.
    pub has_secret: bool,
    /// Until when the replaced secret signs too.
    pub previous_ends: Option<Moment>,
}

impl WebhookCard {
    pub fn new(details: WebhookDetails, times: TimeFormat<'_>) -> Self {
        let WebhookDetails { endpoint, last } = details;
        let state = endpoint.as_ref().map_or(WebhookState::None, |endpoint| endpoint.state);
        let colour = match state {
            WebhookState::None => "",
            WebhookState::Working => "ok",
            WebhookState::Failing(_) => "bad",
            WebhookState::Gone(_) => "warn",
        };
        let last = last.map(|delivery| {
            let status = delivery.status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
            let taken = delivery.failure.unwrap_or_else(|| "taken".to_owned());
            (times.moment(delivery.at), format!("{status}, {taken}"))
        });
        Self {
            tag: Tag { word: state.label(), colour },
            since: state.since().map(|at| times.moment(at)),
            last,
            has_secret: endpoint.is_some(),
            previous_ends: endpoint.as_ref().and_then(|one| one.previous_ends_at).map(|at| times.moment(at)),
            url: endpoint.and_then(|endpoint| endpoint.url).unwrap_or_default(),
        }
    }
}
