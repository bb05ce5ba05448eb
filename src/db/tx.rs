//! The contexts of an operation: `View` to read, `Tx` to read and write.

use std::any::Any;
use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;

use rusqlite::{Connection, Params, Row};

use super::Error;
use crate::base::{Clock, Rng, SecurityEvent, Timestamp};
use crate::config::Config;
use crate::crypto::Keyring;

/// The settings and secrets of the appliance. They do not change while the process runs.
pub struct Site {
    #[allow(missing_docs)]
    pub config: Config,
    #[allow(missing_docs)]
    pub keyring: Keyring,
}

thread_local! {
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

/// How many statements this thread has run through views and transactions, so that a test can check for none. Each
/// thread counts for itself, because a shared counter would slow all workers down.
pub fn statements_of_this_thread() -> u64 {
    STATEMENTS.with(Cell::get)
}

/// Reads from the database. In a transaction, everything read through one `View` is one consistent state.
pub struct View<'c> {
    connection: &'c Connection,
    now: Timestamp,
    /// Whether the clock was set forward, and this is not recorded yet.
    has_clock_jumped: bool,
    site: &'c Arc<Site>,
    /// The first disk failure, even if the operation handled it: the writer must know.
    disk_failure: Cell<Option<rusqlite::ffi::Error>>,
}

impl<'c> View<'c> {
    pub(super) fn new(connection: &'c Connection, now: Timestamp, has_clock_jumped: bool, site: &'c Arc<Site>) -> Self {
        Self { connection, now, has_clock_jumped, site, disk_failure: Cell::new(None) }
    }

    /// The first disk failure of a statement of this view. `None`: there was none.
    pub(super) fn disk_failure(&self) -> Option<Error> {
        self.disk_failure.get().map(|failure| rusqlite::Error::SqliteFailure(failure, None).into())
    }

    fn record<T>(&self, outcome: rusqlite::Result<T>) -> Result<T, Error> {
        STATEMENTS.with(|run| run.set(run.get() + 1));
        outcome.map_err(|error| {
            let error = Error::from(error);
            if (error.is_fatal() || error.is_full()) && self.disk_failure.get().is_none() {
                self.disk_failure.set(error.sqlite_failure());
            }
            error
        })
    }

    /// The time of this view or transaction. It stays the same. Between two commits it goes back only when the clock of the
    /// machine was set back and all ends and due times were moved back with it (see `base/clock.rs`).
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether the clock was set forward, and the record of the clock does not say so yet.
    pub(super) fn has_clock_jumped(&self) -> bool {
        self.has_clock_jumped
    }

    /// The settings and secrets.
    pub fn site(&self) -> &'c Arc<Site> {
        self.site
    }

    /// The one row of a query. `None`: no row.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        use rusqlite::OptionalExtension;
        self.record(
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, read).optional()),
        )
    }

    /// The one row of a query that always has one, such as a count.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.record(self.connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, read)))
    }

    /// All rows of a query. The query itself must have a limit.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let rows = |mut statement: rusqlite::CachedStatement<'_>| statement.query_map(params, read)?.collect();
        self.record(self.connection.prepare_cached(sql).and_then(rows))
    }

    /// Calls `each` for every row, one at a time, for checks of whole tables. Stops at the first `Err`.
    ///
    /// # Errors
    /// [`Error::Sqlite`] as `E`, or the error of `each`.
    pub fn walk<E: From<Error>>(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.record(self.connection.prepare_cached(sql))?;
        let mut rows = self.record(statement.query(params))?;
        while let Some(row) = self.record(rows.next())? {
            each(row)?;
        }
        Ok(())
    }
}

/// What slices remember between the operations of one commit, so that they need not read it again: one value of each
/// type. A slice that remembers what is in a table changes both together. A rollback empties it, and so does the end of
/// the commit, because another process may write next.
#[derive(Default)]
pub(super) struct Memory {
    values: Vec<Box<dyn Any + Send>>,
    /// The security events of the operations that were not rolled back.
    pub security: Vec<SecurityEvent>,
}

impl Memory {
    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.values.clear();
    }

    fn get<T: Default + Send + 'static>(&mut self) -> &mut T {
        let place = self.values.iter().position(|value| value.is::<T>()).unwrap_or_else(|| {
            self.values.push(Box::<T>::default());
            self.values.len() - 1
        });
        // It cannot fail: the type was compared above.
        #[expect(clippy::expect_used)]
        self.values[place].downcast_mut().expect("the value has this type")
    }
}

/// A transaction: everything done through it happens together, or not at all.
pub struct Tx<'c> {
    view: View<'c>,
    rng: &'c mut Rng,
    memory: &'c mut Memory,
}

impl<'c> Tx<'c> {
    pub(super) fn new(view: View<'c>, rng: &'c mut Rng, memory: &'c mut Memory) -> Self {
        Self { view, rng, memory }
    }

    /// What a slice remembers in a type of its own from earlier operations of the same commit; the default value at
    /// first and after every rollback. It must agree with the tables at all times.
    pub fn remembered<T: Default + Send + 'static>(&mut self) -> &mut T {
        self.memory.get()
    }

    /// Logs and counts a security event, once the transaction is committed.
    pub fn note_security(&mut self, event: SecurityEvent) {
        self.memory.security.push(event);
    }

    /// The random number generator of this transaction; in tests it has a fixed seed.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    /// Runs one statement. Answers how many rows it changed.
    ///
    /// # Errors
    /// [`Error::Sqlite`]; see [`Error::is_duplicate`] for a unique constraint.
    pub fn execute(&mut self, sql: &str, params: impl Params) -> Result<usize, Error> {
        let connection = self.view.connection;
        self.view.record(connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)))
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

/// One transaction on a connection that is not shared: tests in memory, and copies that are not in use yet.
///
/// # Errors
/// The error of `work`, or [`Error::Sqlite`]; nothing is changed then.
pub fn write_directly<T, E: From<Error>>(
    connection: &mut Connection,
    site: &Arc<Site>,
    clock: &Clock,
    rng: &mut Rng,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(Error::from)?;
    let mut memory = Memory::default();
    let mut tx = Tx::new(View::new(&transaction, clock.now(), clock.has_jumped(), site), rng, &mut memory);
    let value = work(&mut tx)?;
    transaction.commit().map_err(Error::from)?;
    Ok(value)
}
