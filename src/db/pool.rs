//! Reading connections: a pool for blocking threads, and one connection per worker thread for queries of microseconds.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Purpose};
use super::{Error, Site};

/// Readers at once. A list page takes a millisecond, so eight readers serve thousands of pages a second.
const READERS_MAX: u32 = 8;
/// How long a request waits for a reader before it fails as busy.
const READER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a dropped pool waits until its readers are closed: a thousand times what it usually takes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pool of readers. Dropping it waits until each reader is closed: r2d2 opens them on its own threads, which may
/// keep the pool alive a little longer, and a process that ends before that leaves the write-ahead log behind.
pub(super) struct Pool {
    pool: Option<r2d2::Pool<Readers>>,
    open: Arc<OpenReaders>,
}

impl Pool {
    /// A pool of readers of the database at `path`; none is open yet.
    pub(super) fn new(path: PathBuf, site: Arc<Site>) -> Result<Self, Error> {
        let open = Arc::new(OpenReaders::default());
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            // Open none in advance: a connection that opens in the background while the process ends would use
            // SQLCipher's library after it was unloaded.
            .min_idle(Some(0))
            .connection_timeout(READER_TIMEOUT)
            .test_on_check_out(false)
            .build(Readers { path, site, open: open.clone() })?;
        Ok(Self { pool: Some(pool), open })
    }

    /// Takes a reader. Waits for at most five seconds until one is free.
    ///
    /// # Errors
    /// [`Error::Pool`].
    pub(super) fn get(&self) -> Result<r2d2::PooledConnection<Readers>, Error> {
        match &self.pool {
            Some(pool) => Ok(pool.get()?),
            None => Err(Error::Stopped),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.pool.take());
        self.open.wait_for_none();
    }
}

/// How many readers are open.
#[derive(Default)]
struct OpenReaders {
    count: Mutex<usize>,
    closed: Condvar,
}

impl OpenReaders {
    fn wait_for_none(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        // Do not hang when a reader is still open: the next start finds the log and recovers from it.
        drop(self.closed.wait_timeout_while(count, CLOSE_TIMEOUT, |count| *count > 0));
    }
}

/// Counts one reader from before it is opened until after it is closed.
struct OpenCount(Arc<OpenReaders>);

impl OpenCount {
    fn new(open: &Arc<OpenReaders>) -> Self {
        *open.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(open.clone())
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.closed.notify_all();
    }
}

/// A reading connection of the pool.
pub(super) struct Reader {
    // The first field, because it must be closed before it is counted as closed.
    connection: Connection,
    /// Whether it met a disk failure. SQLCipher answers an error for ever after a page that it cannot decrypt, and SQLite
    /// after an I/O error, also for pages that are good.
    pub is_broken: bool,
    _count: OpenCount,
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Opens readers for r2d2.
pub(super) struct Readers {
    path: PathBuf,
    site: Arc<Site>,
    open: Arc<OpenReaders>,
}

impl r2d2::ManageConnection for Readers {
    type Connection = Reader;
    type Error = Error;

    fn connect(&self) -> Result<Reader, Error> {
        let count = OpenCount::new(&self.open);
        let connection = connection::open(&self.path, &self.site.keyring.database_key_pragma(), Purpose::Read)?;
        Ok(Reader { connection, is_broken: false, _count: count })
    }

    fn is_valid(&self, connection: &mut Reader) -> Result<(), Error> {
        Ok(connection.execute_batch("select 1")?)
    }

    fn has_broken(&self, connection: &mut Reader) -> bool {
        connection.is_broken || !connection.is_autocommit()
    }
}

thread_local! {
    // With the id of the store, because a test process opens several.
    static OWN: RefCell<Vec<(u64, Connection)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `query` on this thread's own connection, which is opened at first use. `query` also answers whether the connection
/// is still usable; otherwise the next call opens another one.
pub(super) fn with_own<T>(
    store: u64,
    open: impl FnOnce() -> Result<Connection, Error>,
    query: impl FnOnce(&Connection) -> (T, bool),
) -> Result<T, Error> {
    OWN.with(|own| {
        let mut own = own.borrow_mut();
        let index = match own.iter().position(|(id, _)| *id == store) {
            Some(index) => index,
            None => {
                own.push((store, open()?));
                own.len() - 1
            }
        };
        let (value, is_usable) = query(&own[index].1);
        if !is_usable {
            own.swap_remove(index);
        }
        Ok(value)
    })
}
