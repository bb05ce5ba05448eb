//! Operations on API keys, and their verification.

use std::sync::Arc;
use std::time::Duration;

use domicile::api_keys::{
    self, ApiKey, ApiKeyError, Channel, CreatedApiKey, Expiry, KeyName, KeyState, KeyText, Limits, NewApiKey,
};
use domicile::base::{Actor, ApiKeyId, CredentialAdmin, Rng, days, hours, minutes, seconds};
use domicile::jobs::{self, NewJob};
use domicile::privacy;
use domicile::verification::{self, Refusal, VerifiedKey, Verifier, VerifyRequest};
use sha2::{Digest, Sha256};

use crate::support::{KeyBuilder, Person, TestApp, TestSite, columns_with, default_settings};

mod exposures;
mod lifecycle;
mod limits;
mod notes;
mod secrets;
mod uses;

fn new_key(scopes: &[&str], expiry: &str) -> NewApiKey {
    KeyBuilder::named("ci").scopes(scopes).expires(expiry).build()
}

impl TestSite {
    fn make(&mut self, admin: &CredentialAdmin, owner: &Person, new: &NewApiKey) -> Result<CreatedApiKey, ApiKeyError> {
        self.write(|tx| api_keys::create(tx, admin, owner.account.id, owner.workspace, new))
    }
}

impl TestApp {
    fn verifier(&self) -> Verifier {
        Verifier::new(self.app.clone())
    }

    /// The key as its owner sees it now.
    fn key(&self, id: ApiKeyId) -> ApiKey {
        self.read(|view| api_keys::find(view, &CredentialAdmin::operator(), id).unwrap())
    }

    fn do_key(
        &self,
        admin: CredentialAdmin,
        id: ApiKeyId,
        action: fn(&mut domicile::db::Tx<'_>, &CredentialAdmin, ApiKeyId) -> Result<ApiKey, ApiKeyError>,
    ) -> Result<ApiKey, ApiKeyError> {
        self.write(move |tx| action(tx, &admin, id))
    }

    fn rotate(&self, admin: CredentialAdmin, id: ApiKeyId, overlap: Duration) -> Result<CreatedApiKey, ApiKeyError> {
        self.write(move |tx| api_keys::rotate(tx, &admin, id, overlap))
    }

    fn change(&self, admin: CredentialAdmin, id: ApiKeyId, limits: Limits) -> Result<ApiKey, ApiKeyError> {
        let change = KeyBuilder::named("ci").limits(limits).change();
        self.write(move |tx| api_keys::change(tx, &admin, id, &change))
    }

    /// Runs a job of this name now.
    fn job(&self, name: &'static str) {
        self.write(move |tx| jobs::enqueue(tx, NewJob::once(name))).unwrap();
        self.run_jobs();
    }

    fn record(&self, verifier: &Verifier) {
        self.block_on(verification::record_use(&self.app, verifier)).unwrap();
    }

    /// The subjects of the queued messages, the oldest first.
    fn subjects(&self) -> Vec<String> {
        let mut messages: Vec<String> =
            self.read(|view| crate::support::messages(view).into_iter().map(|message| message.subject).collect());
        messages.reverse();
        messages
    }
}

/// Limits as typed.
fn limits(networks: &str, rate: &str, budget: &str, period: &str) -> Limits {
    Limits::parse(networks, rate, budget, period).unwrap()
}

/// A request to a route under `/api/`, from an address.
fn from(address: &str) -> VerifyRequest<'static> {
    VerifyRequest { address: address.parse().ok(), agent: "trainer/1.0", ..VerifyRequest::new(Channel::Api) }
}

fn verify(verifier: &Verifier, key: &CreatedApiKey, request: &VerifyRequest<'_>) -> Result<VerifiedKey, Refusal> {
    verifier.verify_request(key.secret.expose(), request).unwrap().into_result()
}

fn verdict(verifier: &Verifier, text: &str) -> Result<ApiKeyId, Refusal> {
    verifier.verify(text).unwrap().into_result().map(|verified| verified.key)
}

