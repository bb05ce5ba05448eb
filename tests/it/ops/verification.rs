//! The fast path of verification gives the answers of the plain path, whatever happened before.

use domicile::accounts::{self, AccountState};
use domicile::api_keys::{self, Channel, CreatedApiKey, ExposureReport, Limits};
use domicile::app::{ConcurrencyLimit, NetworkQuota};
use domicile::base::{ApiKeyId, CredentialAdmin, Credits, Rng, Visitor, hours, minutes, seconds};
use domicile::verification::{self, Refusal, Verdict, Verifier, VerifyRequest, verify_uncached};

use crate::support::{KeyBuilder, Person, TestApp};

/// What a program learns from a verdict, as text. The rate limit is a state of the process, so it is left out.
fn seen_by_program(verdict: Verdict) -> String {
    match verdict {
        Verdict::Refused(refusal) => format!("{refusal:?}"),
        Verdict::Valid(key) => format!(
            "{} {} {:?} {:?} {} {} {}",
            key.key,
            &*key.scope,
            key.rights,
            key.expires_at,
            &*key.username(),
            &*key.workspace_text(),
            key.role.as_str()
        ),
    }
}

struct History {
    app: TestApp,
    rng: Rng,
    people: [Person; 2],
    keys: Vec<CreatedApiKey>,
    verifier: Verifier,
}

impl History {
    fn new(seed: u64) -> Self {
        let app = TestApp::new();
        let people = [app.person("ada-ada"), app.person("bob-bob")];
        let keys = people.each_ref().map(|owner| app.api_key(owner, "ci")).into();
        let verifier = Verifier::new(app.app.clone());
        Self { app, rng: Rng::seeded(seed), people, keys, verifier }
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.rng.bytes::<1>()[0] % bound
    }

    /// One thing that happens. An operation that is not possible now changes nothing.
    fn step(&mut self) {
        let admin = CredentialAdmin::operator();
        let index = usize::from(self.below(u8::try_from(self.keys.len()).unwrap()));
        let id = self.keys[index].key.id;
        let owner = usize::from(self.below(2));
        let amount = self.below(3);
        match self.below(13) {
            0 if self.keys.len() < 12 => self.create(owner),
            1 => self.rotate(id),
            2 => drop(self.app.write(move |tx| api_keys::disable(tx, &admin, id))),
            3 => drop(self.app.write(move |tx| api_keys::enable(tx, &admin, id))),
            4 => self.expose(index),
            5 => drop(self.app.write(move |tx| api_keys::restore(tx, &admin, id))),
            6 if amount == 0 => drop(self.app.write(move |tx| api_keys::revoke(tx, &admin, id))),
            7 => self.change(id),
            8 => {
                let (workspace, cost) = (self.keys[index].key.workspace, Credits::from_micro(400_000).unwrap());
                self.app.write(move |tx| api_keys::spend(tx, id, workspace, cost)).unwrap();
            }
            9 => {
                let (account, states) =
                    (self.people[owner].account.id, [AccountState::Active, AccountState::Suspended]);
                let state = states[usize::from(amount == 0)];
                drop(self.app.write(move |tx| accounts::set_state(tx, account, state)));
            }
            10 => self.app.clock.advance([seconds(1), minutes(50), hours(30)][usize::from(amount)]),
            // A command while the server runs.
            11 => {
                let other = self.app.another();
                drop(other.store().write_blocking(move |tx| api_keys::disable(tx, &admin, id)));
            }
            _ => self.app.block_on(verification::record_use(&self.app.app, &self.verifier)).unwrap(),
        }
    }

    fn create(&mut self, owner: usize) {
        let expiry = ["never", "1d", "3d"][usize::from(self.below(3))];
        let scope = ["models:read", "training"][usize::from(self.below(2))];
        let new = KeyBuilder::named("ci").scopes(&[scope]).expires(expiry).build();
        let created = self.app.make_key(&self.people[owner], new);
        self.keys.push(created);
    }

    fn rotate(&mut self, id: ApiKeyId) {
        let overlap = hours(u64::from(self.below(3)) * 20);
        let admin = CredentialAdmin::operator();
        if self.keys.len() < 12
            && let Ok(created) = self.app.write(move |tx| api_keys::rotate(tx, &admin, id, overlap))
        {
            self.keys.push(created);
        }
    }

    fn expose(&self, index: usize) {
        let lookups = self.app.app.keyring().lookups(self.keys[index].secret.expose().as_bytes()).collect();
        let report = ExposureReport { lookups, kind: String::new(), url: String::new(), source: String::new() };
        self.app.write(move |tx| api_keys::expose(tx, &[report])).unwrap();
    }

    fn change(&mut self, id: ApiKeyId) {
        let networks = ["", "203.0.113.0/24"][usize::from(self.below(2))];
        let budget = ["", "1"][usize::from(self.below(2))];
        let limits = Limits::parse(networks, "", budget, "month").unwrap();
        let change = KeyBuilder::named("ci").limits(limits).change();
        let admin = CredentialAdmin::operator();
        drop(self.app.write(move |tx| api_keys::change(tx, &admin, id, &change)));
    }

