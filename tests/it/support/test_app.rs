//! An open appliance in its own folder, in this process: for flows and files, with a manual clock.

use std::fs::Permissions;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use domicile::api_keys::{self, CreatedApiKey, NewApiKey};
use domicile::app::{App, AppOptions};
use domicile::base::{Actor, Clock, EmailAddress, IdentityId, Rng, Secret, Timestamp, Visitor};
use domicile::config::Config;
use domicile::crypto::Keyring;
use domicile::db::{self, Decided, Layout, Tx, View};
use domicile::jobs;
use domicile::maintenance::{self, UpgradeBy};
use domicile::restore::{self, Backup, Options, RestoreError, Restored, Source};
use domicile::schedule::JOB_HANDLERS;
use domicile::signin::{self, NewPerson, SignInOutcome, SignUp, SigninError, flows};
use domicile::workspaces;
use rusqlite::named_params;
use tempfile::TempDir;

use super::PASSWORD;
use super::builders::{KeyBuilder, PersonBuilder, SignInBuilder};
use super::footprint::Footprint;
use super::mailbox::{Mailbox, Message};
use super::test_site::{self, COUNTED, Person, START, visitor};
use super::wait_for;

pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Clock,
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
}

impl TestApp {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// Opens it with changed settings.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config::for_demo(folder.path(), 8600).unwrap();
        change(&mut config);
        let clock = Clock::manual_at(Timestamp::parse(START).unwrap());
        let mut rng = Rng::seeded(11);
        let keyring = Keyring::generate(&mut rng, clock.now());
        keyring.write_new(&config.keyring).unwrap();
        let layout = Layout::new(&config.data_dir);
        for folder in [layout.live_dir(), layout.exports()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        db::migrate_file(&layout.live(), &keyring.database_key_pragma()).unwrap();
        {
            let site =
                Arc::new(db::Site { config: config.clone(), keyring: Keyring::load(&config.keyring, false).unwrap() });
            let store = db::Store::open(layout, site, clock.clone(), rng.split(), db::StoreHooks::default()).unwrap();
            let region = config.region.clone();
            store.write_blocking(move |tx| db::stamp(tx, &region)).unwrap();
        }
        let app = open(config, clock.clone(), rng.split());
        Self { app, clock, runtime: runtime(), folder }
    }

    /// Upgrades and opens the database of a published snapshot (`domicile.sqlite`, `keyring` and maybe the journal in
    /// `snapshot`) at the time `now`.
    pub fn from_snapshot(snapshot: &Path, now: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::for_demo(folder.path(), 8600).unwrap();
        let layout = Layout::new(&config.data_dir);
        for folder in [layout.live_dir(), layout.exports()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::copy(snapshot.join("domicile.sqlite"), layout.live()).unwrap();
        std::fs::copy(snapshot.join("keyring"), &config.keyring).unwrap();
        // A checkout may have given more people the right to read it, which the program refuses.
        std::fs::set_permissions(&config.keyring, Permissions::from_mode(0o600)).unwrap();
        let clock = Clock::manual_at(Timestamp::parse(now).unwrap());
        let keyring = Keyring::load(&config.keyring, false).unwrap();
        if snapshot.join("tombstones.jsonl").exists() {
            std::fs::copy(snapshot.join("tombstones.jsonl"), layout.tombstones()).unwrap();
        }
        let site = Arc::new(db::Site { config: config.clone(), keyring });
        maintenance::upgrade(&site, &clock, &mut Rng::seeded(15), UpgradeBy::Command).unwrap();
        let app = open(config, clock.clone(), Rng::seeded(14));
        Self { app, clock, runtime: runtime(), folder }
    }

    /// The folder with all files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn layout(&self) -> &Layout {
        self.app.store().layout()
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn write<T: Send + 'static, E: From<db::Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.app.store().write_blocking(work)
    }

