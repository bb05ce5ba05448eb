//! An appliance with many keys, in a temporary folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use domicile::api_keys::KeyText;
use domicile::app::{App, AppOptions};
use domicile::base::{
    AccountId, Actor, ApiKeyId, Clock, CredentialAdmin, Credits, EmailId, Rng, Secret, Timestamp, Visitor, WorkspaceId,
};
use domicile::billing;
use domicile::config::Config;
use domicile::crypto::{Keyring, Password};
use domicile::db::{self, Layout};
use domicile::sessions;
use domicile::signin::{self};
use domicile::{api_keys, workspaces};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::builders::{KeyBuilder, PersonBuilder, SessionBuilder, create_service};
use crate::cores::Core;
use crate::process::{Server, free_address};
use crate::seed::{self, Seed};
use crate::{Failure, fail};

/// The person who opens pages and signs in.
pub const USERNAME: &str = "ada-l";
pub const PASSWORD: &str = "a walk by the river";
/// The number of keys of each account.
const KEYS_PER_ACCOUNT: usize = 20;
/// The number of workspaces that usage is reported for.
const CUSTOMERS: usize = 10;

/// Where an appliance listens whose folder is kept.
const KEPT_ADDRESS: &str = "127.0.0.1:8080";

/// The binary under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_domicile");

/// An appliance and its credentials.
pub struct Fixture {
    folder: PathBuf,
    /// Removes the folder at the end. `None`: the folder is kept.
    _temporary: Option<TempDir>,
    pub address: SocketAddr,
    config: PathBuf,
    /// The hash of [`PASSWORD`].
    phc: String,
    /// The texts of all keys, concatenated.
    keys: String,
    key_bytes: usize,
    /// The credential of a service.
    pub service: String,
    /// The session cookie of a person.
    pub session: String,
    /// The CSRF token of that session.
    pub csrf: String,
    /// Workspaces with credit.
    pub customers: Vec<String>,
    /// The key of the first customer.
    pub sample_key: String,
}

impl Fixture {
    /// Makes an appliance with `count` keys.
    pub fn with_keys(count: usize) -> Result<Self, Failure> {
        let mut fixture = Self::temporary()?;
        let app = fixture.open()?;
        fixture.insert_keys(&app, count)?;
        Ok(fixture)
    }

    /// Makes an appliance in a folder that is kept, and fills it. `progress` as in [`seed::fill`].
    pub fn seeded_into(folder: &Path, seed: Seed, progress: impl Fn(&str, u64)) -> Result<Self, Failure> {
        let fixture = Self::new(folder.to_owned(), None, KEPT_ADDRESS.parse()?)?;
        seed::fill(&*fixture.open()?, seed, &fixture.phc, progress)?;
        Ok(fixture)
    }

    /// As [`Fixture::seeded_into`], in a folder that is removed at the end.
    pub fn seeded(seed: Seed) -> Result<Self, Failure> {
        let fixture = Self::temporary()?;
        seed::fill(&*fixture.open()?, seed, &fixture.phc, |_, _| ())?;
        Ok(fixture)
    }

    fn temporary() -> Result<Self, Failure> {
        // In the build folder and not in the temporary folder, which may be in memory: writes must reach a disk.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        Self::new(folder.path().to_owned(), Some(folder), free_address()?)
    }

    /// An appliance with the customers only.
    fn new(folder: PathBuf, temporary: Option<TempDir>, address: SocketAddr) -> Result<Self, Failure> {
        let config = folder.join("domicile.toml");
        std::fs::write(&config, settings(&folder, address))?;
        let init = Command::new(PROGRAM).arg("init").arg("--config").arg(&config).output()?;
        if !init.status.success() {
            return Err(fail(String::from_utf8_lossy(&init.stderr)));
        }
        let mut fixture = Self {
            folder,
            _temporary: temporary,
            address,
            config,
            phc: String::new(),
            keys: String::new(),
            key_bytes: 0,
            service: String::new(),
            session: String::new(),
            csrf: String::new(),
            customers: Vec::new(),
            sample_key: String::new(),
        };
        let app = fixture.open()?;
        fixture.create_people(&app)?;
        Ok(fixture)
    }

    /// Opens the appliance in this process.
    pub fn open(&self) -> Result<Arc<App>, Failure> {
        let config = Config::load(&self.config, &[])?;
        let keyring = Keyring::load(&config.keyring, false)?;
        let opening = AppOptions {
            site: Arc::new(db::Site { config, keyring }),
            clock: Clock::system(),
            rng: Rng::system(),
            on_fatal: Box::new(|_| ()),
        };
        Ok(App::open(opening)?)
    }

