//! From where, how fast, for how much. What is refused burns nothing.

use domicile::api_keys::Pace;
use domicile::base::{Credits, Quantity, ServiceId, Timestamp};
use domicile::billing;
use domicile::billing::usage::{self, EventName, NewEvent};
use domicile::db;

use super::*;

fn limited(networks: &str, rate: &str, budget: &str, period: &str) -> NewApiKey {
    NewApiKey { limits: limits(networks, rate, budget, period), ..new_key(&["models:read"], "never") }
}

#[test]
fn a_key_with_a_list_of_networks_is_good_there_and_nowhere_else() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("198.51.100.0/24, 2001:db8:7::/48", "", "", ""));
    let verifier = site.verifier();
    let told = |address: &str| asked(&verifier, &key, &from(address)).map(|verified| verified.key);

    for inside in ["198.51.100.1", "198.51.100.255", "::ffff:198.51.100.9", "2001:db8:7:ffff::1"] {
        assert_eq!(told(inside), Ok(key.key.id), "{inside}");
    }
    for outside in ["198.51.101.1", "127.0.0.1", "::1", "2001:db8:8::1", "nowhere"] {
        assert_eq!(told(outside), Err(Refusal::Network), "{outside}");
    }
    assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Network), "a service must say whence it came");

    // In force at the very next request, in both directions, also when another process did it.
    site.change(ada.in_person(), key.key.id, limits("203.0.113.0/24", "", "", "")).unwrap();
    assert_eq!((told("198.51.100.1"), told("203.0.113.1")), (Err(Refusal::Network), Ok(key.key.id)));
    let (admin, id) = (ada.in_person(), key.key.id);
    let change = KeyChange { name: KeyName::parse("ci").unwrap(), limits: Limits::default() };
    let command = site.another();
    command.store().write_blocking(move |tx| api_keys::change(tx, &admin, id, &change)).unwrap();
    assert_eq!((told("198.51.100.1"), told("nowhere")), (Ok(key.key.id), Ok(key.key.id)));
}

#[test]
fn a_list_that_cannot_be_read_lets_nobody_in() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("198.51.100.0/24", "", "", ""));

    site.write(|tx| tx.execute("update api_key set networks = 'anywhere'", [])).unwrap();

    let verifier = site.verifier();
    for address in ["198.51.100.1", "2001:db8::1", "nowhere"] {
        assert_eq!(asked(&verifier, &key, &from(address)).err(), Some(Refusal::Network), "{address}");
    }
}

#[test]
fn a_rate_lets_in_as_many_as_it_says_and_a_refused_request_burns_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "3", "", ""));
    let verifier = site.verifier();
    let told = || asked(&verifier, &key, &from("203.0.113.1")).map(|verified| verified.pace);
    let left = |remaining, reset_seconds| Ok(Some(Pace { quota: 3, remaining, reset_seconds }));

    assert_eq!([told(), told(), told()], [left(2, 20), left(1, 40), left(0, 60)]);
    for _ in 0..1000 {
        assert_eq!(told(), Err(Refusal::TooFast { quota: 3, retry_after_seconds: 20 }));
    }
    site.clock.advance(seconds(19));
    assert_eq!(told(), Err(Refusal::TooFast { quota: 3, retry_after_seconds: 1 }));
    site.clock.advance(seconds(1));
    assert_eq!([told(), told()], [left(0, 60), Err(Refusal::TooFast { quota: 3, retry_after_seconds: 20 })]);

    // A service may ask as often as it likes: that says nothing about how often the key was used.
    for _ in 0..10 {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }
    site.record(&verifier);
    assert_eq!(site.key(key.key.id).uses, 4 + 10, "what was refused is not counted");
}

#[test]
fn a_request_for_what_the_key_may_not_do_burns_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "2", "", ""));
    let verifier = site.verifier();
    let scopes = &site.app.config().scopes;
    let wanting = |scope: &str| {
        let question = Asked { wanted: scopes.wanted(scope).unwrap(), ..Asked::at(Door::ForwardAuth) };
        asked(&verifier, &key, &question)
    };

    for _ in 0..10 {
        let verified = wanting("models:write").unwrap();
        assert!(!verified.rights.grant(scopes.wanted("models:write").unwrap()) && verified.pace.is_none());
    }
    // The key holder's own routes know what they want only later.
    for _ in 0..10 {
        let verified = asked(&verifier, &key, &from("203.0.113.1")).unwrap();
        verifier.take_back(&verified, Door::Api);
    }

    assert_eq!(wanting("models:read").unwrap().pace.map(|pace| pace.remaining), Some(1));
    site.record(&verifier);
    assert_eq!(site.key(key.key.id).uses, 1);
}

#[test]
fn a_site_gives_a_rate_to_keys_without_one_and_a_keys_own_comes_first() {
    let site = TestApp::with(|config| config.api_keys.rate_per_minute = Some(2));
    let ada = site.person("ada-ada");
    let (usual, own) = (site.api_key(&ada, "usual"), site.make_key(&ada, limited("", "5", "", "")));
    let verifier = site.verifier();
    let let_in = |key: &CreatedApiKey| (0..20).filter(|_| asked(&verifier, key, &from("203.0.113.1")).is_ok()).count();

    assert_eq!((let_in(&usual), let_in(&own)), (2, 5));
    site.clock.advance(minutes(1));
    site.change(ada.in_person(), own.key.id, limits("", "1", "", "")).unwrap();
    assert_eq!((let_in(&usual), let_in(&own)), (2, 1));
}

#[test]
fn many_threads_share_one_rate() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "100", "", ""));
    let verifier = site.verifier();

    let let_in: usize = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).filter(|_| asked(&verifier, &key, &from("203.0.113.1")).is_ok()).count()))
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).sum()
    });

    assert_eq!(let_in, 100);
}