    /// As [`TestApp::write`], for an operation that may refuse and still commit.
    pub fn write_deciding<T: Send + 'static, E: From<db::Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Decided<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.app.store().write_deciding_blocking(work)
    }

    /// Runs every job that is due.
    pub fn run_jobs(&self) -> usize {
        self.block_on(jobs::run_due(&self.app, JOB_HANDLERS)).unwrap()
    }

    /// The data of a new active person with a real password ([`PASSWORD`]).
    pub fn new_person(&self, username: &str) -> NewPerson {
        let email = EmailAddress::parse(&format!("{username}@example.org")).unwrap();
        let password = flows::new_password(&self.app, Secret::new(PASSWORD.to_owned()), username, &email).unwrap();
        let phc = self.app.passwords().hash_and_wait(&password).unwrap();
        PersonBuilder::named(username).password(phc).build()
    }

    /// An active person with a real password ([`PASSWORD`]).
    pub fn person(&self, username: &'static str) -> Person {
        let person = self.new_person(username);
        self.write(move |tx| {
            let account = signin::create_account(tx, &Actor::Operator, person)?;
            let workspace = workspaces::personal(tx, account.id)?.unwrap();
            Ok::<_, signin::SigninError>(Person { account, workspace: workspace.id })
        })
        .unwrap()
    }

    /// Opens the same folder again, as a command does while the server runs.
    pub fn another(&self) -> Arc<App> {
        open(self.app.config().clone(), self.clock.clone(), Rng::seeded(12))
    }

    /// Closes the appliance and opens it again.
    pub fn reopen(self) -> Self {
        self.reopen_with(|_| ())
    }

    /// As [`TestApp::reopen`], with changed settings.
    pub fn reopen_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.app.config().clone();
        change(&mut config);
        let clock = self.clock.clone();
        self.reopen_as(config, clock)
    }

    /// As [`TestApp::reopen`], on a machine with another clock.
    pub fn reopen_at(self, clock: Clock) -> Self {
        let config = self.app.config().clone();
        self.reopen_as(config, clock)
    }

    fn reopen_as(self, config: Config, clock: Clock) -> Self {
        self.reopen_after(config, clock, Rng::seeded(13), |_| ()).0
    }

    /// Closes the appliance, restores the snapshot with the journal over it, and opens it again. The random numbers are
    /// others than before, as those of a machine are.
    pub fn restore(self, snapshot: &Path, journal: &Path, mut rng: Rng) -> (Self, Restored) {
        let (config, clock) = (self.app.config().clone(), self.clock.clone());
        let now = clock.clone();
        self.reopen_after(config, clock, rng.split(), move |config| {
            let keyring = Keyring::load(&config.keyring, false).unwrap();
            let site = Arc::new(db::Site { config: config.clone(), keyring });
            let (snapshot, given) = (Source::open(snapshot).unwrap(), Source::open(journal).unwrap());
            let options = Options { replace: true, ..Options::default() };
            let backup = Backup { snapshot: &snapshot, journal: (Some(&given), journal), checkpoints: None };
            // A program that another test starts has all files of this process open until it runs, the locks too.
            let restored = wait_for("the locks of the closed appliance", || {
                match restore::restore(&site, &backup, options, &now, &mut rng, &|_| ()) {
                    Err(RestoreError::InUse(_)) => None,
                    other => Some(other.unwrap()),
                }
            });
            restore::check_placement(&Layout::new(&config.data_dir), &site, now.now()).unwrap();
            restored
        })
    }

    /// Closes the appliance, does `work`, and opens it again.
    fn reopen_after<T>(self, config: Config, clock: Clock, rng: Rng, work: impl FnOnce(&Config) -> T) -> (Self, T) {
        let Self { app, runtime: old, folder, .. } = self;
        // Its tasks may keep the appliance a moment longer.
        drop(old);
        let app = Arc::into_inner(app).unwrap_or_else(|| panic!("the appliance is still in use"));
        drop(app);
        let value = work(&config);
        let app = open(config, clock.clone(), rng);
        (Self { app, clock, runtime: runtime(), folder }, value)
    }

    /// Reads one consistent state.
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        self.app.store().read_blocking(|view| Ok::<_, db::Error>(read(view))).unwrap()
    }

    /// Signs up as in the form.
    pub fn sign_up(&self, email: &str, username: &str) -> Result<signin::PendingSignUp, SigninError> {
        self.sign_up_with(email, username, PASSWORD)
    }

    pub fn sign_up_with(
        &self,
        email: &str,
        username: &str,
        password: &str,
    ) -> Result<signin::PendingSignUp, SigninError> {
        let password = Secret::new(password.to_owned());
        let form = SignUp { email: email.into(), username: username.into(), password };
        self.block_on(flows::sign_up(&self.app, visitor(), form, None))
    }

    /// Signs up as the first operator, with the token of the link.
    pub fn claim_operator(&self, email: &str, username: &str, token: &str) -> Result<SignInOutcome, SigninError> {
        let password = Secret::new(PASSWORD.to_owned());
        let form = SignUp { email: email.into(), username: username.into(), password };
        self.block_on(flows::claim_operator(&self.app, visitor(), form, token.to_owned()))
    }

    /// Signs in as in the form.
    pub fn sign_in(&self, name: &str, password: &str) -> Result<SignInOutcome, SigninError> {
        let form = SignInBuilder::new(name, password).build();
        self.block_on(flows::sign_in(&self.app, visitor(), form))
    }

    /// Signs in, which must succeed. Answers the value of the cookie.
    pub fn session(&self, name: &str) -> Secret<String> {
        match self.sign_in(name, PASSWORD) {
            Ok(SignInOutcome::Session { token, .. }) => token,
            Ok(SignInOutcome::MfaPending(_)) => panic!("{name} must prove a second factor first"),
            Ok(SignInOutcome::VerificationPending(_)) => panic!("{name} must prove an address first"),
            Err(error) => panic!("{name} cannot sign in: {error}"),
        }
    }

    /// Connects an account at another provider now, as if the person had come back from there.
    pub fn connect(&self, owner: &Person, subject: &'static str) {
        let account = owner.account.id;
        self.write(move |tx| {
            let now = tx.now();
            let id = IdentityId::new(now, tx.rng());
            let identity = "
                insert into identity (id, account_id, provider, issuer, subject, label, email, linked_at, last_used_at)
                values (:id, :account, 'corp', 'https://idp.example', :subject, :subject, null, :now, :now)";
            let params = named_params! {":id": id, ":account": account, ":subject": subject, ":now": now};
            tx.execute(identity, params).map(drop)
        })
        .unwrap();
    }

    /// The labels of the person's accounts at other providers.
    pub fn connected(&self, owner: &Person) -> Vec<String> {
        let identities = self.read(|view| signin::oauth::identities(view, owner.account.id).unwrap());
        identities.into_iter().map(|identity| identity.label).collect()
    }

    /// A key of the person, valid for 90 days.
    pub fn api_key(&self, owner: &Person, name: &str) -> CreatedApiKey {
        let new = KeyBuilder::named(name).build();
        self.make_key(owner, new)
    }

    /// A key of the person as described by `new`.
    pub fn make_key(&self, owner: &Person, new: NewApiKey) -> CreatedApiKey {
        let (admin, account, workspace) = (owner.credential_admin(), owner.account.id, owner.workspace);
        self.write(move |tx| api_keys::create(tx, &admin, account, workspace, &new)).unwrap()
    }

    /// Suspends the account, as the operator does.
    pub fn suspend(&self, person: &Person) {
        let id = person.account.id;
        self.write(move |tx| signin::suspend(tx, &Actor::Operator, id, "")).unwrap();
    }

    /// The newest mail of the outbox to `to` about `subject`, sent or not.
    pub fn message(&self, to: &str, subject: &str) -> Message {
        let messages = self.read(test_site::messages);
        let found = messages.iter().find(|message| message.to == to && message.subject.contains(subject));
        found.unwrap_or_else(|| panic!("no mail to {to} about {subject:?} among {messages:?}")).clone()
    }

    /// The folder with delivered mail.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox(self.folder().join("mail"))
    }

    /// All rows, which a refused operation must not change.
    pub fn footprint(&self) -> Footprint {
        self.read(Footprint::read)
    }

    /// How many rows `work` adds to the tables that every operation writes to.
    pub fn growth(&self, work: impl FnOnce()) -> Vec<(&'static str, i64)> {
        let counts = || {
            self.read(|view| {
                let count = |table| view.one(&format!("select count(*) from {table}"), [], |row| row.get::<_, i64>(0));
                COUNTED.map(|table| (table, count(table).unwrap()))
            })
        };
        let before = counts();
        work();
        counts().into_iter().zip(before).map(|((table, now), (_, then))| (table, now - then)).collect()
    }

    /// The columns (`table.column`) whose values contain `needle`. Each once.
    pub fn columns_with(&self, needle: &str) -> Vec<String> {
        self.read(|view| test_site::columns_with(view, needle.as_bytes()))
    }

    /// The names of the files in a folder, sorted.
    pub fn files_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// A visitor without a session.
    pub fn visitor(&self) -> Visitor {
        visitor()
    }

    /// A number from the live database.
    pub fn number(&self, sql: &'static str) -> i64 {
        self.app.store().read_blocking(|view| view.one(sql, [], |row| row.get(0))).unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn open(config: Config, clock: Clock, rng: Rng) -> Arc<App> {
    let keyring = Keyring::load(&config.keyring, false).unwrap();
    let on_fatal = Box::new(|error: &db::Error| panic!("a write failed permanently: {error}"));
    App::open(AppOptions { site: Arc::new(db::Site { config, keyring }), clock, rng, on_fatal }).unwrap()
}
