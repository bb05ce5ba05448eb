//! The open appliance: what every entry point shares, and the only bridge from async code to the store.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::base::{
    Clock, ConsoleUse, Metrics, Network, Problem, RateLimiter, Readiness, Rng, ShownOnce, Timestamp, Visitor,
};
use crate::config::{Config, HASHES_AT_ONCE};
use crate::crypto::{HashCost, KeyIds, Keyring, PasswordPool, TooOld};
use crate::db::{self, Decided, FileCopy, Layout, Site, SiteStamp, Store, StoreHooks, Tx, View};
use crate::journal::{self, Extent, JournalError, JournalFile, VerifiedJournal};
use crate::outbound::{HttpClient, Transport, TransportError};
use crate::threads::spawn_blocking;

/// The open appliance.
pub struct App {
    store: Store,
    journal: Arc<JournalFile>,
    passwords: PasswordPool,
    jobs_waiting: watch::Sender<()>,
    commands_waiting: watch::Sender<()>,
    transport: Transport,
    http_client: HttpClient,
    rates: Mutex<RateLimiter<(&'static str, Network), NETWORKS_MAX>>,
    permits: Mutex<HashMap<&'static str, Arc<Semaphore>>>,
    shown_once: ShownOnce,
    console_use: ConsoleUse,
}

/// The name of the fault while a line of the journal is wrong.
const DAMAGED_JOURNAL: &str = "journal lines";

/// Networks whose rate is counted, over all quotas: a few megabytes.
const NETWORKS_MAX: usize = 32_768;

/// How often one network may ask for something.
#[derive(Clone, Copy, Debug)]
pub struct NetworkQuota {
    /// What is counted. Each name has its own count.
    pub name: &'static str,
    /// Requests a minute.
    pub per_minute: u32,
}

/// How many may do something at the same time.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrencyLimit {
    /// What is limited. Each name has its own permits.
    pub name: &'static str,
    #[allow(missing_docs)]
    pub max: usize,
}

