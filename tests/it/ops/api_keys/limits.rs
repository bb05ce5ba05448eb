//! The limits of keys: networks, rates and budgets. A refused request counts against none of them.

use domicile::base::{Credits, RateLimit, ServiceId, Timestamp};
use domicile::billing;
use domicile::billing::usage;
use domicile::db;

use super::*;
use crate::support::UsageBuilder;

fn limited(networks: &str, rate: &str, budget: &str, period: &str) -> NewApiKey {
    NewApiKey { limits: limits(networks, rate, budget, period), ..new_key(&["models:read"], "never") }
}

#[test]
fn a_key_with_a_list_of_networks_is_good_there_and_nowhere_else() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("198.51.100.0/24, 2001:db8:7::/48", "", "", ""));
    let verifier = site.verifier();
    let check = |address: &str| verify(&verifier, &key, &from(address)).map(|verified| verified.key);

    for inside in ["198.51.100.1", "198.51.100.255", "::ffff:198.51.100.9", "2001:db8:7:ffff::1"] {
        assert_eq!(check(inside), Ok(key.key.id), "{inside}");
    }
    for outside in ["198.51.101.1", "127.0.0.1", "::1", "2001:db8:8::1", "nowhere"] {
        assert_eq!(check(outside), Err(Refusal::Network), "{outside}");
    }
    assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Network), "a service has to send the address");

    // A change applies from the next request, in both directions, also when another process makes it.
    site.change(ada.credential_admin(), key.key.id, limits("203.0.113.0/24", "", "", "")).unwrap();
    assert_eq!((check("198.51.100.1"), check("203.0.113.1")), (Err(Refusal::Network), Ok(key.key.id)));
    let (admin, id) = (ada.credential_admin(), key.key.id);
    let change = KeyBuilder::named("ci").change();
    let command = site.another();
    command.store().write_blocking(move |tx| api_keys::change(tx, &admin, id, &change)).unwrap();
    assert_eq!((check("198.51.100.1"), check("nowhere")), (Ok(key.key.id), Ok(key.key.id)));
}

#[test]
fn an_unreadable_list_of_networks_allows_no_address() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("198.51.100.0/24", "", "", ""));

    site.write(|tx| tx.execute("update api_key set networks = 'anywhere'", [])).unwrap();

    let verifier = site.verifier();
    for address in ["198.51.100.1", "2001:db8::1", "nowhere"] {
        assert_eq!(verify(&verifier, &key, &from(address)).err(), Some(Refusal::Network), "{address}");
    }
}

#[test]
fn an_unreadable_list_of_networks_allows_no_address_for_the_successor_either() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("198.51.100.0/24", "", "", ""));
    site.write(|tx| tx.execute("update api_key set networks = 'anywhere'", [])).unwrap();

    let successor = site.rotate(ada.credential_admin(), key.key.id, days(7)).unwrap();

    assert!(!site.key(key.key.id).limits.networks.is_empty(), "an empty list means every network");
    let verifier = site.verifier();
    for address in ["198.51.100.1", "2001:db8::1", "nowhere"] {
        assert_eq!(verify(&verifier, &successor, &from(address)).err(), Some(Refusal::Network), "{address}");
    }
}

#[test]
fn a_rate_limit_admits_exactly_its_quota_and_refused_requests_do_not_count() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "3", "", ""));
    let verifier = site.verifier();
    let check = || verify(&verifier, &key, &from("203.0.113.1")).map(|verified| verified.rate_limit);
    let left = |remaining, reset_seconds| Ok(Some(RateLimit { quota: 3, remaining, reset_seconds }));

    assert_eq!([check(), check(), check()], [left(2, 20), left(1, 40), left(0, 60)]);
    for _ in 0..1000 {
        assert_eq!(check(), Err(Refusal::RateLimited { quota: 3, retry_after_seconds: 20 }));
    }
    site.clock.advance(seconds(19));
    assert_eq!(check(), Err(Refusal::RateLimited { quota: 3, retry_after_seconds: 1 }));
    site.clock.advance(seconds(1));
    assert_eq!([check(), check()], [left(0, 60), Err(Refusal::RateLimited { quota: 3, retry_after_seconds: 20 })]);

    // The rate limit does not apply to introspection: how often a service asks says nothing about the use of the key.
    for _ in 0..10 {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }
    site.record(&verifier);
    assert_eq!(site.key(key.key.id).uses, 4 + 10, "refused requests are not counted");
}

