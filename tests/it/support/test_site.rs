//! A site in memory: real SQLite with all migrations, a manual clock, random numbers from a seed.

use std::path::Path;
use std::sync::Arc;

use domicile::accounts::{self, Account};
use domicile::api_keys::{self, CreatedApiKey};
use domicile::audit::{self, Filter, RecordedEvent};
use domicile::base::{Actor, Clock, CredentialAdmin, Rng, SessionId, Timestamp, Visitor, WorkspaceId};
use domicile::config::Config;
use domicile::crypto::Keyring;
use domicile::db::{self, Decided, Decision, Site, Tx, View};
use domicile::mail;
use domicile::privacy::data_map;
use domicile::signin::{self};
use domicile::workspaces;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::builders::{KeyBuilder, PersonBuilder};
use super::footprint::Footprint;
use super::mailbox::Message;

/// The time at which every test begins.
pub const START: &str = "2026-05-03T09:00:00Z";

/// An appliance with the settings of the demo, the same in every test.
pub fn default_settings() -> Site {
    let mut rng = Rng::seeded(7);
    let now = Timestamp::parse(START).unwrap();
    Site {
        config: Config::for_demo(Path::new("/var/lib/site"), 8600).unwrap(),
        keyring: Keyring::generate(&mut rng, now),
    }
}

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
    /// The person in a browser session, for operations on credentials.
    pub fn credential_admin(&self) -> CredentialAdmin {
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

/// The address and browser of the people in the tests.
pub fn visitor() -> Visitor {
    let agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0".into();
    Visitor { address: "203.0.113.7".into(), agent, ..Visitor::default() }
}

/// The tables whose growth is compared where two requests must cost the same.
pub const COUNTED: [&str; 9] =
    ["audit_event", "mail_outbox", "job", "account", "api_key", "session", "ledger_tx", "data_request", "journal"];

/// The mails of the outbox, the newest first.
pub fn messages(view: &View<'_>) -> Vec<Message> {
    let recent = mail::recent(view).unwrap().into_iter();
    recent.map(|mail| Message { to: mail.recipient.to_string(), subject: mail.subject, text: mail.text }).collect()
}

/// The tables of the schema, by name.
pub fn tables(view: &View<'_>) -> Vec<String> {
    let sql =
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~' order by name";
    view.list(sql, [], |row| row.get(0)).unwrap()
}

/// All stored texts and blobs, each with its `table.column`.
pub fn stored_values(view: &View<'_>) -> Vec<(String, Vec<u8>)> {
    let mut values = Vec::new();
    for table in tables(view) {
        let columns: Vec<String> = view
            .list("select name from pragma_table_info(:table)", rusqlite::named_params! {":table": table}, |row| {
                row.get(0)
            })
            .unwrap();
        view.walk(&format!("select * from \"{table}\""), [], |row| {
            for (index, column) in columns.iter().enumerate() {
                match row.get(index)? {
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

/// The columns (`table.column`) whose values contain `needle`, ignoring case. Each once.
pub fn columns_with(view: &View<'_>, needle: &[u8]) -> Vec<String> {
    let mut columns: Vec<_> =
        stored_values(view).into_iter().filter(|(_, value)| holds(value, needle)).map(|(column, _)| column).collect();
    columns.dedup();
    columns
}

/// Whether the bytes contain `needle`, ignoring case.
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

impl TestSite {
    pub fn new() -> Self {
        let clock = Clock::manual_at(Timestamp::parse(START).unwrap());
        Self {
            connection: db::in_memory().unwrap(),
            settings: Arc::new(default_settings()),
            clock,
            rng: Rng::seeded(11),
        }
    }

    /// A second site with a copy of the database.
    pub fn copied(&self) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        let copying = rusqlite::backup::Backup::new(&self.connection, &mut connection).unwrap();
        assert_eq!(copying.step(-1).unwrap(), rusqlite::backup::StepResult::Done);
        drop(copying);
        Self { connection, settings: self.settings.clone(), clock: self.clock.clone(), rng: Rng::seeded(12) }
    }

    /// Runs one transaction.
    pub fn write<T, E: From<db::Error>>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        db::write_directly(&mut self.connection, &self.settings, &self.clock, &mut self.rng, work)
    }

    /// As [`TestSite::write`], for an operation that may refuse and still commit.
    pub fn write_deciding<T, E: From<db::Error>>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Decided<T, E>,
    ) -> Result<T, E> {
        match self.write(work)? {
            Decision::Done(value) => Ok(value),
            Decision::Refused(error) => Err(error),
        }
    }

    /// Runs one transaction that cannot fail.
    pub fn read<T>(&mut self, read: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        self.write(|tx| Ok::<T, db::Error>(read(tx))).unwrap()
    }

    /// An active person with the sign-up credit, created as at the command line.
    pub fn person(&mut self, username: &str) -> Person {
        let person = PersonBuilder::named(username).build();
        let person = self.write(|tx| {
            let account = signin::create_account(tx, &Actor::Operator, person)?;
            let workspace = workspaces::personal(tx, account.id)?.unwrap();
            Ok::<_, signin::SigninError>(Person { account, workspace: workspace.id })
        });
        person.unwrap_or_else(|error| panic!("{username} cannot be created: {error}"))
    }

    /// A key of the person, valid for 90 days.
    pub fn api_key(&mut self, owner: &Person, name: &str, scopes: &[&str]) -> CreatedApiKey {
        let new = KeyBuilder::named(name).scopes(scopes).build();
        let admin = owner.credential_admin();
        self.write(|tx| api_keys::create(tx, &admin, owner.account.id, owner.workspace, &new)).unwrap()
    }

    /// The events that a person sees, the newest first.
    pub fn activity_of(&mut self, person: &Person) -> Vec<RecordedEvent> {
        let filter = Filter { limit: 100, ..Filter::default() };
        let (account, workspace) = (person.account.id, person.workspace);
        self.read(|tx| audit::list(tx, account, workspace, &filter).unwrap().rows)
    }

    /// The names of the events that a person sees, the oldest first.
    pub fn events_of(&mut self, person: &Person) -> Vec<String> {
        let mut names: Vec<_> = self.activity_of(person).into_iter().map(|event| event.name).collect();
        names.reverse();
        names
    }

    /// The mails of the outbox, the oldest first: `recipient: subject`.
    pub fn outbox(&self) -> Vec<String> {
        let mut statement =
            self.connection.prepare("select recipient || ': ' || subject from mail_outbox order by id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The mails of the outbox, the newest first.
    pub fn messages(&mut self) -> Vec<Message> {
        self.read(|tx| messages(tx))
    }

    /// A visitor without a session.
    pub fn anonymous(&self) -> Actor {
        Actor::Anonymous(visitor())
    }

    /// A program with a key of the person.
    pub fn key_holder(&mut self, owner: &Person) -> Actor {
        let created = self.api_key(owner, "held", &["admin"]);
        let scopes = self.settings.config.scopes.rights_of("admin");
        let (account, workspace) = (owner.account.id, owner.workspace);
        Actor::KeyHolder { key: created.key.id, account, workspace, scopes, visitor: visitor() }
    }

    /// Suspends the account, as the operator does.
    pub fn suspend(&mut self, person: &Person) {
        let id = person.account.id;
        self.write(|tx| signin::suspend(tx, &Actor::Operator, id, "")).unwrap();
    }

    /// One value from the database.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The columns (`table.column`) whose values contain `needle`. Each once.
    pub fn columns_with(&mut self, needle: &str) -> Vec<String> {
        self.read(|tx| columns_with(tx, needle.as_bytes()))
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> i64 {
        self.connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
    }

    /// How many rows each table has, by the order of the data map.
    pub fn counts(&self) -> Vec<i64> {
        data_map::tables().map(|table| self.count(table.name)).collect()
    }

    /// All rows, which a refused operation must not change.
    pub fn footprint(&mut self) -> Footprint {
        self.read(|tx| Footprint::read(tx))
    }

    /// The account with this name or address.
    pub fn find(&mut self, name: &str) -> Option<Account> {
        self.read(|tx| accounts::find_by_name(tx, name).unwrap())
    }
}