#[test]
fn a_new_key_is_listed_without_its_text_audited_and_announced_by_mail() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");

    let created = site.make(&ada.credential_admin(), &ada, &new_key(&["models:read", "billing:read"], "90d")).unwrap();

    let listed = site.read(|tx| api_keys::list(tx, ada.workspace).unwrap());
    assert_eq!(listed.len(), 1);
    let key = &listed[0];
    assert_eq!((key.id, key.name.as_str(), key.state), (created.key.id, "ci", KeyState::Active));
    assert_eq!((key.scopes.as_str(), key.uses, key.last_used_at), ("models:read billing:read", 0, None));
    assert_eq!(key.expires_at, Some(site.clock.now().plus(days(90))));
    assert!(created.secret.expose().starts_with(&key.display) && key.display.len() == 12);
    assert_eq!(site.events_of(&ada).last().unwrap(), "api_key.created");
    assert_eq!(site.outbox(), ["ada-ada@example.org: Your API key “ci” was created"]);
}

#[test]
fn the_database_has_no_key_text() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let created = site.api_key(&ada, "ci", &["models:read"]);
    let (actor, id) = (ada.credential_admin(), created.key.id);
    site.write(|tx| api_keys::revoke(tx, &actor, id)).unwrap();

    let text = created.secret.expose();
    let secret_part = &text[created.key.display.len()..];

    for hidden in [text.as_str(), &text[4..], secret_part, &secret_part[..24]] {
        assert_eq!(site.columns_with(hidden), Vec::<String>::new());
    }
    // With a digest without a pepper, a thief of the database could find out which leaked keys belong to this site.
    let digest = Sha256::digest(text);
    assert_eq!(site.read(|tx| columns_with(tx, &digest)), Vec::<String>::new());
}

#[test]
fn an_invalid_key_is_refused_and_nothing_changes() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let before = site.footprint();
    let actor = ada.credential_admin();
    let mut refused = |scopes: &[&str], expiry: &str| site.make(&actor, &ada, &new_key(scopes, expiry)).err().unwrap();

    assert!(matches!(refused(&[], "90d"), ApiKeyError::NoScope));
    for unknown in ["models:fly", "keys:write", "", "*", "MODELS:READ", "models:read billing:read"] {
        assert!(
            matches!(refused(&["models:read", unknown], "90d"), ApiKeyError::UnknownScope(name) if name == unknown)
        );
    }

    assert_eq!(site.footprint(), before);
    for name in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert!(KeyName::parse(name).is_none(), "{name:?}");
    }
    for expiry in ["", "0d", "tomorrow", "3654d", "-1d"] {
        assert!(Expiry::parse(expiry).is_none(), "{expiry:?}");
    }
    assert!(site.make(&actor, &ada, &new_key(&["reports:read"], "3653d")).is_ok());
}

#[test]
fn a_site_can_limit_the_lifetime_of_keys() {
    let mut site = TestSite::new();
    let mut strict = default_settings();
    strict.config.api_keys.max_lifetime = Some(days(30));
    site.settings = Arc::new(strict);
    let ada = site.person("ada-ada");
    let actor = ada.credential_admin();
    let before = site.footprint();

    for expiry in ["31d", "never"] {
        let refused = site.make(&actor, &ada, &new_key(&["read"], expiry));
        assert!(matches!(refused, Err(ApiKeyError::LifetimeTooLong { max_days: 30 })), "{expiry}");
    }
    assert_eq!(site.footprint(), before);
    assert!(site.make(&actor, &ada, &new_key(&["read"], "30d")).is_ok());
}

