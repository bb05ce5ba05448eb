//! A site in memory: real SQLite with all migrations, a clock that stands, randomness from a seed.

use std::path::Path;
use std::sync::Arc;

use domicile::accounts::{self, Account, Username};
use domicile::api_keys::{self, CreatedApiKey, Expiry, KeyName, Limits, NewApiKey};
use domicile::audit::{self, Filter, Recorded};
use domicile::base::{Actor, Clock, CredentialAdmin, EmailAddress, Rng, SessionId, Timestamp, Visitor, WorkspaceId};
use domicile::config::Config;
use domicile::crypto::Keyring;
use domicile::db::{self, Site, Tx, View};
use domicile::mail;
use domicile::signin::{self, NewPerson};
use domicile::workspaces;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::mailbox::Message;

/// When every test begins.
pub const START: &str = "2026-05-03T09:00:00Z";

/// An appliance of the demonstration's settings, the same one in every test.
pub fn default_settings() -> Site {
    let mut rng = Rng::seeded(7);
    let now = Timestamp::parse(START).unwrap();
    Site {
        config: Config::for_demo(Path::new("/var/lib/site"), 8600).unwrap(),
        keyring: Keyring::generate(&mut rng, now),
    }
}

/// See the module.
pub struct TestSite {
    pub connection: Connection,
    pub settings: Arc<Site>,
    pub clock: Clock,
    pub rng: Rng,
}

/// A person with a verified address and a personal workspace.
#[derive(Clone)]
pub struct Person {
    pub account: Account,
    pub workspace: WorkspaceId,
}

impl Person {
    /// The person in a browser session, as operations on credentials want it.
    pub fn in_person(&self) -> CredentialAdmin {
        let session = SessionId::new(self.account.created_at, &mut Rng::seeded(1));
        CredentialAdmin::person(self.account.id, self.workspace, session, visitor())
    }

    /// The person in a browser session.
    pub fn by_browser(&self) -> Actor {
        Actor::SignedIn {
            account: self.account.id,
            workspace: self.workspace,
            session: SessionId::new(self.account.created_at, &mut Rng::seeded(1)),
            visitor: visitor(),
        }
    }
}

/// Where the people of the tests come from.
pub fn visitor() -> Visitor {
    let agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0".into();
    Visitor { address: "203.0.113.7".into(), agent, ..Visitor::default() }
}

/// What a refusal must leave as it was.
pub const FOOTPRINT: [&str; 9] =
    ["audit_event", "mail_outbox", "job", "account", "api_key", "session", "ledger_tx", "data_request", "tombstone"];

/// The mails of the outbox, the newest first.
pub fn messages(view: &View<'_>) -> Vec<Message> {
    let recent = mail::recent(view).unwrap().into_iter();
    recent.map(|(mail, _)| Message { to: mail.recipient.to_string(), subject: mail.subject, text: mail.text }).collect()
}

/// The tables of the schema, by name.
pub fn tables(view: &View<'_>) -> Vec<String> {
    let sql =
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~' order by name";
    view.list(sql, [], |row| row.get(0)).unwrap()
}

/// Every text and blob that is stored, with its `table.column`.
pub fn stored_values(view: &View<'_>) -> Vec<(String, Vec<u8>)> {
    let mut values = Vec::new();
    for table in tables(view) {
        let columns: Vec<String> = view
            .list("select name from pragma_table_info(:table)", rusqlite::named_params! {":table": table}, |row| {
                row.get(0)
            })
            .unwrap();
        view.walk(&format!("select * from \"{table}\""), [], |row| {
            for (place, column) in columns.iter().enumerate() {
                match row.get(place)? {
                    Value::Text(text) => values.push((format!("{table}.{column}"), text.into_bytes())),
                    Value::Blob(bytes) => values.push((format!("{table}.{column}"), bytes)),
                    Value::Null | Value::Integer(_) | Value::Real(_) => {}
                }
            }
            Ok::<_, db::Error>(())
        })
        .unwrap();
    }
    values
}

