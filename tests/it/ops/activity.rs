//! The activity: every event has words for people, and none shows as done what was denied.

use std::collections::BTreeSet;

use domicile::activity::{self, ActivityFilter, CATALOGUE};
use domicile::api_keys::ApiKeyEvent;
use domicile::audit::{self, Audience, Event, EventKind as _, EventType, Outcome, Part, SiteEvent};
use domicile::base::Actor;
use domicile::sessions::SessionEvent;
use domicile::signin::SigninEvent;
use domicile::signin::oauth::IdentityEvent;
use serde_json::json;

use crate::support::{Person, TestSite};

const OUTCOMES: [Outcome; 3] = [Outcome::Success, Outcome::Failure, Outcome::Denied];

fn catalogue() -> impl Iterator<Item = &'static EventType> {
    CATALOGUE.iter().copied().flatten()
}

impl TestSite {
    fn titles_for(&mut self, person: &Person) -> Vec<String> {
        let filter = ActivityFilter { limit: 100, ..ActivityFilter::default() };
        let page = self.read(|view| activity::list(view, person.account.id, person.workspace, &filter).unwrap());
        page.rows.into_iter().map(|row| row.title).collect()
    }
}

#[test]
fn event_names_are_unique_and_dotted() {
    let names: Vec<_> = catalogue().map(|kind| kind.name).collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "two types have the same name: {names:?}");
    for name in names {
        let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(name.split_once('.').is_some_and(|(area, act)| is_word(area) && is_word(act)), "{name}");
    }
}

/// The file that declares an event.
fn declared_in(name: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = crate::architecture::files_under(&root.join("src"), "rs").into_iter();
    let mut files = files.filter(|file| file.ends_with("events.rs"));
    let declares = |file: &std::path::PathBuf| std::fs::read_to_string(file).unwrap().contains(&format!("\"{name}\":"));
    files.find(declares).map(|file| file.strip_prefix(root).unwrap().display().to_string()).unwrap_or_default()
}

#[test]
fn every_event_has_a_title_that_people_understand() {
    for kind in catalogue() {
        let titles: Vec<_> = OUTCOMES.into_iter().filter_map(|outcome| kind.title(outcome)).collect();
        assert!(
            !titles.is_empty(),
            "{} has no title: add .done(..), .failed(..) or .denied(..) in {}",
            kind.name,
            declared_in(kind.name)
        );
        for title in titles {
            let is_sentence = title.starts_with(char::is_uppercase) && !title.ends_with('.');
            assert!(is_sentence && !title.contains('_'), "{}: {title:?}", kind.name);
        }
        // Two outcomes with one title could not be told apart in an export or a mail.
        let unique: BTreeSet<_> = OUTCOMES.into_iter().filter_map(|outcome| kind.title(outcome)).collect();
        assert_eq!(unique.len(), OUTCOMES.into_iter().filter(|outcome| kind.title(*outcome).is_some()).count());
    }
}

#[test]
fn what_takes_access_away_is_known_by_type_and_outcome() {
    let ended = |kind: &EventType, outcome| kind.has_ended_access(outcome);

    assert!(ended(ApiKeyEvent::Revoked.event_type(), Outcome::Success));
    assert!(ended(SessionEvent::ReuseDetected.event_type(), Outcome::Denied));
    assert!(ended(IdentityEvent::Unlinked.event_type(), Outcome::Success));
    assert!(!ended(IdentityEvent::Unlinked.event_type(), Outcome::Denied));
    assert!(!ended(ApiKeyEvent::Created.event_type(), Outcome::Success));
}

#[test]
fn a_denied_or_failed_action_is_not_shown_as_done() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    site.write(|tx| {
        let denied = Event::new(IdentityEvent::Unlinked).outcome(Outcome::Denied).target(id);
        audit::record(tx, &actor, denied)?;
        audit::record(tx, &actor, Event::new(IdentityEvent::Unlinked).target(id))?;
        audit::record(tx, &actor, Event::new(SigninEvent::Failed).outcome(Outcome::Failure).target(id))
    })
    .unwrap();

    let titles = site.titles_for(&ada);

    assert_eq!(
        titles[..3],
        [
            "Sign-in failed",
            "Sign-in provider disconnected",
            "Sign-in provider not disconnected: it is the only sign-in method",
        ]
    );
}

#[test]
fn people_do_not_see_the_events_of_operators() {
    assert_eq!(SiteEvent::KeyringRotated.event_type().visible_to, Audience::Operators);
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let before = site.titles_for(&ada);

    let event = Event::new(SiteEvent::KeyringRotated).target(ada.account.id).workspace(ada.workspace);
    site.write(|tx| audit::record(tx, &Actor::Operator, event)).unwrap();

    assert_eq!(site.titles_for(&ada), before);
}

#[test]
#[should_panic(expected = "which its type does not declare")]
fn an_event_cannot_carry_a_personal_part_that_its_type_does_not_declare() {
    let _ = Event::new(SessionEvent::Revoked).private(Part::Contact, json!({"email": "ada@example.org"}));
}

#[test]
fn an_outcome_without_a_title_cannot_be_recorded() {
    let mut site = TestSite::new();

    let recorded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let denied = Event::new(SessionEvent::Started).outcome(Outcome::Denied);
        site.write(|tx| audit::record(tx, &Actor::System, denied))
    }));

    let message = recorded.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(message.contains("session.started has no title for the outcome Denied"), "{message}");
}

#[test]
fn a_change_cannot_be_recorded_if_its_type_does_not_say_how_people_are_shown_it() {
    let mut site = TestSite::new();

    let recorded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let changed = Event::new(SessionEvent::Started).data(json!({"before": 1, "after": 2}));
        site.write(|tx| audit::record(tx, &Actor::System, changed))
    }));

    let message = recorded.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(message.contains("session.started says what was before") && message.contains(".facts(..)"), "{message}");
}

#[test]
fn changed_limits_of_a_key_are_shown_one_by_one() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (before, after) = (
        json!({"networks": 0, "rate_per_minute": 60, "budget": null}),
        json!({"networks": 2, "rate_per_minute": 60, "budget": "5.00"}),
    );
    let changed = Event::new(ApiKeyEvent::Changed).workspace(ada.workspace).target(ada.account.id);
    site.write(|tx| audit::record(tx, &ada.by_browser(), changed.data(json!({"before": before, "after": after}))))
        .unwrap();

    let filter = ActivityFilter { limit: 1, ..ActivityFilter::default() };
    let page = site.read(|view| activity::list(view, ada.account.id, ada.workspace, &filter).unwrap());
    assert_eq!(page.rows[0].details, "networks: 0 → 2, budget: none → 5.00");
}
