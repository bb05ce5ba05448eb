//! What is known of the use of keys: gathered in memory, written down together.

use domicile::api_keys::{Health, insight};

use super::*;

impl TestApp {
    fn insight(&self, id: ApiKeyId) -> api_keys::Insight {
        self.read(|view| insight(view, &api_keys::find(view, &CredentialAdmin::operator(), id).unwrap()).unwrap())
    }

    fn health(&self, person: &Person) -> Health {
        self.read(|view| {
            let keys = api_keys::list(view, person.workspace).unwrap();
            api_keys::health(view, person.workspace, &keys).unwrap()
        })
    }
}

#[test]
fn uses_are_counted_by_day_and_door_and_nothing_is_written_for_a_request() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    let at = |door: Door| asked(&verifier, &key, &Asked { agent: "trainer/1.0", ..Asked::at(door) }).unwrap();
    let changes = site.number("select count(*) from credential_change");

    for _ in 0..3 {
        at(Door::Api);
        at(Door::ForwardAuth);
    }
    at(Door::Introspect);
    at(Door::Token);
    assert_eq!((site.number("select count(*) from api_key_use"), site.key(key.key.id).uses), (0, 0));
    site.record(&verifier);
    site.clock.advance(days(1));
    asked(&verifier, &key, &from("203.0.113.9")).unwrap();
    site.record(&verifier);

    let first = site.clock.now().day_number() - 1;
    let days: Vec<_> = site.insight(key.key.id).days.iter().map(|day| (day.day - first, day.uses)).collect();
    assert_eq!(days, [(0, 8), (1, 1)]);
    let doors = site.number("select uses from api_key_use_day where door = 'forward_auth'");
    let key = site.key(key.key.id);
    assert_eq!((doors, key.uses, key.last_used_at), (3, 9, Some(site.clock.now())));
    assert_eq!((key.last_address.as_str(), key.last_agent.as_str()), ("203.0.113.9", "trainer/1.0"));
    assert_eq!(
        site.number("select count(*) from credential_change"),
        changes,
        "and no key has to be read again for it"
    );
}

#[test]
fn a_minute_of_use_is_one_transaction() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let keys: Vec<_> = (0..40).map(|_| site.api_key(&ada, "ci")).collect();
    let old = site.rotate(ada.in_person(), keys[0].key.id, hours(1)).unwrap();
    let verifier = site.verifier();
    for _ in 0..3 {
        keys.iter().chain([&old]).for_each(|key| drop(asked(&verifier, key, &from("203.0.113.9")).unwrap()));
    }
    let commits = || site.app.store().content();
    let before = commits();

    site.record(&verifier);

    assert_eq!((commits() - before, site.number("select sum(uses) from api_key_use")), (1, 41 * 3));
    site.record(&verifier);
    assert_eq!(commits() - before, 1, "nothing new is no transaction");
}

#[test]
fn what_is_gathered_is_written_at_the_stop() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();

    site.block_on(domicile::schedule::last_words(&site.app, &verifier));

    assert_eq!(site.key(key.key.id).uses, 1);
}

#[test]
fn who_still_calls_with_the_old_key_is_shown_until_nobody_does() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    asked(&verifier, &old, &from("198.51.100.1")).unwrap();
    site.record(&verifier);
    let new = site.rotate(ada.in_person(), old.key.id, days(7)).unwrap();
    assert_eq!(site.insight(old.key.id).callers.len(), 0, "who called before the rotation has not been told of it");

    site.clock.advance(minutes(1));
    for address in ["198.51.100.1", "198.51.100.1", "203.0.113.9"] {
        asked(&verifier, &old, &from(address)).unwrap();
        site.clock.advance(minutes(1));
        site.record(&verifier);
    }
    asked(&verifier, &new, &from("198.51.100.1")).unwrap();
    site.record(&verifier);

    let shown = site.insight(old.key.id);
    let callers: Vec<_> =
        shown.callers.iter().map(|one| (one.address.as_str(), one.agent.as_str(), one.uses)).collect();
    assert_eq!(callers, [("203.0.113.9", "trainer/1.0", 1), ("198.51.100.1", "trainer/1.0", 2)]);
    assert_eq!(shown.callers[0].last_at, site.clock.now().minus(minutes(1)));
    assert_eq!((shown.successor, site.insight(new.key.id).callers.len()), (Some(new.key.id), 0));
    assert_eq!(site.health(&ada).still_called, [old.key.id]);
}

