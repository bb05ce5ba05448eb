//! What is known of the use of keys: gathered in memory, written down together.

use domicile::api_keys::{Health, insight};

use super::*;

impl TestApp {
    fn insight(&self, id: ApiKeyId) -> api_keys::Insight {
        self.look(|view| insight(view, &api_keys::find(view, &Governor::operator(), id).unwrap()).unwrap())
    }

    fn health(&self, person: &Person) -> Health {
        self.look(|view| {
            let keys = api_keys::list(view, person.workspace).unwrap();
            api_keys::health(view, person.workspace, &keys).unwrap()
        })
    }
}

#[test]
fn uses_are_counted_by_day_and_door_and_nothing_is_written_for_a_request() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    let verifier = house.verifier();
    let at = |door: Door| asked(&verifier, &key, &Asked { agent: "trainer/1.0", ..Asked::at(door) }).unwrap();
    let changes = house.number("select count(*) from credential_change");

    for _ in 0..3 {
        at(Door::Api);
        at(Door::ForwardAuth);
    }
    at(Door::Introspect);
    at(Door::Token);
    assert_eq!((house.number("select count(*) from api_key_use"), house.key(key.key.id).uses), (0, 0));
    house.record(&verifier);
    house.clock.advance(days(1));
    asked(&verifier, &key, &from("203.0.113.9")).unwrap();
    house.record(&verifier);

    let first = house.clock.now().day_number() - 1;
    let days: Vec<_> = house.insight(key.key.id).days.iter().map(|day| (day.day - first, day.uses)).collect();
    assert_eq!(days, [(0, 8), (1, 1)]);
    let doors = house.number("select uses from api_key_use_day where door = 'forward_auth'");
    let key = house.key(key.key.id);
    assert_eq!((doors, key.uses, key.last_used_at), (3, 9, Some(house.clock.now())));
    assert_eq!((key.last_address.as_str(), key.last_agent.as_str()), ("203.0.113.9", "trainer/1.0"));
    assert_eq!(
        house.number("select count(*) from credential_change"),
        changes,
        "and no key has to be read again for it"
    );
}

#[test]
fn a_minute_of_use_is_one_transaction() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let keys: Vec<_> = (0..40).map(|_| house.api_key(&ada, "ci")).collect();
    let old = house.rotate(ada.in_person(), keys[0].key.id, hours(1)).unwrap();
    let verifier = house.verifier();
    for _ in 0..3 {
        keys.iter().chain([&old]).for_each(|key| drop(asked(&verifier, key, &from("203.0.113.9")).unwrap()));
    }
    let commits = || house.app.store().content();
    let before = commits();

    house.record(&verifier);

    assert_eq!((commits() - before, house.number("select sum(uses) from api_key_use")), (1, 41 * 3));
    house.record(&verifier);
    assert_eq!(commits() - before, 1, "nothing new is no transaction");
}

#[test]
fn what_is_gathered_is_written_at_the_stop() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    let verifier = house.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();

    house.block_on(domicile::schedule::last_words(&house.app, &verifier));

    assert_eq!(house.key(key.key.id).uses, 1);
}

#[test]
fn who_still_calls_with_the_old_key_is_shown_until_nobody_does() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let old = house.api_key(&ada, "ci");
    let verifier = house.verifier();
    asked(&verifier, &old, &from("198.51.100.1")).unwrap();
    house.record(&verifier);
    let new = house.rotate(ada.in_person(), old.key.id, days(7)).unwrap();
    assert_eq!(house.insight(old.key.id).callers.len(), 0, "who called before the rotation has not been told of it");

    house.clock.advance(minutes(1));
    for address in ["198.51.100.1", "198.51.100.1", "203.0.113.9"] {
        asked(&verifier, &old, &from(address)).unwrap();
        house.clock.advance(minutes(1));
        house.record(&verifier);
    }
    asked(&verifier, &new, &from("198.51.100.1")).unwrap();
    house.record(&verifier);

    let shown = house.insight(old.key.id);
    let callers: Vec<_> =
        shown.callers.iter().map(|one| (one.address.as_str(), one.agent.as_str(), one.uses)).collect();
    assert_eq!(callers, [("203.0.113.9", "trainer/1.0", 1), ("198.51.100.1", "trainer/1.0", 2)]);
    assert_eq!(shown.callers[0].last_at, house.clock.now().minus(minutes(1)));
    assert_eq!((shown.successor, house.insight(new.key.id).callers.len()), (Some(new.key.id), 0));
    assert_eq!(house.health(&ada).still_called, [old.key.id]);
}

