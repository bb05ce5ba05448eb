//! Reading connections: a pool for work on blocking threads, and one per worker thread for looks of microseconds.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::connection::{self, Purpose};
use super::{Error, Site};

/// Readers at once; a list page takes a millisecond, so eight serve thousands a second.
const READERS_MAX: u32 = 8;
/// How long a request waits for a reader before it is told that we are busy.
const READER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Opens readers for r2d2.
pub(super) struct Readers {
    path: PathBuf,
    site: Arc<Site>,
}

impl Readers {
    pub(super) fn pool(path: PathBuf, site: Arc<Site>) -> Result<r2d2::Pool<Self>, Error> {
        Ok(r2d2::Pool::builder()
            .max_size(READERS_MAX)
            // None in advance: a connection that opens in the background while the process ends would use SQLCipher's
            // library after it was taken down.
            .min_idle(Some(0))
            .connection_timeout(READER_TIMEOUT)
            .test_on_check_out(false)
            .build(Self { path, site })?)
    }
}

impl r2d2::ManageConnection for Readers {
    type Connection = Connection;
    type Error = Error;

    fn connect(&self) -> Result<Connection, Error> {
        connection::open(&self.path, &self.site.keyring.database_key_pragma(), Purpose::Read)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        Ok(connection.execute_batch("select 1")?)
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
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
