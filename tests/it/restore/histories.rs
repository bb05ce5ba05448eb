//! Random histories of an appliance with restores of random older snapshots: nothing that was ended works again.

use std::collections::HashSet;
use std::path::PathBuf;

use domicile::accounts::AccountState;
use domicile::base::{Actor, ApiKeyId, Credits, Rng, Secret, ServiceId, SessionId, hours, minutes};
use domicile::billing::ledger::{self, Charge};
use domicile::config::Egress;
use domicile::db::Tx;
use domicile::resources::{self, ExternalId, NewResource, ResourceError, ResourceName};
use domicile::sessions::CookieState;
use domicile::signin::{SignInOutcome, flows};
use domicile::verification::Verifier;
use domicile::{
    accounts, api_keys, audit, factors, inbox, journal, privacy, restore, services, sessions, signin, snapshots,
};
use tempfile::TempDir;

use super::crashes::seeded;
use crate::support::{PASSWORD, Person, TestApp, create_service, oath_code, rounds, visitor};

/// Histories of a quick and of a deep run.
const HISTORIES: (usize, usize) = (2, 40);
const STEPS: usize = 40;
const NAMES: [&str; 5] = ["ada-l", "grace-h", "joan-c", "mary-s", "edith-c"];

/// What is known about a person besides the database.
struct Known {
    name: &'static str,
    person: Person,
    is_erased: bool,
    is_suspended: bool,
    /// Whether an app was confirmed after the last one was removed.
    has_app: bool,
    passwords: Vec<String>,
}

struct History {
    site: Option<TestApp>,
    rng: Rng,
    people: Vec<Known>,
    /// Credentials that must never work again.
    dead_keys: HashSet<String>,
    dead_cookies: HashSet<String>,
    live_keys: Vec<(usize, String, ApiKeyId)>,
    live_cookies: Vec<(usize, Secret<String>, SessionId)>,
    /// What a service deleted for good, and what signed its webhooks, which must never come back.
    dead_resources: HashSet<String>,
    dead_secrets: HashSet<Vec<u8>>,
    dead_addresses: HashSet<String>,
    backups: Vec<PathBuf>,
    folder: TempDir,
    restores: usize,
    log: Vec<String>,
}

impl History {
    fn new(rng: Rng) -> Self {
        let site = TestApp::with(|config| {
            config.passwords.memory_kib = 64;
            let region = config.region.clone();
            config.egress.push(Egress { host: "127.0.0.1".into(), region, purpose: "webhooks".into() });
        });
        site.write(|tx| create_service(tx, "farm").map(drop)).unwrap();
        let people = NAMES.map(|name| Known {
            name,
            person: site.person(name),
            is_erased: false,
            is_suspended: false,
            has_app: false,
            passwords: vec![PASSWORD.to_owned()],
        });
        let mut history = Self {
            site: Some(site),
            rng,
            people: people.into(),
            dead_keys: HashSet::new(),
            dead_cookies: HashSet::new(),
            live_keys: Vec::new(),
            live_cookies: Vec::new(),
            dead_resources: HashSet::new(),
            dead_secrets: HashSet::new(),
            dead_addresses: HashSet::new(),
            backups: Vec::new(),
            folder: TempDir::new().unwrap(),
            restores: 0,
            log: Vec::new(),
        };
        for index in 0..NAMES.len() {
            history.add_key(index);
        }
        history.snapshot();
        history
    }

    fn site(&self) -> &TestApp {
        self.site.as_ref().unwrap()
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.below(u32::try_from(limit).unwrap()) as usize
    }

    /// One step. The first person is left in peace, so that the history also shows what must go on working.
    fn step(&mut self) {
        self.site().clock.advance(minutes(2));
        let who = 1 + self.below(NAMES.len() - 1);
        let is_there = !self.people[who].is_erased && self.exists(who);
        let what = self.below(17);
        self.log.push(format!("{what} {}", self.people[who].name));
        match what {
            0 | 1 => self.snapshot(),
            2 if is_there && self.below(3) == 0 => self.erase(who),
            3 => self.revoke(),
            4 if is_there => self.suspend(who),
            5 if is_there => self.reactivate(who),
            6 if is_there => self.change_password(who),
            7 if is_there => self.toggle_app(who),
            8 => self.sign_out(),
            9 if is_there => self.add_key(who),
            10 => self.spend(0),
            11 if is_there => {
                self.sign_in(who);
            }
            12 => self.restore(),
            13 => self.register(),
            14 => self.purge(),
            15 => self.move_webhooks(),
            16 => self.rotate_webhook_secret(),
            _ => {}
        }
    }