/// Where `needle` stands in the database, whatever its case: `table.column`, each once.
pub fn places_of(view: &View<'_>, needle: &[u8]) -> Vec<String> {
    let mut places: Vec<_> =
        stored_values(view).into_iter().filter(|(_, value)| holds(value, needle)).map(|(place, _)| place).collect();
    places.dedup();
    places
}

/// Whether the bytes have `needle` somewhere, whatever its case.
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

impl TestSite {
    pub fn new() -> Self {
        let clock = Clock::standing_at(Timestamp::parse(START).unwrap());
        Self {
            connection: db::in_memory().unwrap(),
            settings: Arc::new(default_settings()),
            clock,
            rng: Rng::seeded(11),
        }
    }

    /// The same site once more, as a copy of its database is.
    pub fn copied(&self) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        let copying = rusqlite::backup::Backup::new(&self.connection, &mut connection).unwrap();
        assert_eq!(copying.step(-1).unwrap(), rusqlite::backup::StepResult::Done);
        drop(copying);
        Self { connection, settings: self.settings.clone(), clock: self.clock.clone(), rng: Rng::seeded(12) }
    }

    /// One transaction.
    pub fn write<T, E: From<db::Error>>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        db::write_directly(&mut self.connection, &self.settings, &self.clock, &mut self.rng, work)
    }

    /// One transaction that cannot fail.
    pub fn read<T>(&mut self, look: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        self.write(|tx| Ok::<T, db::Error>(look(tx))).unwrap()
    }

    /// A person, active, with the signup credit, made at the command line.
    pub fn person(&mut self, username: &str) -> Person {
        let person = NewPerson {
            email: EmailAddress::parse(&format!("{username}@example.org")).unwrap(),
            username: Username::parse(username).unwrap(),
            password: Some("$argon2id$not-a-real-one".into()),
            is_verified: true,
            is_operator: false,
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
            limits: Limits::default(),
        };
        let admin = owner.in_person();
        self.write(|tx| api_keys::create(tx, &admin, owner.account.id, owner.workspace, &new)).unwrap()
    }

    /// The events a person sees, the newest first.
    pub fn activity_of(&mut self, person: &Person) -> Vec<Recorded> {
        let filter = Filter { limit: 100, ..Filter::default() };
        let (account, workspace) = (person.account.id, person.workspace);
        self.read(|tx| audit::list(tx, account, workspace, &filter).unwrap().rows)
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

    /// The mails of the outbox, the newest first.
    pub fn messages(&mut self) -> Vec<Message> {
        self.read(|tx| messages(tx))
    }

    /// Somebody without a session.
    pub fn stranger(&self) -> Actor {
        Actor::Anonymous(visitor())
    }

    /// A program that holds the person's key.
    pub fn key_holder(&mut self, owner: &Person) -> Actor {
        let made = self.api_key(owner, "held", &["admin"]);
        let scopes = self.settings.config.scopes.rights_of("admin");
        let (account, workspace) = (owner.account.id, owner.workspace);
        Actor::KeyHolder { key: made.key.id, account, workspace, scopes, visitor: visitor() }
    }

    /// Stops the account, as the operator does.
    pub fn suspend(&mut self, person: &Person) {
        let id = person.account.id;
        self.write(|tx| signin::suspend(tx, &Actor::Operator, id, "")).unwrap();
    }

    /// One value out of the database.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Where `needle` stands in the database: `table.column`, each once.
    pub fn places_of(&mut self, needle: &str) -> Vec<String> {
        self.read(|tx| places_of(tx, needle.as_bytes()))
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> i64 {
        self.connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
    }

    /// What a refusal must leave as it was: events, mails, jobs, accounts, keys, transactions.
    pub fn footprint(&self) -> Vec<(&'static str, i64)> {
        FOOTPRINT.into_iter().map(|table| (table, self.count(table))).collect()
    }

    /// Everything the account's slice knows of somebody.
    pub fn find(&mut self, name: &str) -> Option<Account> {
        self.read(|tx| accounts::find_by_name(tx, name).unwrap())
    }
}