/// Why the appliance cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database yet.
    #[error("there is no database at {0}")]
    NotInitialised(String),
    /// `init` did not finish this database, so it is empty.
    #[error("the database in {folder} is incomplete")]
    Unfinished {
        /// The folder of the live database.
        folder: String,
        /// The file of the keyring that `init` made with it.
        keyring: String,
    },
    /// The region in the configuration is not the region of the database.
    #[error("the database belongs to region \"{stamped}\", and the configuration says \"{configured}\"")]
    OtherRegion {
        /// The region of the database, as `init` stored it.
        stamped: String,
        /// The region in the configuration.
        configured: String,
    },
    /// The database uses keys that the keyring does not have.
    #[error(transparent)]
    OldKeyring(#[from] TooOld),
    /// The SQLite library in this program has a known bug.
    #[error("SQLite {0}.{1}.{2} has a bug that can damage the database")]
    OldEngine(u32, u32, u32),
    /// The mail settings cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The database cannot be opened or read.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// What is needed to open the appliance.
#[allow(missing_docs)]
pub struct AppOptions {
    pub site: Arc<Site>,
    pub clock: Clock,
    pub rng: Rng,
    /// Called once when a write failed permanently. The server must then stop with exit status 74.
    pub on_fatal: Box<dyn Fn(&db::Error) + Send>,
}

impl App {
    /// Opens the data folder of the configuration, after it has checked that this program may open it.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub fn open(opening: AppOptions) -> Result<Arc<Self>, OpenError> {
        let site = opening.site;
        let (layout, transport) = check_before_open(&site.config)?;
        let jobs_waiting = watch::Sender::new(());
        let wake = jobs_waiting.clone();
        let commands_waiting = watch::Sender::new(());
        let wake_inbox = commands_waiting.clone();
        let http_client = HttpClient::new(&site.config);
        let readiness = Arc::<Readiness>::default();
        let metrics = Arc::<Metrics>::default();
        metrics.started_at.store(opening.clock.now().millis(), Ordering::Relaxed);
        let journal = Arc::new(JournalFile::new(&layout, &readiness));
        let journal_of_writer = journal.clone();
        let hooks = StoreHooks {
            on_commit: Box::new(move |committed| {
                if committed.jobs {
                    wake.send_replace(());
                }
                if committed.commands {
                    wake_inbox.send_replace(());
                }
            }),
            write_journal: Box::new(move |view| match journal_of_writer.append(view) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            }),
            on_fatal: opening.on_fatal,
            readiness,
            metrics,
        };
        let (own_layout, own_site, now) = (layout.clone(), site.clone(), opening.clock.now());
        let store = Store::open(layout, site, opening.clock, opening.rng, hooks);
        let store = store.map_err(|error| tell_apart(error, &own_layout, &own_site, now))?;
        let settings = &store.site().config.passwords;
        let cost = HashCost { memory_kib: settings.memory_kib, passes: settings.passes };
        let passwords = PasswordPool::start(HASHES_AT_ONCE as usize, HASH_QUEUE_MAX, cost);
        let app = Self {
            store,
            journal,
            passwords,
            jobs_waiting,
            commands_waiting,
            transport,
            http_client,
            rates: Mutex::default(),
            permits: Mutex::default(),
            shown_once: ShownOnce::default(),
            console_use: ConsoleUse::default(),
        };
        check_stamp(app.store.query_inline(db::find_stamp)?, app.config())?;
        if let Some(ids) = app.store.query_inline(db::find_keys_in_use)? {
            app.keyring().use_only(ids)?;
        }
        Ok(Arc::new(app))
    }

    /// Starts to use the newest keys of the keyring for everything that is written from now on. Only the server calls
    /// this, before it serves. Returns the new keys if other ones were in use before.
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

    /// Checks whether [`App::open`] would succeed, without changing a byte on the disk; a server may be running.
    /// Returns a read-only copy of the database, whose schema is not migrated.
    ///
    /// # Errors
    /// The [`OpenError`] that [`App::open`] would return.
    pub fn check(config: Config, keyring: Keyring, now: Timestamp) -> Result<FileCopy, OpenError> {
        let (layout, _) = check_before_open(&config)?;
        let site = Arc::new(Site { config, keyring });
        let copy = FileCopy::open_live(&layout, &site, now).map_err(|error| tell_apart(error, &layout, &site, now))?;
        // A file without a schema has no table with a stamp either.
        let stamp = if copy.schema_version()? == 0 { None } else { db::find_stamp(&copy.view())? };
        check_stamp(stamp, &site.config)?;
        // An old schema may lack the table with the keys in use; the server migrates it when it starts.
        if copy.schema_version()? == db::MIGRATIONS_COUNT
            && let Some(ids) = db::find_keys_in_use(&copy.view())?
        {
            site.keyring.use_only(ids)?;
        }
        Ok(copy)
    }

    /// The store itself, for snapshots and the hot path.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The journal of what ended access.
    pub fn journal(&self) -> &JournalFile {
        &self.journal
    }

    /// Adds to the journal what it lacks; see [`JournalFile::append`]. Blocks this thread.
    ///
    /// # Errors
    /// As [`JournalFile::append`].
    pub fn write_journal(&self) -> Result<usize, JournalError> {
        self.store.query_inline(|view| Ok(self.journal.append(view)))?
    }

    /// Verifies lines of the journal and remembers up to which one. Blocks this thread.
    ///
    /// # Errors
    /// As [`JournalFile::verify`].
    pub fn verify_journal(&self, extent: Extent) -> Result<VerifiedJournal, JournalError> {
        let verified = self.store.query_inline(|view| Ok(self.journal.verify(view, extent)))?;
        if let Ok(verified) = &verified {
            let verified = *verified;
            self.readiness().clear_fault(DAMAGED_JOURNAL);
            if verified.is_news() {
                self.store.write_blocking(move |tx| journal::keep_verified(tx, &verified))?;
            }
        }
        Ok(verified.inspect_err(|error| self.report_journal(error))?.journal)
    }

    fn report_journal(&self, error: &JournalError) {
        let what = match error {
            // The next run verifies it.
            JournalError::Db(error) if error.is_busy() => return,
            error if error.is_about_lines() => "The journal is damaged",
            _ => "The journal could not be verified",
        };
        let reason = format!("{what}: {error}. {}", error.cure());
        if self.readiness().set_fault(DAMAGED_JOURNAL, &reason) {
            tracing::error!("{reason}");
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.store.site().config
    }

    /// The keyring with the secrets of the appliance.
    pub fn keyring(&self) -> &Keyring {
        &self.store.site().keyring
    }

    /// The lasting faults that the readiness probe reports.
    pub fn readiness(&self) -> &Readiness {
        self.store.readiness()
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Metrics {
        self.store.metrics()
    }

    /// The current time of the appliance's clock.
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The threads that hash passwords.
    pub fn passwords(&self) -> &PasswordPool {
        &self.passwords
    }

    /// The transport for e-mail.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The client for HTTP calls to other machines.
    pub fn http_client(&self) -> &HttpClient {
        &self.http_client
    }

    /// Admits a request, unless the visitor's network sent too many.
    ///
    /// # Errors
    /// The seconds until the next request of this network will be admitted.
    pub fn admit(&self, quota: NetworkQuota, visitor: &Visitor) -> Result<(), u32> {
        // After a panic the lock still protects only counts, so it stays usable.
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.admit((quota.name, Network::from(visitor)), self.now(), quota.per_minute).map(drop)
    }

    /// Waits. On a manual clock, the time passes at once.
    pub async fn pause(&self, time: Duration) {
        let (clock, before) = (self.store.clock(), self.now());
        clock.advance(time);
        if self.now().since(before) < time {
            tokio::time::sleep(time).await;
        }
    }

    /// A permit, which is given back when it is dropped. `None`: all are in use.
    pub fn try_permit(&self, limit: ConcurrencyLimit) -> Option<OwnedSemaphorePermit> {
        let mut permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let permits = permits.entry(limit.name).or_insert_with(|| Arc::new(Semaphore::new(limit.max)));
        permits.clone().try_acquire_owned().ok()
    }

    /// The texts that pages show once.
    pub fn shown_once(&self) -> &ShownOnce {
        &self.shown_once
    }

    /// When sessions last used the operator console.
    pub fn console_use(&self) -> &ConsoleUse {
        &self.console_use
    }

    /// Runs `work` in one write transaction and returns when it is durable on the disk.
    ///
    /// # Errors
    /// The error of `work`, or that of the commit; the transaction was rolled back then.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        self.store.write(work).await
    }

    /// As [`App::write`], for requests that are handled together with others of their kind; see
    /// [`db::Store::write_together`].
    ///
    /// # Errors
    /// The error that `handler` has for this request, or that of the commit.
    pub async fn write_together<R, T, E>(&self, handler: db::Handler<R, T, E>, request: R) -> Result<T, E>
    where
        R: Send + 'static,
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        self.store.write_together(handler, request).await
    }

    /// As [`App::write`], for an operation that may refuse and still commit; see [`db::Decision`].
    ///
    /// # Errors
    /// As [`App::write`]. The refusal of `work` too, whose transaction was committed.
    pub async fn write_deciding<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Decided<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        self.store.write_deciding(work).await
    }

    /// Runs `query` on one consistent view of the database, on a blocking thread.
    ///
    /// # Errors
    /// The error of `query`.
    pub async fn read_offloaded<T, E>(
        self: &Arc<Self>,
        query: impl FnOnce(&View<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<db::Error> + Send + 'static,
    {
        let app = self.clone();
        spawn_blocking(move || app.store.read_blocking(query)).await.unwrap_or_else(|_| Err(db::Error::Panicked.into()))
    }

    /// Runs `query` on this thread. For one or two prepared statements that take microseconds.
    ///
    /// # Errors
    /// The error of `query`.
    pub fn query_inline<T>(&self, query: impl FnOnce(&View<'_>) -> Result<T, db::Error>) -> Result<T, db::Error> {
        self.store.query_inline(query)
    }

    /// Like [`App::read_offloaded`], but on this thread, which it blocks. For the few rows of one person, where a
    /// change of threads would cost more than the query.
    ///
    /// # Errors
    /// The error of `query`.
    pub fn read_inline<T, E: From<db::Error>>(&self, query: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        self.store.read_inline(query)
    }

    /// A receiver that changes when a committed transaction has queued a job.
    pub fn jobs_wake(&self) -> watch::Receiver<()> {
        self.jobs_waiting.subscribe()
    }

    /// A receiver that changes when a committed transaction has sent a command to a service, or changed one.
    pub fn commands_wake(&self) -> watch::Receiver<()> {
        self.commands_waiting.subscribe()
    }
}

/// The checks that are possible before the database is opened.
fn check_before_open(config: &Config) -> Result<(Layout, Transport), OpenError> {
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

/// A wrong key and a damaged first page look the same. What else this key has made tells which it is: the published snapshot,
/// and the signatures of the journal. If neither can be read, the error stays what it is.
fn tell_apart(error: db::Error, layout: &Layout, site: &Arc<Site>, now: Timestamp) -> db::Error {
    let db::Error::KeyDoesNotOpen(path) = error else { return error };
    let snapshot = FileCopy::open(&layout.snapshot(), site, now).and_then(|copy| copy.schema_version());
    let proof = match (snapshot, journal::is_begun_by(&layout.tombstones(), &site.keyring)) {
        (Ok(schema), _) if schema > 0 => "it opens the published snapshot",
        (_, Some(true)) => "it has signed the journal",
        (_, Some(false)) => return db::Error::OtherKeyring(path),
        (_, None) => return db::Error::KeyDoesNotOpen(path),
    };
    db::Error::BeginningDamaged { path, proof }
}

/// Checks that `init` finished the database, for the region of the configuration.
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

/// The number of sign-ins that may wait for a hash. A hash takes about 20 ms, so the last one waits about 0.6 s.
const HASH_QUEUE_MAX: usize = 64;

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        Problem::internal(error)
    }
}