    fn exists(&self, who: usize) -> bool {
        let account = self.people[who].person.account.id;
        self.site().read(|view| accounts::find(view, account).unwrap().is_some())
    }

    fn snapshot(&mut self) {
        let manifest = snapshots::publish(&self.site().app).unwrap();
        let path = self.folder.path().join(format!("{}.sqlite", self.backups.len()));
        std::fs::copy(self.site().layout().snapshot(), &path).unwrap();
        self.log.push(format!("backup {} after event {}", self.backups.len(), manifest.report.stamp.audit_seq));
        self.backups.push(path);
    }

    fn add_key(&mut self, who: usize) {
        let person = self.people[who].person.clone();
        let created = self.site().api_key(&person, "ci");
        self.live_keys.push((who, created.secret.expose().clone(), created.key.id));
    }

    fn revoke(&mut self) {
        if self.live_keys.len() <= NAMES.len() {
            return;
        }
        let index = NAMES.len() + self.below(self.live_keys.len() - NAMES.len());
        let (who, token, id) = self.live_keys.remove(index);
        let admin = self.people[who].person.credential_admin();
        // A restore may have lost the key.
        if self.site().write(move |tx| api_keys::revoke(tx, &admin, id)).is_ok() {
            self.dead_keys.insert(token);
        }
    }

    fn erase(&mut self, who: usize) {
        let account = self.people[who].person.account.id;
        privacy::flows::erase_by_operator(&self.site().app, Actor::Operator, account).unwrap();
        self.people[who].is_erased = true;
    }

    fn suspend(&mut self, who: usize) {
        let account = self.people[who].person.account.id;
        self.site().write(move |tx| signin::suspend(tx, &Actor::Operator, account, "")).unwrap();
        self.people[who].is_suspended = true;
        self.end_cookies(who);
    }

    fn reactivate(&mut self, who: usize) {
        let account = self.people[who].person.account.id;
        self.site().write(move |tx| signin::reactivate(tx, &Actor::Operator, account)).unwrap();
        self.people[who].is_suspended = false;
    }

    fn end_cookies(&mut self, who: usize) {
        let (ended, live) = std::mem::take(&mut self.live_cookies).into_iter().partition(|(owner, ..)| *owner == who);
        self.live_cookies = live;
        let ended: Vec<(usize, Secret<String>, SessionId)> = ended;
        self.dead_cookies.extend(ended.into_iter().map(|(_, token, _)| token.expose().clone()));
    }

    /// Answers whether the person is signed in now.
    fn sign_in(&mut self, who: usize) -> bool {
        let known = &self.people[who];
        let password = known.passwords.last().unwrap().clone();
        let Ok(SignInOutcome::Session { token, .. }) = self.site().sign_in(known.name, &password) else {
            return false;
        };
        let session = self.site().read(|view| sessions::current(view, token.expose()).unwrap()).unwrap().id;
        self.live_cookies.push((who, token, session));
        true
    }

    fn sign_out(&mut self) {
        if self.live_cookies.is_empty() {
            return;
        }
        let index = self.below(self.live_cookies.len());
        let (who, token, session) = self.live_cookies.remove(index);
        let (actor, account) = (self.people[who].person.by_browser(), self.people[who].person.account.id);
        self.site().write(move |tx| sessions::end(tx, &actor, account, session)).unwrap();
        self.dead_cookies.insert(token.expose().clone());
    }

    fn change_password(&mut self, who: usize) {
        // The older sessions may have expired.
        if !self.sign_in(who) {
            return;
        }
        let session = self.live_cookies.last().unwrap().2;
        let new = format!("the password number {} of theirs", self.log.len());
        let person = self.people[who].person.clone();
        let actor =
            Actor::SignedIn { account: person.account.id, workspace: person.workspace, session, visitor: visitor() };
        let secret = Secret::new(new.clone());
        let changed = flows::change_password(&self.site().app, actor, person.account.id, session, secret);
        self.site().block_on(changed).unwrap();
        self.people[who].passwords.push(new);
        self.end_cookies(who);
    }