#[test]
fn a_list_of_callers_and_a_name_have_an_end() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let old = house.api_key(&ada, "ci");
    house.rotate(ada.in_person(), old.key.id, days(7)).unwrap();
    let verifier = house.verifier();
    let long = "é".repeat(5_000);

    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        asked(&verifier, &old, &Asked { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    house.record(&verifier);
    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        asked(&verifier, &old, &Asked { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    house.record(&verifier);

    assert_eq!(house.number("select count(*) from api_key_caller"), 50);
    assert_eq!(house.number("select sum(uses) from api_key_caller"), 100, "those on the list are counted on");
    assert_eq!(house.number("select max(length(agent)) from api_key_caller"), 200);
    assert_eq!(house.key(old.key.id).uses, 400);
}

#[test]
fn health_names_what_an_owner_should_look_at_and_nothing_else() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let make = |scopes: &[&str], expiry: &str| house.make_key(&ada, new(scopes, expiry));
    let (eternal, idle) = (make(&["models:read"], "never"), make(&["models:read"], "365d"));
    let (broad, exact) = (make(&["models:read", "billing:read", "datasets"], "365d"), make(&["models"], "365d"));
    let gone = make(&["models:read"], "never");
    house.do_key(ada.in_person(), gone.key.id, api_keys::revoke).unwrap();
    assert_eq!(house.health(&ada), Health { never_expire: vec![eternal.key.id], ..Health::default() });
    let verifier = house.verifier();
    let wanted = house.app.config().scopes.wanted("models:read").unwrap();

    house.clock.advance(days(60));
    for key in [&eternal, &broad, &exact] {
        asked(&verifier, key, &Asked { wanted, ..Asked::at(Door::Api) }).unwrap();
    }
    house.record(&verifier);
    let unused = vec![(broad.key.id, vec!["billing:read".to_owned(), "datasets".to_owned()])];
    let expected = Health { never_expire: vec![eternal.key.id], unused_scopes: unused.clone(), ..Health::default() };
    assert_eq!(house.health(&ada), expected);
    house.clock.advance(days(30));

    let health = house.health(&ada);
    assert_eq!((health.idle, &health.unused_scopes), (vec![idle.key.id], &unused));
    let rest = house.app.config().scopes.wanted("billing:read datasets:read").unwrap();
    let earlier = asked(&verifier, &broad, &from("203.0.113.9")).unwrap();
    house.record(&verifier);
    // The first use after a writing stands where another's stood before it.
    asked(&verifier, &exact, &from("203.0.113.9")).unwrap();
    verifier.note_wanted(&earlier, rest);
    house.record(&verifier);
    assert_eq!(house.health(&ada).unused_scopes, unused, "of a use that was written down nothing more is noted");
    let now = asked(&verifier, &broad, &from("203.0.113.9")).unwrap();
    verifier.note_wanted(&now, rest);
    house.record(&verifier);
    assert_eq!(house.health(&ada).unused_scopes, vec![]);
}

#[test]
fn counters_of_days_are_kept_for_four_hundred_days() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.make_key(&ada, new(&["models:read"], "never"));
    let verifier = house.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();
    house.record(&verifier);
    let kept = || house.number("select count(*) from api_key_use_day");

    house.clock.advance(days(400));
    house.job(api_keys::REMIND);
    assert_eq!(kept(), 1);
    house.clock.advance(days(1));
    house.job(api_keys::REMIND);

    assert_eq!((kept(), house.key(key.key.id).uses), (0, 1));
}