#[test]
fn a_request_without_the_required_right_does_not_count_against_the_rate_limit() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "2", "", ""));
    let verifier = site.verifier();
    let scopes = &site.app.config().scopes;
    let require = |scope: &str| {
        let question =
            VerifyRequest { required: scopes.parse(scope).unwrap(), ..VerifyRequest::new(Channel::ForwardAuth) };
        verify(&verifier, &key, &question)
    };

    for _ in 0..10 {
        let verified = require("models:write").unwrap();
        assert!(!verified.rights.contains(scopes.parse("models:write").unwrap()) && verified.rate_limit.is_none());
    }
    // The routes under `/api/` learn only later which right they require.
    for _ in 0..10 {
        let verified = verify(&verifier, &key, &from("203.0.113.1")).unwrap();
        verifier.undo_use(&verified, Channel::Api);
    }

    assert_eq!(require("models:read").unwrap().rate_limit.map(|limit| limit.remaining), Some(1));
    site.record(&verifier);
    assert_eq!(site.key(key.key.id).uses, 1);
}

#[test]
fn the_rate_limit_of_the_site_applies_to_keys_without_their_own() {
    let site = TestApp::with(|config| config.api_keys.rate_per_minute = Some(2));
    let ada = site.person("ada-ada");
    let (usual, own) = (site.api_key(&ada, "usual"), site.make_key(&ada, limited("", "5", "", "")));
    let verifier = site.verifier();
    let admitted =
        |key: &CreatedApiKey| (0..20).filter(|_| verify(&verifier, key, &from("203.0.113.1")).is_ok()).count();

    assert_eq!((admitted(&usual), admitted(&own)), (2, 5));
    site.clock.advance(minutes(1));
    site.change(ada.credential_admin(), own.key.id, limits("", "1", "", "")).unwrap();
    assert_eq!((admitted(&usual), admitted(&own)), (2, 1));
}

#[test]
fn many_threads_share_one_rate() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, limited("", "100", "", ""));
    let verifier = site.verifier();

    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).filter(|_| verify(&verifier, &key, &from("203.0.113.1")).is_ok()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });

    assert_eq!(admitted, 100);
}

impl TestApp {
    /// Reports usage of a service with a key. A thousand seconds cost one credit.
    fn charge(&self, person: &Person, key: Option<ApiKeyId>, id: &str, seconds: &str) {
        let event = UsageBuilder::new(person.workspace, id, self.clock.now()).quantity(seconds).key(key).build();
        let service = ServiceId::new(Timestamp::from_millis(1), &mut Rng::seeded(3));
        let farm = Actor::Service { service, name: "farm".into(), request: String::new() };
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
fn a_spent_monthly_budget_blocks_the_key_from_the_next_request_until_the_next_month() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.give(&ada, 1000);
    let key = site.make_key(&ada, limited("", "", "2.5", "month"));
    let verifier = site.verifier();
    let check = || verdict(&verifier, key.secret.expose());

    site.charge(&ada, Some(key.key.id), "run-1", "2499");
    assert_eq!(check(), Ok(key.key.id));
    site.charge(&ada, Some(key.key.id), "run-2", "1");

    assert_eq!(check(), Err(Refusal::BudgetSpent));
    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Err(Refusal::BudgetSpent));
    assert!(site.subjects().contains(&"The budget of your API key “ci” is spent".to_owned()));
    let month_end = site.clock.now().next_month();
    assert_eq!(site.key(key.key.id).spent_until, Some(month_end));
    site.clock.advance(month_end.since(site.clock.now()) - seconds(1));
    assert_eq!(check(), Err(Refusal::BudgetSpent));
    site.clock.advance(seconds(1));
    assert_eq!(check(), Ok(key.key.id));
    assert_eq!(site.key(key.key.id).spent_until, None, "a new month, a new budget");

    site.charge(&ada, Some(key.key.id), "run-3", "2500");
    assert_eq!(check(), Err(Refusal::BudgetSpent));
    // A larger or smaller budget applies at once, and what was spent before counts.
    site.change(ada.credential_admin(), key.key.id, limits("", "", "2.6", "month")).unwrap();
    assert_eq!(check(), Ok(key.key.id));
    site.change(ada.credential_admin(), key.key.id, limits("", "", "1", "month")).unwrap();
    assert_eq!(check(), Err(Refusal::BudgetSpent));
    site.change(ada.credential_admin(), key.key.id, Limits::default()).unwrap();
    assert_eq!(check(), Ok(key.key.id));
}

