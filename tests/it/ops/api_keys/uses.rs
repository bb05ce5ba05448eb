//! The usage of keys: buffered in memory, written together.

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
fn uses_are_counted_by_day_and_channel_and_a_request_writes_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    let at = |channel: Channel| {
        verify(&verifier, &key, &VerifyRequest { agent: "trainer/1.0", ..VerifyRequest::new(channel) }).unwrap()
    };
    let changes = site.number("select count(*) from credential_change");

    for _ in 0..3 {
        at(Channel::Api);
        at(Channel::ForwardAuth);
    }
    at(Channel::Introspect);
    at(Channel::Token);
    assert_eq!((site.number("select count(*) from api_key_use"), site.key(key.key.id).uses), (0, 0));
    site.record(&verifier);
    site.clock.advance(days(1));
    verify(&verifier, &key, &from("203.0.113.9")).unwrap();
    site.record(&verifier);

    let first = site.clock.now().day_number() - 1;
    let days: Vec<_> = site.insight(key.key.id).days.iter().map(|day| (day.day - first, day.uses)).collect();
    assert_eq!(days, [(0, 8), (1, 1)]);
    let gateway_uses = site.number("select uses from api_key_use_day where door = 'forward_auth'");
    let key = site.key(key.key.id);
    assert_eq!((gateway_uses, key.uses, key.last_used_at), (3, 9, Some(site.clock.now())));
    assert_eq!((key.last_address.as_str(), key.last_agent.as_str()), ("203.0.113.9", "trainer/1.0"));
    assert_eq!(
        site.number("select count(*) from credential_change"),
        changes,
        "writing usage does not invalidate any key"
    );
}

#[test]
fn a_minute_of_use_is_one_transaction() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let keys: Vec<_> = (0..40).map(|_| site.api_key(&ada, "ci")).collect();
    let old = site.rotate(ada.credential_admin(), keys[0].key.id, hours(1)).unwrap();
    let verifier = site.verifier();
    for _ in 0..3 {
        keys.iter().chain([&old]).for_each(|key| drop(verify(&verifier, key, &from("203.0.113.9")).unwrap()));
    }
    let commits = || site.app.store().content();
    let before = commits();

    site.record(&verifier);

    assert_eq!((commits() - before, site.number("select sum(uses) from api_key_use")), (1, 41 * 3));
    site.record(&verifier);
    assert_eq!(commits() - before, 1, "without new usage there is no transaction");
}

#[test]
fn buffered_usage_is_written_when_the_server_stops() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();

    site.block_on(domicile::schedule::flush_at_shutdown(
        &site.app,
        &verifier,
        &domicile::services::Callers::new(site.app.clone()),
    ));

    assert_eq!(site.key(key.key.id).uses, 1);
}

#[test]
fn usage_that_cannot_be_written_is_written_the_next_time() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();
    let refuse = "create trigger no_use before insert on api_key_use begin select raise(abort, 'no'); end";
    site.write(|tx| tx.execute(refuse, [])).unwrap();

    assert!(site.block_on(verification::record_use(&site.app, &verifier)).is_err());
    site.write(|tx| tx.execute("drop trigger no_use", [])).unwrap();
    verdict(&verifier, key.secret.expose()).unwrap();
    site.record(&verifier);

    assert_eq!(site.key(key.key.id).uses, 2);
}

#[test]
fn a_key_that_is_used_often_does_not_fill_the_buffer() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let shard = |key: &CreatedApiKey| key.key.id.random_bits() % 16;
    let mut keys = vec![site.api_key(&ada, "ci")];
    // A second key that is counted in the same part of the buffer.
    while keys.len() == 1 {
        let other = site.api_key(&ada, "ci");
        if shard(&other) == shard(&keys[0]) {
            keys.push(other);
        }
    }
    let verifier = site.verifier();
    let uses = 16_400;

    verdict(&verifier, keys[0].secret.expose()).unwrap();
    assert!((0..uses).all(|_| verdict(&verifier, keys[1].secret.expose()).is_ok()));
    site.record(&verifier);

    assert_eq!(site.key(keys[1].key.id).uses, uses);
}

