//! A house in memory: real SQLite with all migrations, a clock that stands, randomness from a seed.

use std::path::Path;
use std::sync::Arc;

use domicile::accounts::{self, Account, Username};
use domicile::api_keys::{self, CreatedApiKey, Expiry, KeyName, NewApiKey};
use domicile::audit::{self, Filter, Recorded};
use domicile::base::{Actor, Chance, Clock, EmailAddress, SessionId, Timestamp, Visitor, WorkspaceId};
use domicile::config::Config;
use domicile::crypto::Keyring;
use domicile::db::{self, Site, Tx};
use domicile::signin::{self, NewPerson};
use domicile::workspaces;
use rusqlite::Connection;

/// When every test begins.
pub const START: &str = "2026-05-03T09:00:00Z";

/// An appliance of the demonstration's settings, the same one in every test.
pub fn site() -> Site {
    let mut chance = Chance::seeded(7);
    let now = Timestamp::parse(START).unwrap();
    Site {
        config: Config::for_demo(Path::new("/var/lib/house"), 8600).unwrap(),
        keyring: Keyring::generate(&mut chance, now),
    }
}

/// See the module.
pub struct TestHouse {
    pub connection: Connection,
    pub site: Arc<Site>,
    pub clock: Clock,
    pub chance: Chance,
}

/// A person with a verified address and a personal workspace.
#[derive(Clone)]
pub struct Person {
    pub account: Account,
    pub workspace: WorkspaceId,
}

impl Person {
    /// The person in a browser session.
    pub fn by_browser(&self) -> Actor {
        Actor::SignedIn {
            account: self.account.id,
            workspace: self.workspace,
            session: SessionId::new(self.account.created_at, &mut Chance::seeded(1)),
            visitor: visitor(),
        }
    }
}

/// Where the people of the tests come from.
pub fn visitor() -> Visitor {
    Visitor { address: "203.0.113.7".into(), agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0".into() }
}

impl TestHouse {
    pub fn new() -> Self {
        let clock = Clock::standing_at(Timestamp::parse(START).unwrap());
        Self { connection: db::in_memory().unwrap(), site: Arc::new(site()), clock, chance: Chance::seeded(11) }
    }

    /// One transaction.
    pub fn write<T, E: From<db::Error>>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        db::write_directly(&mut self.connection, &self.site, &self.clock, &mut self.chance, work)
    }

    /// One transaction that cannot fail.
    pub fn look<T>(&mut self, look: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        self.write(|tx| Ok::<T, db::Error>(look(tx))).unwrap()
    }

    /// A person, active, with the signup credit, made at the command line.
    pub fn person(&mut self, username: &str) -> Person {
        let person = NewPerson {
            email: EmailAddress::parse(&format!("{username}@example.org")).unwrap(),
            username: Username::parse(username).unwrap(),
            password: Some("$argon2id$not-a-real-one".into()),
            is_verified: true,
        };
        let made = self.write(|tx| {
            let account = signin::create_account(tx, &Actor::Operator, person)?;
            let workspace = workspaces::personal(tx, account.id)?.unwrap();
            Ok::<_, signin::SigninError>(Person { account, workspace: workspace.id })
        });
        made.unwrap_or_else(|error| panic!("{username} cannot be made: {error}"))
    }

    /// A key of the person's, for 90 days.
    pub fn api_key(&mut self, owner: &Person, name: &str, scopes: &[&str]) -> CreatedApiKey {
        let new = NewApiKey {
            name: KeyName::parse(name).unwrap(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expiry: Expiry::parse("90d").unwrap(),
        };
        let actor = owner.by_browser();
        self.write(|tx| api_keys::create(tx, &actor, owner.account.id, owner.workspace, &new)).unwrap()
    }

    /// The events a person sees, the newest first.
    pub fn activity_of(&mut self, person: &Person) -> Vec<Recorded> {
        let filter = Filter { limit: 100, ..Filter::default() };
        let (account, workspace) = (person.account.id, person.workspace);
        self.look(|tx| audit::list(tx, account, workspace, &filter).unwrap().rows)
    }

    /// The names of the events a person sees, the oldest first.
    pub fn events_of(&mut self, person: &Person) -> Vec<String> {
        let mut names: Vec<_> = self.activity_of(person).into_iter().map(|event| event.name).collect();
        names.reverse();
        names
    }

    /// What waits in the outbox, the oldest first: `recipient: subject`.
    pub fn outbox(&self) -> Vec<String> {
        let mut statement =
            self.connection.prepare("select recipient || ': ' || subject from mail_outbox order by id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> i64 {
        self.connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
    }

    /// What a refusal must leave as it was: events, mails, jobs, accounts, keys, transactions.
    pub fn footprint(&self) -> Vec<(&'static str, i64)> {
        ["audit_event", "mail_outbox", "job", "account", "api_key", "session", "ledger_tx", "data_request", "tombstone"]
            .into_iter()
            .map(|table| (table, self.count(table)))
            .collect()
    }

    /// Everything the account's slice knows of somebody.
    pub fn find(&mut self, name: &str) -> Option<Account> {
        self.look(|tx| accounts::find_by_name(tx, name).unwrap())
    }
}