#[test]
fn a_workspace_has_at_most_a_thousand_live_keys() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let actor = ada.credential_admin();
    let (short, long) = (new_key(&["read"], "30d"), new_key(&["read"], "60d"));
    let (account, workspace) = (ada.account.id, ada.workspace);
    let keys = site
        .write(|tx| {
            let mut keys = vec![api_keys::create(tx, &actor, account, workspace, &short)?.key.id];
            for _ in 1..1000 {
                keys.push(api_keys::create(tx, &actor, account, workspace, &long)?.key.id);
            }
            Ok::<_, ApiKeyError>(keys)
        })
        .unwrap();
    let before = site.footprint();

    let refused = site.make(&actor, &ada, &short);
    assert!(matches!(refused, Err(ApiKeyError::TooMany { held: 1000 })));
    assert_eq!(site.footprint(), before);

    site.write(|tx| api_keys::revoke(tx, &actor, keys[999])).unwrap();
    site.make(&actor, &ada, &long).unwrap();
    site.clock.advance(days(30));
    site.make(&actor, &ada, &long).unwrap();
    assert!(matches!(site.make(&actor, &ada, &long), Err(ApiKeyError::TooMany { held: 1000 })));
    assert_eq!(site.read(|tx| api_keys::count_live(tx, workspace).unwrap()), 1000);
}

#[test]
fn the_key_and_workspace_of_another_person_are_not_found() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let key = site.api_key(&ada, "ci", &["read"]).key.id;
    let missing = ApiKeyId::new(site.clock.now(), &mut Rng::seeded(99));
    let before = site.footprint();

    for (actor, id) in [(bob.credential_admin(), key), (ada.credential_admin(), missing)] {
        let revoked = site.write(|tx| api_keys::revoke(tx, &actor, id));
        let found = site.read(|tx| api_keys::find(tx, &actor, id).map(|_| ()));
        assert!(matches!(revoked, Err(ApiKeyError::NotFound)));
        assert!(matches!(found, Err(ApiKeyError::NotFound)));
    }
    for (actor, account, workspace) in [
        (bob.credential_admin(), ada.account.id, ada.workspace),
        (bob.credential_admin(), bob.account.id, ada.workspace),
        (ada.credential_admin(), ada.account.id, bob.workspace),
    ] {
        let created = site.write(|tx| api_keys::create(tx, &actor, account, workspace, &new_key(&["read"], "30d")));
        assert!(matches!(created, Err(ApiKeyError::NotFound)));
    }

    assert_eq!(site.footprint(), before);
}

#[test]
fn revoking_twice_is_the_same_as_once() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci", &["read"]).key.id;
    let actor = ada.credential_admin();

    let first = site.write(|tx| api_keys::revoke(tx, &actor, key)).unwrap();
    let before = site.footprint();
    site.clock.advance(days(1));
    let second = site.write(|tx| api_keys::revoke(tx, &CredentialAdmin::operator(), key)).unwrap();

    assert_eq!(
        (first.state, second.state, first.revoked_at),
        (KeyState::Revoked, KeyState::Revoked, second.revoked_at)
    );
    assert_eq!(site.footprint(), before);
    let revoked = "ada-ada@example.org: Your API key “ci” was revoked";
    assert_eq!(site.outbox().iter().filter(|line| *line == revoked).count(), 1);
    assert_eq!(site.read(|tx| api_keys::list_live(tx, ada.workspace).unwrap()).len(), 0);
}

#[test]
fn a_good_key_gives_its_owner_and_scopes() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());

    for _ in 0..2 {
        let verified = verifier.verify(key.secret.expose()).unwrap().into_result().unwrap();
        assert_eq!((verified.key, verified.account, verified.workspace), (key.key.id, ada.account.id, ada.workspace));
        assert_eq!((&*verified.username(), &*verified.email()), ("ada-ada", "ada-ada@example.org"));
        assert_eq!((&*verified.scope, &*verified.plan()), ("models:read", "free"));
    }
}

#[test]
fn a_revoked_key_is_refused_at_the_next_request() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());
    assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));

    let (actor, id) = (ada.credential_admin(), key.key.id);
    site.write(move |tx| api_keys::revoke(tx, &actor, id)).unwrap();

    assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Unknown));
}

#[test]
fn no_thread_sees_a_revoked_key_as_good() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let verifier = Verifier::new(site.app.clone());

    for _ in 0..20 {
        let key = site.api_key(&ada, "ci");
        let revoked = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            // Read before the verification: one that began after the revocation must refuse the key.
                            let is_over = revoked.load(std::sync::atomic::Ordering::SeqCst);
                            let result = verdict(&verifier, key.secret.expose());
                            if is_over {
                                return result;
                            }
                        }
                    })
                })
                .collect();
            let (actor, id) = (ada.credential_admin(), key.key.id);
            site.write(move |tx| api_keys::revoke(tx, &actor, id)).unwrap();
            revoked.store(true, std::sync::atomic::Ordering::SeqCst);
            for thread in threads {
                assert_eq!(thread.join().unwrap(), Err(Refusal::Unknown));
            }
        });
    }
}