#[test]
fn programs_that_call_with_the_old_key_after_a_rotation_are_listed() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    verify(&verifier, &old, &from("198.51.100.1")).unwrap();
    site.record(&verifier);
    let new = site.rotate(ada.credential_admin(), old.key.id, days(7)).unwrap();
    assert_eq!(site.insight(old.key.id).callers.len(), 0, "calls before the rotation are not listed");

    site.clock.advance(minutes(1));
    for address in ["198.51.100.1", "198.51.100.1", "203.0.113.9"] {
        verify(&verifier, &old, &from(address)).unwrap();
        site.clock.advance(minutes(1));
        site.record(&verifier);
    }
    verify(&verifier, &new, &from("198.51.100.1")).unwrap();
    site.record(&verifier);

    let insight = site.insight(old.key.id);
    let callers: Vec<_> =
        insight.callers.iter().map(|caller| (caller.address.as_str(), caller.agent.as_str(), caller.uses)).collect();
    assert_eq!(callers, [("203.0.113.9", "trainer/1.0", 1), ("198.51.100.1", "trainer/1.0", 2)]);
    assert_eq!(insight.callers[0].last_at, site.clock.now().minus(minutes(1)));
    assert_eq!((insight.successor, site.insight(new.key.id).callers.len()), (Some(new.key.id), 0));
    assert_eq!(site.health(&ada).still_called, [old.key.id]);
}

#[test]
fn the_list_of_callers_and_their_names_are_limited() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    site.rotate(ada.credential_admin(), old.key.id, days(7)).unwrap();
    let verifier = site.verifier();
    let long = "é".repeat(5_000);

    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        verify(&verifier, &old, &VerifyRequest { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    site.record(&verifier);
    for number in 0..200 {
        let agent = format!("{number:03}-{long}");
        verify(&verifier, &old, &VerifyRequest { agent: &agent, ..from("203.0.113.9") }).unwrap();
    }
    site.record(&verifier);

    assert_eq!(site.number("select count(*) from api_key_caller"), 50);
    assert_eq!(site.number("select sum(uses) from api_key_caller"), 100, "listed callers are still counted");
    assert_eq!(site.number("select max(length(agent)) from api_key_caller"), 200);
    assert_eq!(site.key(old.key.id).uses, 400);
}

#[test]
fn health_lists_exactly_the_keys_that_need_attention() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let make = |scopes: &[&str], expiry: &str| site.make_key(&ada, new_key(scopes, expiry));
    let (eternal, idle) = (make(&["models:read"], "never"), make(&["models:read"], "365d"));
    let (broad, exact) = (make(&["models:read", "billing:read", "datasets"], "365d"), make(&["models"], "365d"));
    let gone = make(&["models:read"], "never");
    site.do_key(ada.credential_admin(), gone.key.id, api_keys::revoke).unwrap();
    assert_eq!(site.health(&ada), Health { never_expire: vec![eternal.key.id], ..Health::default() });
    let verifier = site.verifier();
    let required = site.app.config().scopes.parse("models:read").unwrap();

    site.clock.advance(days(60));
    for key in [&eternal, &broad, &exact] {
        verify(&verifier, key, &VerifyRequest { required, ..VerifyRequest::new(Channel::Api) }).unwrap();
    }
    site.record(&verifier);
    let unused = vec![(broad.key.id, vec!["billing:read".to_owned(), "datasets".to_owned()])];
    let expected = Health { never_expire: vec![eternal.key.id], unused_scopes: unused.clone(), ..Health::default() };
    assert_eq!(site.health(&ada), expected);
    site.clock.advance(days(30));

    let health = site.health(&ada);
    assert_eq!((health.idle, &health.unused_scopes), (vec![idle.key.id], &unused));
    let rest = site.app.config().scopes.parse("billing:read datasets:read").unwrap();
    let earlier = verify(&verifier, &broad, &from("203.0.113.9")).unwrap();
    site.record(&verifier);
    // The first use after a drain gets the slot that another key had before.
    verify(&verifier, &exact, &from("203.0.113.9")).unwrap();
    verifier.record_rights(&earlier, rest);
    site.record(&verifier);
    assert_eq!(site.health(&ada).unused_scopes, unused, "rights are not recorded for a use that was written already");
    let now = verify(&verifier, &broad, &from("203.0.113.9")).unwrap();
    verifier.record_rights(&now, rest);
    site.record(&verifier);
    assert_eq!(site.health(&ada).unused_scopes, vec![]);
}

#[test]
fn counters_of_daily_uses_are_kept_for_four_hundred_days() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, new_key(&["models:read"], "never"));
    let verifier = site.verifier();
    verdict(&verifier, key.secret.expose()).unwrap();
    site.record(&verifier);
    let rows = || site.number("select count(*) from api_key_use_day");

    site.clock.advance(days(400));
    site.job(api_keys::REMIND);
    assert_eq!(rows(), 1);
    site.clock.advance(days(1));
    site.job(api_keys::REMIND);

    assert_eq!((rows(), site.key(key.key.id).uses), (0, 1));
}