    /// Serves the appliance in a process of its own. It publishes no snapshot, which would occupy a core during many
    /// measurements: as if another process published all the time.
    pub fn serve(&self, core: Core) -> Result<Server, Failure> {
        let data_dir = Config::load(&self.config, &[])?.data_dir;
        let lock = db::lock_file(&Layout::new(&data_dir).snapshot_lock())?;
        Ok(self.serve_and_publish(core)?.with(lock))
    }

    /// Serves the appliance in a process of its own, which publishes a snapshot after the start.
    pub fn serve_and_publish(&self, core: Core) -> Result<Server, Failure> {
        let mut program = Command::new(PROGRAM);
        program.arg("serve").arg("--config").arg(&self.config);
        Server::start(program, self.address, core, &self.folder.join("server.log"))
    }

    /// A folder for temporary files on the same disk.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The number of keys.
    pub fn count(&self) -> usize {
        self.keys.len() / self.key_bytes.max(1)
    }

    /// The text of the key with this number.
    pub fn key(&self, number: usize) -> &str {
        let start = number % self.count().max(1) * self.key_bytes;
        &self.keys[start..start + self.key_bytes]
    }

    /// The texts of all keys, and the length of each, for a load that outlives the fixture's borrow.
    pub fn keys(&self) -> (Arc<str>, usize) {
        (self.keys.as_str().into(), self.key_bytes)
    }

    /// The number of people who own keys.
    pub fn people(&self) -> u64 {
        self.count().div_ceil(KEYS_PER_ACCOUNT) as u64
    }

    /// Gives the password [`PASSWORD`] to those of the first `count` key owners who have none.
    pub fn give_passwords(&self, count: u64) -> Result<(), Failure> {
        let app = self.open()?;
        let connection = plain_writer(&app)?;
        connection.execute_batch("begin immediate")?;
        for number in 0..count {
            connection
                .prepare_cached(
                    "insert into password (account_id, phc, changed_at) select id, ?2, ?3 from account where username = ?1
                     on conflict do nothing",
                )?
                .execute(params![person_name(number), self.phc, app.now()])?;
        }
        connection.execute_batch("commit")?;
        Ok(())
    }

    fn create_people(&mut self, app: &App) -> Result<(), Failure> {
        let password =
            Password::parse(Secret::new(PASSWORD.to_owned()), 15, &[]).map_err(|fault| fail(format!("{fault:?}")))?;
        self.phc = app.passwords().hash_and_wait(&password)?;
        let phc = self.phc.clone();
        let (service, session, customers, key) = app.store().write_blocking(move |tx| {
            let operator = Actor::Operator;
            let (_, credential) = create_service(tx, "training")?;
            let (mut session, mut key) = (None, None);
            let mut customers = Vec::new();
            for number in 0..CUSTOMERS {
                let username = if number == 0 { USERNAME.to_owned() } else { format!("customer-{number}") };
                let person = PersonBuilder::named(&username).password(phc.clone()).build();
                let account = signin::create_account(tx, &operator, person)?;
                let workspace = workspaces::personal(tx, account.id)?.ok_or_else(|| fail("a workspace"))?;
                billing::grant_by_operator(tx, &operator, workspace.id, Credits::whole(1_000_000), "Benchmark")?;
                let new = KeyBuilder::named("training-server").scopes(&["training", "read"]).expires("never").build();
                let created = api_keys::create(tx, &CredentialAdmin::operator(), account.id, workspace.id, &new)?;
                key.get_or_insert(created.secret.expose().clone());
                customers.push(workspace.id.to_string());
                if session.is_none() {
                    let new = SessionBuilder::new(account.id, Visitor::default()).remember(true).build();
                    session = Some(sessions::start(tx, &operator, &new)?.1);
                }
            }
            let session = session.ok_or_else(|| fail("a session"))?;
            let key = key.ok_or_else(|| fail("a key"))?;
            Ok::<_, Failure>((credential.expose().clone(), session.expose().clone(), customers, key))
        })?;
        self.csrf = domicile::http::csrf::token(app, &session);
        (self.service, self.session, self.customers, self.sample_key) = (service, session, customers, key);
        Ok(())
    }