impl TestApp {
    /// A service reports that this much was used with a key: a credit is a thousand seconds.
    fn charge(&self, person: &Person, key: Option<ApiKeyId>, id: &str, seconds: &str) {
        let event = NewEvent {
            source: EventName::parse("https://gpu.example/farm-1").unwrap(),
            id: EventName::parse(id).unwrap(),
            workspace: person.workspace,
            sku: "gpu.h100".into(),
            quantity: Quantity::parse(seconds).unwrap(),
            occurred_at: self.clock.now(),
            key,
        };
        let service = ServiceId::new(Timestamp::from_millis(1), &mut Rng::seeded(3));
        let farm = Actor::Service { service, name: "farm".into() };
        let answer = self.write(move |tx| usage::record_batch(tx, &farm, &[Ok(event)])).unwrap();
        assert_eq!(answer.accepted, 1, "{answer:?}");
    }

    fn give(&self, person: &Person, credits: u32) {
        let workspace = person.workspace;
        let given = self.write(move |tx| {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(credits), "A gift").unwrap();
            Ok::<_, db::Error>(())
        });
        given.unwrap();
    }
}

#[test]
fn a_budget_a_month_refuses_from_the_next_request_on_and_is_good_again_with_the_month() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.give(&ada, 1000);
    let key = site.make_key(&ada, limited("", "", "2.5", "month"));
    let verifier = site.verifier();
    let told = || verdict(&verifier, key.secret.expose());

    site.charge(&ada, Some(key.key.id), "run-1", "2499");
    assert_eq!(told(), Ok(key.key.id));
    site.charge(&ada, Some(key.key.id), "run-2", "1");

    assert_eq!(told(), Err(Refusal::BudgetSpent));
    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Err(Refusal::BudgetSpent));
    assert!(site.subjects().contains(&"The budget of your API key “ci” is spent".to_owned()));
    let month_end = site.clock.now().next_month();
    assert_eq!(site.key(key.key.id).spent_until, Some(month_end));
    site.clock.advance(month_end.since(site.clock.now()) - seconds(1));
    assert_eq!(told(), Err(Refusal::BudgetSpent));
    site.clock.advance(seconds(1));
    assert_eq!(told(), Ok(key.key.id));

    site.charge(&ada, Some(key.key.id), "run-3", "2500");
    assert_eq!(told(), Err(Refusal::BudgetSpent));
    // More of it is in force at once, and so is less: what was spent counts.
    site.change(ada.in_person(), key.key.id, limits("", "", "2.6", "month")).unwrap();
    assert_eq!(told(), Ok(key.key.id));
    site.change(ada.in_person(), key.key.id, limits("", "", "1", "month")).unwrap();
    assert_eq!(told(), Err(Refusal::BudgetSpent));
    site.change(ada.in_person(), key.key.id, Limits::default()).unwrap();
    assert_eq!(told(), Ok(key.key.id));
}

#[test]
fn a_budget_in_all_is_that_of_the_whole_line_of_keys() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.give(&ada, 1000);
    let old = site.make_key(&ada, limited("", "", "5", "total"));
    site.charge(&ada, Some(old.key.id), "run-1", "3000");
    let new = site.rotate(ada.in_person(), old.key.id, days(1)).unwrap();
    site.change(ada.in_person(), new.key.id, limits("", "", "10", "total")).unwrap();
    let verifier = site.verifier();
    let told = || [&old, &new].map(|key| verdict(&verifier, key.secret.expose()));
    assert_eq!(told(), [Ok(old.key.id), Ok(new.key.id)]);

    site.charge(&ada, Some(new.key.id), "run-2", "2000");
    assert_eq!(told(), [Err(Refusal::BudgetSpent), Ok(new.key.id)], "each by its own amount");
    site.charge(&ada, Some(new.key.id), "run-3", "5000");
    assert_eq!(told(), [Err(Refusal::BudgetSpent); 2]);
    site.clock.advance(days(400));
    assert_eq!(verdict(&verifier, new.secret.expose()), Err(Refusal::BudgetSpent), "time does not bring it back");
    assert_eq!(
        site.rotate(ada.in_person(), new.key.id, days(1)).unwrap().key.spent_until,
        site.key(new.key.id).spent_until
    );
}

#[test]
fn what_others_use_or_a_service_gets_wrong_spends_nobodys_budget() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    site.give(&ada, 1000);
    site.give(&bob, 1000);
    let key = site.make_key(&ada, limited("", "", "1", "total"));

    site.charge(&bob, Some(key.key.id), "run-1", "5000");
    site.charge(&ada, None, "run-2", "5000");

    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Ok(key.key.id));
    assert_eq!(site.number("select count(*) from api_key_spend"), 0);
}

#[test]
fn a_hundred_thousand_look_alikes_cost_no_statement() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    let mut rng = Rng::seeded(7);
    let before = db::statements_of_this_thread();

    for number in 0..100_000 {
        // The right prefix, length and digits, and one slip in forty thousand million.
        let mut alike = KeyText::generate("dok", &mut rng).expose().to_owned();
        let place = 4 + number % 40;
        let slip = if alike.as_bytes()[place] == b'0' { "1" } else { "0" };
        alike.replace_range(place..=place, slip);
        assert_eq!(verdict(&verifier, &alike), Err(Refusal::Malformed));
    }

    assert_eq!(db::statements_of_this_thread(), before);
    assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    assert!(db::statements_of_this_thread() > before, "the counter counts");
    let warm = db::statements_of_this_thread();
    for _ in 0..1000 {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }
    assert_eq!(db::statements_of_this_thread(), warm, "nor does a key that is known");
}