#[test]
fn a_total_budget_is_shared_by_the_whole_family_of_keys() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.give(&ada, 1000);
    let old = site.make_key(&ada, limited("", "", "5", "total"));
    site.charge(&ada, Some(old.key.id), "run-1", "3000");
    let new = site.rotate(ada.credential_admin(), old.key.id, days(1)).unwrap();
    site.change(ada.credential_admin(), new.key.id, limits("", "", "10", "total")).unwrap();
    let verifier = site.verifier();
    let check = || [&old, &new].map(|key| verdict(&verifier, key.secret.expose()));
    assert_eq!(check(), [Ok(old.key.id), Ok(new.key.id)]);

    site.charge(&ada, Some(new.key.id), "run-2", "2000");
    assert_eq!(check(), [Err(Refusal::BudgetSpent), Ok(new.key.id)], "each by its own amount");
    site.charge(&ada, Some(new.key.id), "run-3", "5000");
    assert_eq!(check(), [Err(Refusal::BudgetSpent); 2]);
    site.clock.advance(days(400));
    assert_eq!(
        verdict(&verifier, new.secret.expose()),
        Err(Refusal::BudgetSpent),
        "a total budget does not start again"
    );
    assert_eq!(
        site.rotate(ada.credential_admin(), new.key.id, days(1)).unwrap().key.spent_until,
        site.key(new.key.id).spent_until
    );
}

#[test]
fn usage_of_others_and_wrong_reports_do_not_spend_a_budget() {
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
fn a_hundred_thousand_texts_with_a_wrong_checksum_cost_no_statement() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    let mut rng = Rng::seeded(7);
    let before = db::statements_of_this_thread();

    for number in 0..100_000 {
        // Right prefix, length and digits, but one wrong digit, so the checksum is wrong.
        let mut alike = KeyText::generate("dok", &mut rng).expose().to_owned();
        let place = 4 + number % 40;
        let slip = if alike.as_bytes()[place] == b'0' { "1" } else { "0" };
        alike.replace_range(place..=place, slip);
        assert_eq!(verdict(&verifier, &alike), Err(Refusal::Malformed));
    }

    assert_eq!(db::statements_of_this_thread(), before);
    assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    assert!(db::statements_of_this_thread() > before, "the counter works");
    let warm = db::statements_of_this_thread();
    for _ in 0..1000 {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }
    assert_eq!(db::statements_of_this_thread(), warm, "a cached key costs no statement either");
}

#[test]
fn scopes_are_only_taken_away_and_programs_lose_them_at_once() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let grace = site.person("grace-grace");
    let key = site.make_key(&ada, KeyBuilder::named("ci").scopes(&["read", "models:write"]).build());
    let (id, verifier) = (key.key.id, site.verifier());
    let rights = || verify(&verifier, &key, &from("::1")).unwrap().rights;
    let table = domicile::base::ScopeTable::new(&[]).unwrap();
    let reduce = |admin, scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        site.write(move |tx| api_keys::reduce_scopes(tx, &admin, id, &scopes))
    };
    assert_eq!(rights(), table.rights_of("read models:write"));
    let before = format!("{:?}", site.footprint());

    assert!(matches!(reduce(ada.credential_admin(), &["datasets:write"]), Err(ApiKeyError::ScopesGrow)));
    assert!(matches!(reduce(ada.credential_admin(), &["admin"]), Err(ApiKeyError::ScopesGrow)));
    assert!(matches!(reduce(ada.credential_admin(), &["flying"]), Err(ApiKeyError::UnknownScope(_))));
    assert!(matches!(reduce(ada.credential_admin(), &[]), Err(ApiKeyError::NoScope)));
    assert!(matches!(reduce(grace.credential_admin(), &["models:read"]), Err(ApiKeyError::NotFound)));
    assert!(!reduce(ada.credential_admin(), &["models:write", "read"]).unwrap().1);
    assert_eq!(format!("{:?}", site.footprint()), before, "a refusal and the same scopes change nothing");

    let (kept, lost) = reduce(ada.credential_admin(), &["models:read", "usage:read"]).unwrap();
    assert!(lost);
    assert_eq!((kept.scopes.as_str(), rights()), ("models:read usage:read", table.rights_of("models:read usage:read")));
    assert!(matches!(reduce(ada.credential_admin(), &["models:write"]), Err(ApiKeyError::ScopesGrow)));
    let admin = ada.credential_admin();
    site.write(move |tx| api_keys::revoke(tx, &admin, id)).unwrap();
    assert!(matches!(reduce(ada.credential_admin(), &["models:read"]), Err(ApiKeyError::AlreadyEnded)));
}