#[test]
fn a_key_revoked_by_another_process_is_refused_at_once_too() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (first, second) = (site.api_key(&ada, "first"), site.api_key(&ada, "second"));
    let verifier = Verifier::new(site.app.clone());
    let command = site.another();
    for key in [&first, &second] {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }

    for (key, left) in [(&first, Some(&second)), (&second, None)] {
        let (actor, id) = (ada.credential_admin(), key.key.id);
        command.store().write_blocking(move |tx| api_keys::revoke(tx, &actor, id)).unwrap();

        assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Unknown));
        if let Some(left) = left {
            assert_eq!(verdict(&verifier, left.secret.expose()), Ok(left.key.id));
        }
        // Also after this process has written, when its cache is valid again.
        site.write(|tx| tx.execute("update site set id = id where 0", [])).unwrap();
        assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Unknown));
    }
}

#[test]
fn a_key_created_by_another_process_is_good_at_once() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let verifier = Verifier::new(site.app.clone());
    let command = site.another();

    let (actor, account, workspace) = (ada.credential_admin(), ada.account.id, ada.workspace);
    let created = command
        .store()
        .write_blocking(move |tx| api_keys::create(tx, &actor, account, workspace, &new_key(&["read"], "1d")))
        .unwrap();

    assert_eq!(verdict(&verifier, created.secret.expose()), Ok(created.key.id));
}

#[test]
fn a_key_ends_in_exactly_the_second_of_its_expiry() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());

    site.clock.advance(days(90) - seconds(1));
    assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    site.clock.advance(seconds(1));

    assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Expired));
    assert_eq!(verdict(&Verifier::new(site.app.clone()), key.secret.expose()), Err(Refusal::Expired));
    let listed = site.read(|view| api_keys::list(view, ada.workspace).unwrap());
    assert_eq!(listed[0].state, KeyState::Expired);
}

#[test]
fn the_keys_of_suspended_and_erased_people_are_refused() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (adas, bobs) = (site.api_key(&ada, "ci"), site.api_key(&bob, "ci"));
    let verifier = Verifier::new(site.app.clone());
    for key in [&adas, &bobs] {
        assert_eq!(verdict(&verifier, key.secret.expose()), Ok(key.key.id));
    }

    site.suspend(&ada);
    let id = bob.account.id;
    site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();

    for key in [&adas, &bobs] {
        assert_eq!(verdict(&verifier, key.secret.expose()), Err(Refusal::Unknown));
    }
}

#[test]
fn a_mistyped_key_is_refused_without_the_database() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());
    let unknown = KeyText::generate("dok", &mut Rng::seeded(3));
    let good = key.secret.expose();
    let mut slip = good.clone();
    slip.replace_range(20..21, if &good[20..21] == "0" { "1" } else { "0" });
    let swapped_case = good.to_uppercase();
    let (live, away) = (site.layout().live_dir(), site.layout().root().join("away"));

    std::fs::rename(&live, &away).unwrap();
    // A thread that has not used the database yet has to open it, and it is not there.
    let (malformed, is_read) = std::thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let malformed = ["", "dok_", "nonsense", &slip, &good[1..], &format!("{good} "), &swapped_case]
                .map(|text| verifier.verify(text).map(|verdict| verdict.into_result().err()));
            (malformed, verifier.verify(unknown.expose()).is_err())
        });
        answers.join().unwrap()
    });
    std::fs::rename(&away, &live).unwrap();

    for answer in malformed {
        assert_eq!(answer.unwrap(), Some(Refusal::Malformed));
    }
    assert!(is_read, "a well-formed key is looked up");
    assert_eq!(verdict(&verifier, unknown.expose()), Err(Refusal::Unknown));
}