#[test]
fn a_list_of_callers_and_a_name_have_an_end() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    site.rotate(ada.in_person(), old.key.id, days(7)).unwrap();
    let verifier = site.verifier();
    let long = "é".repeat(5_000);

    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        asked(&verifier, &old, &Asked { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    site.record(&verifier);
    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        asked(&verifier, &old, &Asked { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    site.record(&verifier);

    assert_eq!(site.number("select count(*) from api_key_caller"), 50);
    assert_eq!(site.number("select sum(uses) from api_key_caller"), 100, "those on the list are counted on");
    assert_eq!(site.number("select max(length(agent)) from api_key_caller"), 200);
    assert_eq!(site.key(old.key.id).uses, 400);
}

#[test]
fn health_names_what_an_owner_should_look_at_and_nothing_else() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let make = |scopes: &[&str], expiry: &str| site.make_key(&ada, new_key(scopes, expiry));
    let (eternal, idle) = (make(&["models:read"], "never"), make(&["models:read"], "365d"));
    let (broad, exact) = (make(&["models:read", "billing:read", "datasets"], "365d"), make(&["models"], "365d"));
    let gone = make(&["models:read"], "never");
    site.do_key(ada.in_person(), gone.key.id, api_keys::revoke).unwrap();
    assert_eq!(site.health(&ada), Health { never_expire: vec![eternal.key.id], ..Health::default() });
    let verifier = site.verifier();
    let wanted = site.app.config().scopes.wanted("models:read").unwrap();

    site.clock.advance(days(60));
    for key in [&eternal, &broad, &exact] {
        asked(&verifier, key, &Asked { wanted, ..Asked::at(Door::Api) }).unwrap();
    }
    site.record(&verifier);
    let unused = vec![(broad.key.id, vec!["billing:read".to_owned(), "datasets".to_owned()])];
    let expected = Health { never_expire: vec![eternal.key.id], unused_scopes: unused.clone(), ..Health::default() };
    assert_eq!(site.health(&ada), expected);
    site.clock.advance(days(30));

    let health = site.health(&ada);
    assert_eq!((health.idle, &health.unused_scopes), (vec![idle.key.id], &unused));
    let rest = site.app.config().scopes.wanted("billing:read datasets:read").unwrap();
    let earlier = asked(&verifier, &broad, &from("203.0.113.9")).unwrap();
    site.record(&verifier);
    // The first use after a writing stands where another's stood before it.
    asked(&verifier, &exact, &from("203.0.113.9")).unwrap();
    verifier.note_wanted(&earlier, rest);
    site.record(&verifier);
    assert_eq!(site.health(&ada).unused_scopes, unused, "of a use that was written down nothing more is noted");
    let now = asked(&verifier, &broad, &from("203.0.113.9")).unwrap();
    verifier.note_wanted(&now, rest);
    site.record(&verifier);
    assert_eq!(site.health(&ada).unused_scopes, vec![]);
}

#[test]
fn counters_of_days_are_kept_for_four_hundred_days() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, new_key(&["models:read"], "never"));
    let verifier = site.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();
    site.record(&verifier);
    let kept = || site.number("select count(*) from api_key_use_day");

    site.clock.advance(days(400));
    site.job(api_keys::REMIND);
    assert_eq!(kept(), 1);
    site.clock.advance(days(1));
    site.job(api_keys::REMIND);

    assert_eq!((kept(), site.key(key.key.id).uses), (0, 1));
}