    /// Inserts keys and their owners in one transaction, with the rows that the operations would write, but without
    /// audit events.
    fn insert_keys(&mut self, app: &App, count: usize) -> Result<(), Failure> {
        let layout = Layout::new(&app.config().data_dir);
        let mut connection = Connection::open(layout.live())?;
        let pragma = Secret::new(format!("pragma key = \"{}\"", app.keyring().database_key_pragma().expose()));
        connection.execute_batch(pragma.expose())?;
        // A large cache and no waiting for the disk, because this database need not survive a power failure.
        connection
            .execute_batch("pragma synchronous = off; pragma cache_size = -2000000; pragma wal_autocheckpoint = 0")?;
        let prefix = app.config().api_keys.prefix.clone();
        let mut rng = Rng::seeded(1);
        let now = app.now();
        let transaction = connection.transaction()?;
        {
            let mut insert = Inserts { connection: &transaction, rng: &mut rng, now };
            let mut owner = None;
            for number in 0..count {
                if number % KEYS_PER_ACCOUNT == 0 {
                    owner = Some(insert.person(number / KEYS_PER_ACCOUNT)?);
                }
                let (account, workspace) = owner.ok_or_else(|| fail("a key without an owner"))?;
                let text = KeyText::generate(&prefix, insert.rng);
                insert.key(app.keyring(), account, workspace, &text)?;
                self.key_bytes = text.expose().len();
                self.keys.push_str(text.expose());
            }
        }
        transaction.commit()?;
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        Ok(())
    }
}

struct Inserts<'c> {
    connection: &'c Connection,
    rng: &'c mut Rng,
    now: Timestamp,
}

impl Inserts<'_> {
    fn person(&mut self, number: usize) -> Result<(AccountId, WorkspaceId), Failure> {
        let (account, workspace) = (AccountId::new(self.now, self.rng), WorkspaceId::new(self.now, self.rng));
        let email = EmailId::new(self.now, self.rng);
        let name = person_name(number as u64);
        let address = format!("{name}@example.org");
        self.connection
            .prepare_cached(
                "insert into account (id, username, display_name, region, state, created_at)
                 values (?1, ?2, ?3, 'eu', 'active', ?4)",
            )?
            .execute(params![account, name, format!("Person {number}"), self.now])?;
        self.connection
            .prepare_cached(
                "insert into account_email (id, account_id, address, folded, verified_at, is_primary, added_at)
                 values (?1, ?2, ?3, ?3, ?4, 1, ?4)",
            )?
            .execute(params![email, account, address, self.now])?;
        self.connection
            .prepare_cached(
                "insert into workspace (id, kind, slug, name, region, owner_id, state, created_at)
                 values (?1, 'personal', ?2, ?2, 'eu', ?3, 'active', ?4)",
            )?
            .execute(params![workspace, name, account, self.now])?;
        self.connection
            .prepare_cached(
                "insert into membership (workspace_id, account_id, role, joined_at) values (?1, ?2, 'owner', ?3)",
            )?
            .execute(params![workspace, account, self.now])?;
        Ok((account, workspace))
    }

    fn key(
        &mut self,
        keyring: &Keyring,
        account: AccountId,
        workspace: WorkspaceId,
        text: &KeyText,
    ) -> Result<(), Failure> {
        self.connection
            .prepare_cached(
                "insert into api_key
                   (id, workspace_id, account_id, name, display, lookup, pepper_id, scopes, state, state_at, created_at,
                    family_id)
                 values (?1, ?2, ?3, 'training-server', ?4, ?5, ?6, 'training read', 'active', ?7, ?7, ?1)",
            )?
            .execute(params![
                ApiKeyId::new(self.now, self.rng),
                workspace,
                account,
                text.display(),
                keyring.lookup(text.expose().as_bytes()),
                keyring.pepper_id(),
                self.now,
            ])?;
        Ok(())
    }
}

/// The username of a key owner.
pub fn person_name(number: u64) -> String {
    format!("person-{number}")
}

fn settings(folder: &Path, address: SocketAddr) -> String {
    let quoted = |name: &str| toml::Value::String(folder.join(name).display().to_string()).to_string();
    format!(
        r#"
region = "eu"
public_url = "http://{address}"
data_dir = {data}
keyring = {keyring}
[listen]
address = "{address}"
[mail]
transport = "directory"
directory = {mail}
[snapshot]
interval = "24h"
[[prices]]
sku = "gpu.h100"
unit = "second"
price = "0.001"
"#,
        data = quoted("data"),
        keyring = quoted("keyring"),
        mail = quoted("mail"),
    )
}

/// A new appliance that has only the keys of the customers.
pub fn empty() -> Result<Fixture, Failure> {
    Fixture::with_keys(0)
}

/// The size of the live database in MiB.
pub fn size_mib(app: &App) -> f64 {
    let bytes = std::fs::metadata(app.store().layout().live()).map_or(0, |about| about.len());
    bytes as f64 / (1024.0 * 1024.0)
}

/// A connection that writes each row in a transaction of its own, as durable as our writer.
pub fn plain_writer(app: &App) -> Result<Connection, Failure> {
    let connection = Connection::open(app.store().layout().live())?;
    let pragma = Secret::new(format!("pragma key = \"{}\"", app.keyring().database_key_pragma().expose()));
    connection.execute_batch(pragma.expose())?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on; pragma foreign_keys = on",
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    let _ = db::engine_version();
    Ok(connection)
}
