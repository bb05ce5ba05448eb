//! Reading and writing: what an operation holds in its hands.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;

use rusqlite::{Connection, Params, Row};

use super::Error;
use crate::base::{Clock, Rng, Timestamp};
use crate::config::Config;
use crate::crypto::Keyring;

/// What every transaction knows about the appliance it runs in; the same from start to end.
pub struct Site {
    /// The settings.
    pub config: Config,
    /// The secrets.
    pub keyring: Keyring,
}

thread_local! {
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

/// How many statements this thread has run through views and transactions: lets a test say "none". A counter of the thread's
/// own costs nothing where workers would fight over a common one.
pub fn statements_of_this_thread() -> u64 {
    STATEMENTS.with(Cell::get)
}

/// A consistent look at the database: everything read through one `View` is of one moment.
pub struct View<'c> {
    connection: &'c Connection,
    now: Timestamp,
    wall: Timestamp,
    site: &'c Arc<Site>,
    /// The first failure of the disk, whatever the operation made of it: the writer must know.
    disk_failure: Cell<Option<rusqlite::ffi::Error>>,
}

impl<'c> View<'c> {
    pub(super) fn new(connection: &'c Connection, now: Timestamp, site: &'c Arc<Site>) -> Self {
        Self { connection, now, wall: now, site, disk_failure: Cell::new(None) }
    }

    /// With what the clock says, where `now` was kept from going back.
    pub(super) fn with_wall(self, wall: Timestamp) -> Self {
        Self { wall, ..self }
    }

    /// The first failure of the disk that a statement of this view met. `None`: the disk took everything.
    pub(super) fn disk_failure(&self) -> Option<Error> {
        self.disk_failure.get().map(|failure| rusqlite::Error::SqliteFailure(failure, None).into())
    }

    fn noted<T>(&self, outcome: rusqlite::Result<T>) -> Result<T, Error> {
        STATEMENTS.with(|run| run.set(run.get() + 1));
        outcome.map_err(|error| {
            let failure = error.sqlite_error().copied();
            let error = Error::from(error);
            if (error.is_fatal() || error.is_full()) && self.disk_failure.get().is_none() {
                self.disk_failure.set(failure);
            }
            error
        })
    }

    /// Now, the same all through.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the clock says. Other than [`View::now`] it goes back when the clock was set back: for what is compared with the
    /// clock by others, such as the ends of sessions, and never for an order.
    pub fn wall(&self) -> Timestamp {
        self.wall
    }

    /// The appliance.
    pub fn site(&self) -> &'c Arc<Site> {
        self.site
    }

    /// The one row of a query. `None`: there is none.
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
        self.noted(self.connection.prepare_cached(sql).and_then(|mut found| found.query_row(params, read).optional()))
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
        self.noted(self.connection.prepare_cached(sql).and_then(|mut found| found.query_row(params, read)))
    }

    /// All rows of a query; the query itself has the limit.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let rows = |mut found: rusqlite::CachedStatement<'_>| found.query_map(params, read)?.collect();
        self.noted(self.connection.prepare_cached(sql).and_then(rows))
    }

    /// Walks over all rows without holding them, for checks over whole tables. Stops at the first `Err`.
    ///
    /// # Errors
    /// [`Error::Sqlite`] as `E`, or what `each` said.
    pub fn walk<E: From<Error>>(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.noted(self.connection.prepare_cached(sql))?;
        let mut rows = self.noted(statement.query(params))?;
        while let Some(row) = self.noted(rows.next())? {
            each(row)?;
        }
        Ok(())
    }
}

/// One change: everything done through it happens together, or not at all.
pub struct Tx<'c> {
    view: View<'c>,
    rng: &'c mut Rng,
}

impl<'c> Tx<'c> {
    pub(super) fn new(view: View<'c>, rng: &'c mut Rng) -> Self {
        Self { view, rng }
    }

    /// Randomness.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    /// Runs one statement; answers how many rows it touched.
    ///
    /// # Errors
    /// [`Error::Sqlite`]; ask [`Error::is_duplicate`] where a unique constraint may refuse.
    pub fn execute(&mut self, sql: &str, params: impl Params) -> Result<usize, Error> {
        let connection = self.view.connection;
        self.view.noted(connection.prepare_cached(sql).and_then(|mut found| found.execute(params)))
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

/// One write on a connection that nobody shares: tests in memory, and copies that are not served yet.
///
/// # Errors
/// What `work` said (nothing happened then), or [`Error::Sqlite`].
pub fn write_directly<T, E: From<Error>>(
    connection: &mut Connection,
    site: &Arc<Site>,
    clock: &Clock,
    rng: &mut Rng,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(Error::from)?;
    let mut tx = Tx::new(View::new(&transaction, clock.now(), site), rng);
    let made = work(&mut tx)?;
    transaction.commit().map_err(Error::from)?;
    Ok(made)
}