#[test]
fn a_live_key_stays_in_the_list_after_a_thousand_newer_keys_ended() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let actor = ada.credential_admin();
    let kept = site.make(&actor, &ada, &new_key(&["models:read"], "never")).unwrap().key.id;
    let revoked = site.make(&actor, &ada, &new_key(&["models:read"], "never")).unwrap().key.id;
    site.write(|tx| api_keys::revoke(tx, &actor, revoked)).unwrap();
    for _ in 0..2 {
        for _ in 0..500 {
            site.make(&actor, &ada, &new_key(&["models:read"], "30d")).unwrap();
        }
        // To exactly the end: a key is good before it, and not at it.
        site.clock.advance(days(30));
    }
    let newest = site.make(&actor, &ada, &new_key(&["models:read"], "30d")).unwrap().key.id;

    let (listed, live, count) = site.read(|tx| {
        let id = ada.workspace;
        (api_keys::list(tx, id).unwrap(), api_keys::list_live(tx, id).unwrap(), api_keys::count_live(tx, id).unwrap())
    });

    let ids: Vec<ApiKeyId> = live.iter().map(|key| key.id).collect();
    assert_eq!((ids, count), (vec![newest, kept], 2));
    assert_eq!((listed[0].id, listed[1].id, listed.len()), (newest, kept, 1000));
    assert!(listed[2..].iter().all(|key| key.state != KeyState::Active));
}

#[test]
fn uses_are_counted_and_written_together() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (used, unused) = (site.api_key(&ada, "used"), site.api_key(&ada, "unused"));
    let verifier = Verifier::new(site.app.clone());
    let began = site.clock.now();
    for _ in 0..7 {
        verdict(&verifier, used.secret.expose()).unwrap();
        site.clock.advance(seconds(1));
    }
    let find = |id: ApiKeyId| site.read(|view| api_keys::find(view, &Actor::Operator, id).unwrap());
    assert_eq!((find(used.key.id).uses, find(used.key.id).last_used_at), (0, None));

    for _ in 0..2 {
        site.block_on(verification::record_use(&site.app, &verifier)).unwrap();
    }

    assert_eq!((find(used.key.id).uses, find(used.key.id).last_used_at), (7, Some(began.plus(seconds(6)))));
    assert_eq!((find(unused.key.id).uses, find(unused.key.id).last_used_at), (0, None));
    verdict(&verifier, used.secret.expose()).unwrap();
    site.block_on(verification::record_use(&site.app, &verifier)).unwrap();
    assert_eq!(find(used.key.id).uses, 8);
}

#[test]
fn the_use_of_a_deleted_key_is_dropped() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = Verifier::new(site.app.clone());
    verdict(&verifier, key.secret.expose()).unwrap();
    let id = ada.account.id;
    site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();

    site.block_on(verification::record_use(&site.app, &verifier)).unwrap();

    assert_eq!(site.number("select count(*) from api_key_use"), 0);
}

#[test]
fn preloaded_keys_are_valid_until_they_change() {
    let site = TestApp::new();
    let (ada, bo) = (site.person("ada-ada"), site.person("bo-bobo"));
    let keys = [site.api_key(&ada, "ci"), site.api_key(&ada, "nightly"), site.api_key(&bo, "ci")];
    let verifier = Verifier::new(site.app.clone());
    assert_eq!(verifier.preload().unwrap(), 3);
    let good = || keys.each_ref().map(|key| verdict(&verifier, key.secret.expose()).is_ok());
    assert_eq!(good(), [true; 3]);

    let (actor, id) = (ada.credential_admin(), keys[0].key.id);
    site.write(move |tx| api_keys::revoke(tx, &actor, id)).unwrap();
    assert_eq!(good(), [false, true, true]);
    site.suspend(&bo);
    assert_eq!(good(), [false, true, false]);

    // A change by another process is also seen at the next request.
    let (actor, id) = (ada.credential_admin(), keys[1].key.id);
    site.another().store().write_blocking(move |tx| api_keys::revoke(tx, &actor, id)).unwrap();
    assert_eq!(good(), [false; 3]);
}