    fn toggle_app(&mut self, who: usize) {
        let (actor, account) = (self.people[who].person.by_browser(), self.people[who].person.account.id);
        let has_app = self.site().read(|view| factors::enrolled(view, account).unwrap().has_totp);
        if has_app {
            self.site().write(move |tx| factors::remove_totp(tx, &actor, account)).unwrap();
        } else {
            let own = actor.clone();
            self.site().write(move |tx| factors::start_totp_setup(tx, &own, account)).unwrap();
            let set_up = self.site().read(|view| factors::totp_setup(view, account).unwrap().unwrap());
            let code = oath_code(set_up.seed.base32().expose(), self.site().clock.now().unix_seconds());
            self.site().write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        }
        self.people[who].has_app = !has_app;
        self.end_cookies(who);
    }

    fn spend(&mut self, who: usize) {
        let (workspace, amount) = (self.people[who].person.workspace, Credits::parse("0.01").unwrap());
        let charge = Charge::new(workspace, amount, "GPU", format!("charge {}", self.log.len()));
        self.site().write(move |tx| ledger::charge(tx, &Actor::System, charge)).unwrap();
    }

    fn farm(&self) -> (ServiceId, Actor) {
        let farm = self.site().read(|view| services::find(view, "farm").unwrap());
        (farm.id, Actor::Service { service: farm.id, name: farm.name, request: String::new() })
    }

    fn resource(&self, id: &str) -> NewResource {
        NewResource {
            external_id: ExternalId::parse(id).unwrap(),
            workspace: self.people[0].person.workspace,
            kind: "dataset".into(),
            name: ResourceName::parse(id).unwrap(),
            slug: None,
            parent: None,
            size_bytes: 10,
            version: 1,
        }
    }

    /// Registers something under one of a few ids, which may have been deleted for good.
    fn register(&mut self) {
        let id = format!("d-{}", self.below(6));
        let (new, (_, farm)) = (self.resource(&id), self.farm());
        let put = self.site().write(move |tx| resources::put(tx, &farm, &new));
        assert_eq!(put.is_ok(), !self.dead_resources.contains(&id), "{id}: {put:?}");
    }

    fn purge(&mut self) {
        let id = format!("d-{}", self.below(6));
        let (external, (_, farm)) = (ExternalId::parse(&id).unwrap(), self.farm());
        // A restore may have lost it, or it was never there.
        if self.site().write(move |tx| resources::delete_by_service(tx, &farm, &external)).is_ok() {
            self.dead_resources.insert(id);
        }
    }

    /// The stored secret that signs webhooks, sealed: a restored one has the same bytes.
    fn sealed_secret(&self) -> Option<Vec<u8>> {
        let sql = "select sealed_secret from webhook_endpoint";
        self.site().read(|view| view.find(sql, [], |row| row.get(0)).unwrap())
    }

    fn webhook_address(&self) -> Option<String> {
        let service = self.farm().0;
        self.site().read(|view| inbox::webhook(view, service).unwrap()).and_then(|endpoint| endpoint.url)
    }

    fn move_webhooks(&mut self) {
        let (old, service) = (self.webhook_address(), self.farm().0);
        let url = format!("http://127.0.0.1:9/{}", self.log.len());
        self.site().write(move |tx| inbox::set_webhook(tx, &Actor::Operator, service, Some(&url)).map(drop)).unwrap();
        self.dead_addresses.extend(old);
    }

    fn rotate_webhook_secret(&mut self) {
        let (old, service) = (self.sealed_secret(), self.farm().0);
        let rotate =
            move |tx: &mut Tx<'_>| inbox::rotate_webhook_secret(tx, &Actor::Operator, service, hours(0)).map(drop);
        // There may be none yet.
        if self.site().write(rotate).is_ok() {
            self.dead_secrets.extend(old);
        }
    }

