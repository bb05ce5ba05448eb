//! An open appliance in a folder of its own, in this process: for flows and files, with a clock that stands.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use domicile::app::{App, Opening};
use domicile::base::{Actor, Chance, Clock, EmailAddress, Secret, Timestamp, Visitor};
use domicile::config::Config;
use domicile::crypto::Keyring;
use domicile::db::{self, Layout, Tx};
use domicile::jobs;
use domicile::schedule::LINES;
use domicile::signin::{self, NewPerson, flows};
use domicile::{accounts, workspaces};
use tempfile::TempDir;

use super::PASSWORD;
use super::test_house::{Person, START, visitor};

/// See the module.
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

    /// With settings changed before it opens.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config::for_demo(folder.path(), 8600).unwrap();
        change(&mut config);
        let clock = Clock::standing_at(Timestamp::parse(START).unwrap());
        let mut chance = Chance::seeded(11);
        let keyring = Keyring::generate(&mut chance, clock.now());
        keyring.write_new(&config.keyring).unwrap();
        let layout = Layout::of(&config.data_dir);
        for made in [layout.live_dir(), layout.exports()] {
            std::fs::create_dir_all(made).unwrap();
        }
        db::migrate_file(&layout.live(), &keyring.database_key_pragma()).unwrap();
        {
            let site =
                Arc::new(db::Site { config: config.clone(), keyring: Keyring::load(&config.keyring, false).unwrap() });
            let store = db::Store::open(layout, site, clock.clone(), chance.split(), |_| (), |_| ()).unwrap();
            let region = config.region.clone();
            store.write_and_wait(move |tx| db::stamp(tx, &region)).unwrap();
        }
        let on_fatal = Box::new(|error: &db::Error| panic!("a write failed for good: {error}"));
        let app = App::open(Opening { config, keyring, clock: clock.clone(), chance, on_fatal }).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { app, clock, runtime, folder }
    }

    /// The folder of everything.
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
        self.app.store().write_and_wait(work)
    }

    /// Runs every job that is due.
    pub fn run_jobs(&self) -> usize {
        self.block_on(jobs::run_due(&self.app, LINES)).unwrap()
    }

    /// A person with a real password ([`PASSWORD`]), active.
    pub fn person(&self, username: &'static str) -> Person {
        let email = EmailAddress::parse(&format!("{username}@example.org")).unwrap();
        let password = flows::new_password(&self.app, Secret::new(PASSWORD.to_owned()), username, &email).unwrap();
        let phc = self.app.passwords().hash_and_wait(&password).unwrap();
        let person = NewPerson {
            email,
            username: accounts::Username::parse(username).unwrap(),
            password: Some(phc),
            is_verified: true,
        };
        self.write(move |tx| {
            let account = signin::create_account(tx, &Actor::Operator, person)?;
            let workspace = workspaces::personal(tx, account.id)?.unwrap();
            Ok::<_, signin::SigninError>(Person { account, workspace: workspace.id })
        })
        .unwrap()
    }

    /// Somebody nobody knows yet.
    pub fn stranger(&self) -> Visitor {
        visitor()
    }

    /// A number out of the live database.
    pub fn number(&self, sql: &'static str) -> i64 {
        self.app.store().read_and_wait(|view| view.one(sql, [], |row| row.get(0))).unwrap()
    }
}
