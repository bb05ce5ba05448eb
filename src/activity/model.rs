//! Events in words for people.

use super::catalogue;
use crate::audit::{Audience, Outcome, RecordedEvent};

/// A recorded event that people may see, with its title.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What happened, or what was denied.
    pub title: String,
    /// The event.
    pub event: RecordedEvent,
}

impl Activity {
    /// The event in words. `None`: only operators may see it.
    pub(super) fn describe(event: RecordedEvent) -> Option<Self> {
        let kind = catalogue::find(&event.name);
        let is_visible = kind.is_none_or(|kind| kind.visible_to != Audience::Operators);
        is_visible.then(|| Self { title: title(&event.name, event.outcome), event })
    }
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
