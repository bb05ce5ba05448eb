//! Reading connections: a pool for work on blocking threads, and one per worker thread for looks of microseconds.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Purpose};
use super::{Error, Site};

/// Readers at once; a list page takes a millisecond, so eight serve thousands a second.
const READERS_MAX: u32 = 8;
/// How long a request waits for a reader before it is told that we are busy.
const READER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a pool waits for its readers to be closed: a thousand times what it takes.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// The readers. Dropping it waits until each is closed: r2d2 opens them on threads of its own, which may hold the pool a
/// moment longer than we do, and a process that ends first leaves the write-ahead log behind.
pub(super) struct Pool {
    pool: Option<r2d2::Pool<Readers>>,
    open: Arc<Open>,
}

impl Pool {
    /// A pool of readers of the database at `path`; none is open yet.
    pub(super) fn new(path: PathBuf, site: Arc<Site>) -> Result<Self, Error> {
        let open = Arc::new(Open::default());
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            // None in advance: a connection that opens in the background while the process ends would use SQLCipher's
            // library after it was taken down.
            .min_idle(Some(0))
            .connection_timeout(READER_TIMEOUT)
            .test_on_check_out(false)
            .build(Readers { path, site, open: open.clone() })?;
        Ok(Self { pool: Some(pool), open })
    }

    /// A reader, waiting for one for at most five seconds.
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
struct Open {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Open {
    fn wait_for_none(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that is not back by then is no reason to hang: the next start finds the log and plays it.
        drop(self.fewer.wait_timeout_while(count, CLOSING_MAX, |count| *count > 0));
    }
}

/// Counts one reader from its opening until after it is closed.
struct Counted(Arc<Open>);

impl Counted {
    fn among(open: &Arc<Open>) -> Self {
        *open.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.fewer.notify_all();
    }
}

/// A reading connection of the pool.
pub(super) struct Reader {
    // First, so that it is closed before it is counted as closed.
    connection: Connection,
    _counted: Counted,
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
    open: Arc<Open>,
}

impl r2d2::ManageConnection for Readers {
    type Connection = Reader;
    type Error = Error;

    fn connect(&self) -> Result<Reader, Error> {
        let counted = Counted::among(&self.open);
        let connection = connection::open(&self.path, &self.site.keyring.database_key_pragma(), Purpose::Read)?;
        Ok(Reader { connection, _counted: counted })
    }

    fn is_valid(&self, connection: &mut Reader) -> Result<(), Error> {
        Ok(connection.execute_batch("select 1")?)
    }

    fn has_broken(&self, connection: &mut Reader) -> bool {
        !connection.is_autocommit()
    }
}

thread_local! {
    // Keyed by the store, because a test process opens several.
    static OWN: RefCell<Vec<(u64, Connection)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `look` on this thread's own connection, opening it at first use.
pub(super) fn with_own<T>(
    store: u64,
    open: impl FnOnce() -> Result<Connection, Error>,
    look: impl FnOnce(&Connection) -> Result<T, Error>,
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
        look(&own[index].1)
    })
}