    /// Asks both paths about every key, twice, so that the fast path also answers from memory. Returns the answers.
    fn compare(&self, context: &str) -> Vec<String> {
        let here = VerifyRequest { address: "203.0.113.7".parse().ok(), ..VerifyRequest::new(Channel::Api) };
        let elsewhere = VerifyRequest { address: "198.51.100.7".parse().ok(), ..here };
        // A service that may only touch the workspace of the first person.
        let granted = [self.people[0].workspace];
        let limited = VerifyRequest { workspaces: Some(&granted), ..here };
        let mut answers = Vec::new();
        for key in &self.keys {
            for request in [&limited, &here, &elsewhere, &limited, &here] {
                let text = key.secret.expose();
                let plain = self.app.read(|view| verify_uncached(view, text, request).unwrap());
                let plain = seen_by_program(plain);
                let fast = seen_by_program(self.verifier.verify_request(text, request).unwrap());
                assert_eq!(fast, plain, "{context}: {}", key.key.id);
                if request.workspaces.is_some() && key.key.workspace != granted[0] {
                    assert_eq!(plain, "Unknown", "{context}: {}", key.key.id);
                }
                answers.push(plain);
            }
        }
        answers
    }
}

#[test]
fn the_fast_path_gives_the_answers_of_the_plain_path() {
    let mut answers = Vec::new();
    for seed in 0..6 {
        let mut history = History::new(seed);
        for step in 0..120 {
            history.step();
            answers.extend(history.compare(&format!("seed {seed}, step {step}")));
        }
    }

    // Otherwise the histories would compare nothing.
    let refusals = [
        Refusal::Unknown,
        Refusal::Replaced,
        Refusal::Expired,
        Refusal::Disabled,
        Refusal::Quarantined,
        Refusal::Network,
        Refusal::BudgetSpent,
    ];
    for refusal in refusals {
        assert!(answers.contains(&format!("{refusal:?}")), "no history has the answer {refusal:?}");
    }
    assert!(answers.iter().any(|answer| answer.contains("ada-ada")));
}

#[test]
fn a_key_of_a_viewer_has_only_its_rights_to_read() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.make_key(&ada, KeyBuilder::named("ci").scopes(&["models"]).build());
    let text = key.secret.expose();
    let request = VerifyRequest::new(Channel::Api);
    let scopes = |text: &str| site.app.config().scopes.rights_of(text);
    let rights = || {
        let plain = site.read(|view| verify_uncached(view, text, &request).unwrap()).into_result().unwrap().rights;
        let fast = Verifier::new(site.app.clone()).verify_request(text, &request).unwrap().into_result().unwrap();
        (plain, fast.rights)
    };
    assert_eq!(rights(), (scopes("models"), scopes("models")));

    site.write(|tx| tx.execute("update membership set role = 'viewer'", [])).unwrap();

    assert_eq!(rights(), (scopes("models:read"), scopes("models:read")));
    assert_ne!(scopes("models:read"), scopes("models"));
}

#[test]
fn a_flood_of_networks_gives_no_new_requests_to_one_that_used_its_own() {
    let site = TestApp::new();
    let visitor = |address: String| Visitor { address, ..Visitor::default() };
    let checks = NetworkQuota { name: "username_check", per_minute: 60 };
    let first = visitor("198.51.100.1".into());
    assert!((0..60).all(|_| site.app.admit(checks, &first).is_ok()));

    for other in 0..40_000 {
        let other = visitor(format!("10.{}.{}.{}", other >> 16, other >> 8 & 255, other & 255));
        assert!(site.app.admit(checks, &other).is_ok());
    }

    assert_eq!(site.app.admit(checks, &first), Err(1));
    // Each name has its own count, and an IPv6 network is a /64.
    let reports = NetworkQuota { name: "key_exposures", per_minute: 1 };
    assert!(site.app.admit(reports, &first).is_ok());
    assert!(site.app.admit(reports, &visitor("2001:db8:1:1::1".into())).is_ok());
    assert_eq!(site.app.admit(reports, &visitor("2001:db8:1:1:ffff::2".into())), Err(60));
    assert!(site.app.admit(reports, &visitor("2001:db8:1:2::1".into())).is_ok());
}

#[test]
fn a_permit_is_given_back_when_it_is_dropped() {
    let (one, two) = (TestApp::new(), TestApp::new());
    let limit = ConcurrencyLimit { name: "pictures", max: 1 };

    let permit = one.app.try_permit(limit);
    assert!(permit.is_some() && one.app.try_permit(limit).is_none());
    // Another appliance in the same process has its own.
    assert!(two.app.try_permit(limit).is_some());
    drop(permit);
    assert!(one.app.try_permit(limit).is_some());
}

#[test]
fn a_preloaded_key_is_verified_with_its_owner_from_memory() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());
    assert_eq!(verifier.preload().unwrap(), 1);

    // A change that nothing tells the verifier about.
    site.write(|tx| {
        let triggers = "select name from sqlite_schema where type = 'trigger' and tbl_name = 'account'";
        let triggers: Vec<String> = tx.list(triggers, [], |row| row.get(0))?;
        for trigger in triggers {
            tx.execute(&format!("drop trigger {trigger}"), [])?;
        }
        tx.execute("update account set username = 'other-one'", [])
    })
    .unwrap();

    let username = |verifier: &Verifier| {
        let verdict = verifier.verify(key.secret.expose()).unwrap();
        verdict.into_result().unwrap().username().to_string()
    };
    assert_eq!(username(&verifier), "ada-ada");
    assert_eq!(username(&Verifier::new(site.app.clone())), "other-one");
}

#[test]
fn a_preload_that_is_stopped_reads_nothing_more() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());

    verifier.stop_preload();

    assert_eq!(verifier.preload().unwrap(), 0);
    assert!(verifier.verify(key.secret.expose()).unwrap().into_result().is_ok());
}