    /// Restores a random backup, in a third of the cases twice, and checks that nothing dead came back.
    fn restore(&mut self) {
        let index = self.below(self.backups.len());
        let times = if self.below(3) == 0 { 2 } else { 1 };
        for _ in 0..times {
            let site = self.site.take().unwrap();
            let journal = self.folder.path().join("journal");
            std::fs::write(&journal, "").unwrap();
            // Only a server makes the file before the first line.
            match std::fs::read(site.layout().tombstones()) {
                Ok(lines) => std::fs::write(&journal, lines).unwrap(),
                Err(_) => assert_eq!(site.read(|view| journal::head(view).unwrap().seq), 0, "the journal is missing"),
            }
            let epoch = site.read(|view| audit::epoch_number(view).unwrap());
            let rng = self.rng.split();
            let (site, restored) = site.restore(&self.backups[index], &journal, rng);
            assert_eq!(restored.epoch.number, epoch + 1);
            self.site = Some(site);
            self.restores += 1;
            self.log.push(format!("restored backup {index}"));
            for (_, token, _) in std::mem::take(&mut self.live_cookies) {
                self.dead_cookies.insert(token.expose().clone());
            }
            self.check();
        }
    }

    /// Whether this is the stored password. Not a sign-in, because wrong ones would be slowed down.
    fn opens(&self, known: &Known, password: &str) -> bool {
        let account = known.person.account.id;
        let Some(stored) = self.site().read(|view| accounts::password_hash(view, account).unwrap()) else {
            return false;
        };
        let typed = Secret::new(password.to_owned());
        self.site().app.passwords().verify_and_wait(&typed, Some(stored)).unwrap()
    }

    fn check(&self) {
        let site = self.site();
        let verifier = Verifier::new(site.app.clone());
        let accepts = |token: &str| verifier.verify(token).unwrap().into_result().is_ok();
        for key in &self.dead_keys {
            assert!(!accepts(key), "a revoked key works again");
        }
        for (who, key, _) in &self.live_keys {
            let known = &self.people[*who];
            assert!(!accepts(key) || !(known.is_erased || known.is_suspended), "a key of {} works again", known.name);
        }
        assert!(accepts(&self.live_keys[0].1), "the key of a person whom nobody touched is refused");
        for cookie in &self.dead_cookies {
            let state = site.read(|view| sessions::cookie_state(view, cookie).unwrap());
            assert!(!matches!(state, CookieState::Live(_)), "an ended session is alive again");
        }
        for known in &self.people {
            let account = known.person.account.id;
            let is_there = site.read(|view| accounts::find(view, account).unwrap().is_some());
            assert!(!(is_there && known.is_erased), "{} is back", known.name);
            for password in known.passwords.split_last().unwrap().1 {
                assert!(!self.opens(known, password), "an old password of {} works again", known.name);
            }
            let state = site.read(|view| accounts::find(view, account).unwrap().map(|account| account.state));
            let is_suspended = state.is_none_or(|state| state == AccountState::Suspended);
            assert!(is_suspended || !known.is_suspended, "{} is not suspended any more", known.name);
            let enrolled = site.read(|view| factors::enrolled(view, account).unwrap());
            assert!(known.has_app || !enrolled.has_totp, "a removed app of {} is back", known.name);
        }
        for id in &self.dead_resources {
            let (new, (_, farm)) = (self.resource(id), self.farm());
            let put = site.write(move |tx| resources::put(tx, &farm, &new));
            assert!(matches!(put, Err(ResourceError::Deleted)), "{id} was deleted for good: {put:?}");
        }
        let secret = self.sealed_secret();
        assert!(secret.is_none_or(|secret| !self.dead_secrets.contains(&secret)), "a replaced secret signs again");
        let address = self.webhook_address();
        assert!(address.is_none_or(|url| !self.dead_addresses.contains(&url)), "an old address is called again");
        let untouched = site.sign_in(NAMES[0], PASSWORD);
        assert!(matches!(untouched, Ok(SignInOutcome::Session { .. })), "{:?}", untouched.err());
        site.read(|view| ledger::check(view).map(drop)).unwrap();
        site.read(|view| audit::verify(view).map(drop)).unwrap();
        snapshots::publish(&site.app).unwrap();
        assert!(restore::unfinished(site.layout()).is_none());
    }
}

#[test]
fn nothing_that_was_ended_works_again_in_random_histories_with_restores() {
    let mut rng = seeded();
    let mut restores = 0;
    for number in 0..rounds(HISTORIES.0, HISTORIES.1) {
        let mut history = History::new(rng.split());
        // Says what led to a failure.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                history.step();
            }
            history.restore();
        }));
        if let Err(panic) = outcome {
            eprintln!("history {number}:\n{}", history.log.join("\n"));
            std::panic::resume_unwind(panic);
        }
        restores += history.restores;
    }
    eprintln!("{restores} restores");
}
