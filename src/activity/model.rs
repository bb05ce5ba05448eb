//! Events in words for people.

use super::{catalogue, changes};
use crate::api_keys::exposure_place;
use crate::audit::{Audience, EventType, Outcome, Part, RecordedEvent};
use crate::base::{Cursor, Timestamp};
use crate::sessions::device_of;

/// A recorded event that people may see, in words.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What happened, or what was denied.
    pub title: String,
    /// The type of the thing, such as `model`. Empty: the event is not about one with a name.
    pub kind: String,
    /// The name of the thing, or the reason that somebody gave. Empty: it has none, or it was erased.
    pub name: String,
    /// What changed, from what to what, and how. Empty: the event does not know more.
    pub details: String,
    /// Who did it, if it was not the person. Empty: the person, or nobody who is known.
    pub by: &'static str,
    /// The browser and system that it came from. Empty: unknown, or erased.
    pub device: String,
    /// The network address that it came from. Empty: unknown, or erased.
    pub address: String,
    /// The event.
    pub event: RecordedEvent,
}

impl Activity {
    /// The event in words. `None`: only operators may see it.
    pub(super) fn describe(event: RecordedEvent) -> Option<Self> {
        let kind = catalogue::find(&event.name);
        let is_visible = kind.is_none_or(|kind| kind.visible_to != Audience::Operators);
        is_visible.then(|| Self::new(kind, event))
    }

    fn new(known: Option<&EventType>, event: RecordedEvent) -> Self {
        let name = event.private_text(Part::Text, "name").or_else(|| event.private_text(Part::Text, "reason"));
        let kind = event.data.get("type").and_then(|kind| kind.as_str()).filter(|_| name.is_some());
        let place = event.private_text(Part::Contact, "url").and_then(exposure_place);
        let said = known.and_then(|kind| changes::in_words(kind, &event.data));
        let details = [said, place].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        Self {
            title: title(&event.name, event.outcome),
            kind: kind.unwrap_or_default().to_owned(),
            name: name.unwrap_or_default().to_owned(),
            details,
            by: match event.actor_kind.as_str() {
                "operator" => "by the operator",
                "service" => "by a service",
                "system" => "automatic",
                _ => "",
            },
            device: event.private_text(Part::Network, "agent").map(device_of).unwrap_or_default(),
            address: event.private_text(Part::Network, "address").unwrap_or_default().to_owned(),
            event,
        }
    }

    /// Whether each of the words, in lower case, is somewhere in what a person reads of it.
    pub(super) fn has_all(&self, words: &[String]) -> bool {
        let id = self.event.target.as_deref().unwrap_or_default();
        let parts = [&self.title, &self.kind, &self.name, &self.details, self.by, &self.device, &self.address, id];
        let text = [parts.join("\n"), self.event.id.clone()].join("\n").to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// Which events of a person are listed, the newest first.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    /// What a person searches for: every word has to be in what is shown of an event. Empty: all events.
    pub search: String,
    /// Only events of this time or later. `None`: also the oldest.
    pub from: Option<Timestamp>,
    /// Only events before this time. `None`: also the newest.
    pub until: Option<Timestamp>,
    /// Only events before this one. `None`: from the newest.
    pub before: Option<Cursor>,
    /// The number of events at most.
    pub limit: usize,
}

/// A page of events.
#[derive(Clone, Debug, Default)]
pub struct ActivityPage {
    /// The newest first.
    pub rows: Vec<Activity>,
    /// Where to go on. `None`: there are no older events.
    pub next: Option<Cursor>,
    /// A search ended before the oldest event, because it read very many. It goes on at [`ActivityPage::next`].
    pub is_cut: bool,
}

/// The title of an event. An event of another release, which has no title here, keeps its name in plain words, so that it
/// is not hidden and a denied action is not shown as done.
pub fn title(name: &str, outcome: Outcome) -> String {
    let kind = catalogue::find(name);
    if let Some(title) = kind.and_then(|kind| kind.title(outcome)) {
        return title.to_owned();
    }
    let known = kind.and_then(|kind| kind.done.or(kind.failed).or(kind.denied));
    let what = known.map_or_else(|| in_words(name), str::to_owned);
    match outcome_label(outcome) {
        None => what,
        Some(label) => format!("{label}: {what}"),
    }
}

/// The word beside an action that was not done. `None`: it was done.
pub const fn outcome_label(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Success => None,
        Outcome::Failure => Some("Failed"),
        Outcome::Denied => Some("Denied"),
    }
}

/// `invoice.sent_again` as `Invoice sent again`.
fn in_words(name: &str) -> String {
    let words = name.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_was_not_done_is_never_shown_as_done() {
        let titles = |outcome| {
            ["auth.identity_unlinked", "account.created", "invoice.sent_again"].map(|name| title(name, outcome))
        };

        assert_eq!(
            titles(Outcome::Success),
            ["Sign-in provider disconnected", "Account created", "Invoice sent again"]
        );
        assert_eq!(
            titles(Outcome::Denied),
            [
                "Sign-in provider not disconnected: it is the only sign-in method",
                "Denied: Account created",
                "Denied: Invoice sent again",
            ]
        );
        assert_eq!(title("account.created", Outcome::Failure), "Failed: Account created");
    }
}
