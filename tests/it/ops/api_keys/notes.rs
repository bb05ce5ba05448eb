//! The notes of keys: what an owner writes about a key, in their own words.

use domicile::api_keys::{self, ApiKeyError, KeyNote};
use domicile::audit::Part;
use domicile::base::{days, seconds};

use crate::support::{KeyBuilder, TestApp, TestSite};

const NOTE: &str = "Nightly training.\nAsk Grace before you rotate it.";

#[test]
fn a_note_is_stored_with_a_new_key_and_changed_with_its_name() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let admin = ada.credential_admin();

    let id = site.make(&admin, &ada, &KeyBuilder::named("ci").note(NOTE).build()).unwrap().key.id;
    assert_eq!(site.read(|tx| api_keys::find(tx, &admin, id).unwrap().note), NOTE);
    site.clock.advance(seconds(1));
    let change = KeyBuilder::named("ci").note("Moved to the farm.").change();
    let changed = site.write(|tx| api_keys::change(tx, &admin, id, &change)).unwrap();

    assert_eq!((changed.name.as_str(), changed.note.as_str()), ("ci", "Moved to the farm."));
    let event = &site.activity_of(&ada)[0];
    assert_eq!(event.name, "api_key.changed");
    let texts = ["note", "new_note"].map(|member| event.private_text(Part::Text, member));
    assert_eq!(texts, [Some(NOTE), Some("Moved to the farm.")]);
    assert!(!event.data.to_string().contains("note"), "the hash chain has no personal data: {}", event.data);
    assert_eq!(site.columns_with("the farm"), ["api_key.note"], "the audit has it sealed only");

    let events = site.events_of(&ada);
    site.write(|tx| api_keys::change(tx, &admin, id, &change)).unwrap();
    assert_eq!(site.events_of(&ada), events, "nothing changed, so nothing is recorded");
    let emptied = site.write(|tx| api_keys::change(tx, &admin, id, &KeyBuilder::named("ci").change())).unwrap();
    assert_eq!(emptied.note, "");
}

#[test]
fn a_successor_keeps_the_note() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.make_key(&ada, KeyBuilder::named("ci").note(NOTE).build());

    let new = site.rotate(ada.credential_admin(), old.key.id, days(1)).unwrap();

    assert_eq!((site.key(new.key.id).note.as_str(), site.key(old.key.id).note.as_str()), (NOTE, NOTE));
}

#[test]
fn a_note_has_at_most_500_visible_characters_on_any_number_of_lines() {
    let parsed = |text: &str| KeyNote::parse(text).map(|note| note.as_str().to_owned());

    assert_eq!(parsed("  one\r\n\r\ntwo \n").as_deref(), Some("one\n\ntwo"));
    assert_eq!(parsed(" \n ").as_deref(), Some(""), "a key needs no note");
    assert!(parsed(&"東".repeat(500)).is_some() && parsed(&format!("\n{}\r\n", "x".repeat(500))).is_some());
    for bad in [&"x".repeat(501), "tab\there", "bell\u{7}", "a\0b", "a\rb", "right\u{202e}left"] {
        assert_eq!(parsed(bad), None, "{bad:?}");
    }
}

#[test]
fn a_refused_note_changes_nothing() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let id = site.make_key(&ada, KeyBuilder::named("ci").note(NOTE).build()).key.id;
    let change = KeyBuilder::named("ci").note("mine now").change();
    let before = site.footprint();

    let (admin, theirs) = (bob.credential_admin(), change.clone());
    let refused = site.write(move |tx| api_keys::change(tx, &admin, id, &theirs)).err();
    assert!(matches!(refused, Some(ApiKeyError::NotFound)), "{refused:?}");
    let long = "x".repeat(501);
    site.write(move |tx| tx.execute("update api_key set note = ?", [long])).expect_err("the database refuses it too");
    assert_eq!((site.key(id).note.as_str(), site.footprint()), (NOTE, before));

    site.do_key(ada.credential_admin(), id, api_keys::revoke).unwrap();
    let before = site.footprint();
    let admin = ada.credential_admin();
    let refused = site.write(move |tx| api_keys::change(tx, &admin, id, &change)).err();
    assert!(matches!(refused, Some(ApiKeyError::AlreadyEnded)), "{refused:?}");
    assert_eq!((site.key(id).note.as_str(), site.footprint()), (NOTE, before));
}
