//! The one bridge from async to the store, and what every door shares.

use std::sync::Arc;

use tokio::sync::watch;

use crate::base::{Clock, Problem, Rng, Timestamp};
use crate::config::Config;
use crate::crypto::{HashCost, KeyIds, Keyring, PasswordPool, TooOld};
use crate::db::{self, FileCopy, Layout, Site, SiteStamp, Store, Tx, View};
use crate::outbound::{Caller, Transport, TransportError};
use crate::threads::spawn_blocking;

/// The open appliance.
pub struct App {
    store: Store,
    passwords: PasswordPool,
    jobs_waiting: watch::Sender<()>,
    transport: Transport,
    caller: Caller,
}

/// Why the appliance does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database yet.
    #[error("there is no database at {0}")]
    NotInitialised(String),
    /// There is a database, and `init` never finished it: there is nothing in it.
    #[error("the database in {folder} was never finished")]
    Unfinished {
        /// The folder of the live database.
        folder: String,
        /// The keyring that was made with it.
        keyring: String,
    },
    /// The configuration names another region than the database was made for.
    #[error("the database belongs to region \"{stamped}\", and the configuration says \"{configured}\"")]
    OtherRegion {
        /// What `init` stamped.
        stamped: String,
        /// What the configuration says.
        configured: String,
    },
    /// The database was written with keys that the keyring does not have.
    #[error(transparent)]
    OldKeyring(#[from] TooOld),
    /// The engine inside this program has a known fault.
    #[error("SQLite {0}.{1}.{2} has a fault that can damage the database")]
    OldEngine(u32, u32, u32),
    /// The way out for mail.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// How the appliance is opened.
pub struct Opening {
    /// The settings.
    pub config: Config,
    /// The secrets.
    pub keyring: Keyring,
    /// The machine's clock, or a test's.
    pub clock: Clock,
    /// The machine's randomness, or a test's.
    pub rng: Rng,
    /// Told once when a write failed for good: whoever serves must stop with exit status 74.
    pub on_fatal: Box<dyn Fn(&db::Error) + Send>,
}

impl App {
    /// Opens the data folder of the configuration, after checking that it is ours to open.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is changed then.
    pub fn open(opening: Opening) -> Result<Arc<Self>, OpenError> {
        let (layout, transport) = look_around(&opening.config)?;
        let site = Arc::new(Site { config: opening.config, keyring: opening.keyring });
        let jobs_waiting = watch::Sender::new(());
        let wake = jobs_waiting.clone();
        let caller = Caller::new(&site.config);
        let store = Store::open(
            layout,
            site,
            opening.clock,
            opening.rng,
            move |committed| {
                if committed.jobs {
                    wake.send_replace(());
                }
            },
            opening.on_fatal,
        )?;
        let wanted = &store.site().config.passwords;
        let cost = HashCost { memory_kib: wanted.memory_kib, passes: wanted.passes };
        let passwords = PasswordPool::start(HASH_THREADS, HASH_QUEUE_MAX, cost);
        let app = Self { store, passwords, jobs_waiting, transport, caller };
        check_stamp(app.store.query_inline(db::find_stamp)?, app.config())?;
        if let Some(ids) = app.store.query_inline(db::find_keys_in_use)? {
            app.keyring().use_only(ids)?;
        }
        Ok(Arc::new(app))
    }

    /// Takes the newest keys of the keyring into use: for the one server, before it serves, because whatever is written from
    /// then on must be good for it. Answers the keys when there were others before.
    ///
    /// # Errors
    /// [`OpenError::Db`], [`OpenError::OldKeyring`].
    pub fn use_newest_keys(&self) -> Result<Option<KeyIds>, OpenError> {
        let newest = self.keyring().newest();
        let before = self.store.write_blocking(move |tx| {
            let before = db::find_keys_in_use(tx)?;
            db::use_keys(tx, newest)?;
            Ok::<_, db::Error>(before)
        })?;
        self.keyring().use_only(newest)?;
        Ok(before.filter(|before| *before != newest).map(|_| newest))
    }

    /// Looks whether [`App::open`] would refuse, beside a server or without one, and changes no byte on the disk. Answers
    /// the database as found, its schema not brought up to date.
    ///
    /// # Errors
    /// What [`App::open`] would refuse with.
    pub fn examine(config: Config, keyring: Keyring, now: Timestamp) -> Result<FileCopy, OpenError> {
        let (layout, _) = look_around(&config)?;
        let site = Arc::new(Site { config, keyring });
        let found = FileCopy::open_live(&layout, &site, now)?;
        // A file without a schema has no table for a stamp either.
        let stamp = if found.schema_version()? == 0 { None } else { db::find_stamp(&found.view())? };
        check_stamp(stamp, &site.config)?;
        // A schema from before there was such a table is brought up to date by the start itself.
        if found.schema_version()? == db::MIGRATIONS_COUNT
            && let Some(ids) = db::find_keys_in_use(&found.view())?
        {
            site.keyring.use_only(ids)?;
        }
        Ok(found)
    }

    /// The store itself, for snapshots and the hot path.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.store.site().config
    }

    /// The secrets.
    pub fn keyring(&self) -> &Keyring {
        &self.store.site().keyring
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The threads that hash passwords.
    pub fn passwords(&self) -> &PasswordPool {
        &self.passwords
    }

    /// The way out for mail.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The way out for calls over HTTP.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Changes something: one transaction, answered when it is on disk.
    ///
    /// # Errors
    /// What `work` said; nothing happened then.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        self.store.write(work).await
    }

    /// Reads from one consistent moment, on a thread that may wait.
    ///
    /// # Errors
    /// What `look` said.
    pub async fn read_offloaded<T, E>(
        self: &Arc<Self>,
        look: impl FnOnce(&View<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        let app = self.clone();
        spawn_blocking(move || app.store.read_blocking(look)).await.unwrap_or_else(|_| Err(db::Error::Panicked.into()))
    }

    /// A look of microseconds, on this thread: one or two prepared statements.
    ///
    /// # Errors
    /// What `look` said.
    pub fn query_inline<T>(&self, look: impl FnOnce(&View<'_>) -> Result<T, db::Error>) -> Result<T, db::Error> {
        self.store.query_inline(look)
    }

    /// As [`App::read`], on this thread: for a person's own handful of rows, where a hop to another thread would cost more than
    /// the look.
    ///
    /// # Errors
    /// What `look` said.
    pub fn read_inline<T, E: From<db::Error>>(&self, look: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        self.store.read_inline(look)
    }

    /// Changes whenever a commit queued a job.
    pub fn jobs_wake(&self) -> watch::Receiver<()> {
        self.jobs_waiting.subscribe()
    }
}

/// What can be refused before the database is opened.
fn look_around(config: &Config) -> Result<(Layout, Transport), OpenError> {
    let engine = db::engine_version();
    if engine < db::ENGINE_VERSION_MIN {
        return Err(OpenError::OldEngine(engine.0, engine.1, engine.2));
    }
    let layout = Layout::new(&config.data_dir);
    if !layout.live().exists() {
        return Err(OpenError::NotInitialised(layout.live().display().to_string()));
    }
    let transport = Transport::new(config)?;
    Ok((layout, transport))
}

/// Whether the database is one that `init` finished, for the region of the configuration.
fn check_stamp(stamp: Option<SiteStamp>, config: &Config) -> Result<(), OpenError> {
    match stamp {
        Some(stamp) if stamp.region == config.region => Ok(()),
        Some(stamp) => Err(OpenError::OtherRegion { stamped: stamp.region, configured: config.region.clone() }),
        None => Err(OpenError::Unfinished {
            folder: Layout::new(&config.data_dir).live_dir().display().to_string(),
            keyring: config.keyring.display().to_string(),
        }),
    }
}

/// Threads that hash: one per core of a small machine; more would only take turns.
const HASH_THREADS: usize = 2;
/// Sign-ins that may wait for a hash: at some 20 ms each, the last of them waits about 0.6 s.
const HASH_QUEUE_MAX: usize = 64;

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        Problem::ours(error)
    }
}
