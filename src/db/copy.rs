//! Copies of the live database: made while its main file is frozen, and read without changing them.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::connection::{self, Purpose};
use super::frozen::{Freezer, Frozen, stamp_page};
use super::tx::write_directly;
use super::{Error, Interrupt, Layout, Site, Store, Tx, View, migrate};
use crate::base::{Clock, Rng, Secret, Timestamp};

/// How often a snapshot tries to freeze the main file while open reads need old pages of it, such as a large export:
/// half a minute.
const ATTEMPTS_MAX: u32 = 1500;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
/// Pages of the log that are moved while writers wait: a few milliseconds.
const LOG_PAGES_MAX: u32 = 64;
/// How often the log is moved before writers have to wait, even if they add more than that meanwhile.
const MOVES_MAX: u32 = 20;

/// What is known about a copy.
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// The digest of the codes of its pages (see [`super::read_pages`]).
    pub codes: [u8; 32],
    /// The moment whose state it has: what was acknowledged before is in it.
    pub at: Timestamp,
}

impl Store {
    /// Writes a copy of one consistent state to the new file `path`, encrypted with the same key, and lets `describe`
    /// write into it. Readers go on meanwhile; the writer waits for a few milliseconds. The copy is one complete file,
    /// and not yet durable. `describe` gets what is known about the copy.
    ///
    /// # Errors
    /// [`Error::File`] when the file exists; [`Error::Busy`] when reads that began earlier do not end;
    /// [`Error::Stopped`] when it was interrupted; [`Error::Sqlite`]; the error of `describe`.
    pub fn copy_to(
        &self,
        path: &Path,
        rng: &mut Rng,
        describe: impl FnOnce(&mut Tx<'_>, Copied) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (frozen, at) = self.freeze()?;
        let copied = Copied { codes: frozen.copy_to(path, self.interrupt())?, at };
        let mut copy = open_copy(path, &self.site().keyring.database_key_pragma())?;
        write_directly(&mut copy, self.site(), self.clock(), rng, |tx| describe(tx, copied))?;
        copy.close().map_err(|(_, error)| Error::Sqlite(error))
    }

    /// Moves committed data from the write-ahead log into the main file and empties the log, so that deleted data is
    /// in neither. No write waits for it longer than some milliseconds. `false`: after `attempts`, 20 ms apart, there
    /// was always an open read or a copy that needs the log.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn empty_log(&self, attempts: u32) -> Result<bool, Error> {
        let freezer = Freezer::new(&self.layout().live(), &self.site().keyring.database_key_pragma())?;
        for attempt in 0..attempts {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            self.move_most_of_the_log(&freezer)?;
            // Writers wait while it is emptied, so little may be left to move.
            if self.pages_to_move() <= LOG_PAGES_MAX && freezer.empty_log()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves the log until little is left, without a write that waits for it.
    fn move_most_of_the_log(&self, freezer: &Freezer) -> Result<(), Error> {
        for _ in 0..MOVES_MAX {
            if freezer.move_log()? || self.pages_to_move() <= LOG_PAGES_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Answers the frozen file, and when it was frozen.
    fn freeze(&self) -> Result<(Frozen, Timestamp), Error> {
        let live = self.layout().live();
        let mut freezer = Freezer::new(&live, &self.site().keyring.database_key_pragma())?;
        for _ in 0..ATTEMPTS_MAX {
            self.move_most_of_the_log(&freezer)?;
            let attempt = move |tx: &mut Tx<'_>| {
                let is_frozen = freezer.freeze()?;
                Ok::<_, Error>((freezer, is_frozen.then(|| tx.now())))
            };
            // The writer holds the write lock meanwhile.
            let (back, frozen_at) = self.write_blocking(attempt)?;
            if let Some(at) = frozen_at {
                return Ok((back.into_frozen(&live)?, at));
            }
            if self.interrupt().is_set() {
                return Err(Error::Stopped);
            }
            freezer = back;
            std::thread::sleep(PAUSE);
        }
        Err(Error::Busy)
    }
}

/// Copies the live database to the new file `to` before anything opens it for use, for example before it is migrated.
/// The copy is one complete and durable file with the same schema and key.
///
/// # Errors
/// [`Error::File`] when the file exists; [`Error::Busy`] when another process uses the database all the time;
/// [`Error::KeyDoesNotOpen`], [`Error::Sqlite`]. No file is left then.
pub fn copy_unopened(live: &Path, key: &Secret<String>, to: &Path) -> Result<(), Error> {
    let copied = copy_with_lock(live, key, to);
    if copied.is_err()
        && !matches!(&copied, Err(Error::File { source, .. }) if source.kind() == ErrorKind::AlreadyExists)
    {
        // The first error is the one to return.
        let _ = std::fs::remove_file(to);
    }
    copied
}

fn copy_with_lock(live: &Path, key: &Secret<String>, to: &Path) -> Result<(), Error> {
    let lock = connection::open(live, key, Purpose::Write)?;
    let freezer = Freezer::new(live, key)?;
    freezer.move_log()?;
    lock.execute_batch("begin immediate")?;
    let is_frozen = freezer.freeze()?;
    lock.execute_batch("rollback")?;
    if !is_frozen {
        return Err(Error::Busy);
    }
    freezer.into_frozen(live)?.copy_to(to, &Interrupt::default())?;
    open_copy(to, key)?.close().map_err(|(_, error)| Error::Sqlite(error))?;
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| Error::file(to, error))
}

/// Changes a copy that nobody else uses, in one transaction. The copy is one complete file again, and not yet durable.
///
/// # Errors
/// [`Error::Sqlite`], or the error of `work`; nothing in the copy is changed then.
pub fn change_copy<T>(
    path: &Path,
    site: &Arc<Site>,
    clock: &Clock,
    rng: &mut Rng,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut copy = open_copy(path, &site.keyring.database_key_pragma())?;
    let value = write_directly(&mut copy, site, clock, rng, work)?;
    copy.close().map_err(|(_, error)| Error::Sqlite(error))?;
    Ok(value)
}

/// Gives the copy `to`, which has an earlier schema, the stamp of the copy `from`, but with its own schema version. So an
/// earlier program can verify it. Columns that only one of the two schemas has are left out. `to` is durable when this
/// returns.
///
/// # Errors
/// [`Error::Sqlite`], [`Error::File`].
pub fn copy_stamp(from: &Path, to: &Path, key: &Secret<String>) -> Result<(), Error> {
    let (from, target) = (open_copy(from, key)?, open_copy(to, key)?);
    let columns = |connection: &Connection| {
        let mut names = connection.prepare("select name from pragma_table_info('snapshot_stamp')")?;
        names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    };
    let known = columns(&target)?;
    let shared: Vec<String> = columns(&from)?.into_iter().filter(|name| known.contains(name)).collect();
    let values: Vec<Value> =
        from.query_row(&format!("select {} from snapshot_stamp", shared.join(", ")), [], |row| {
            (0..shared.len()).map(|index| row.get(index)).collect()
        })?;
    let marks = vec!["?"; shared.len()].join(", ");
    let insert = format!("insert or replace into snapshot_stamp ({}) values ({marks})", shared.join(", "));
    target.execute(&insert, params_from_iter(values))?;
    let own = i64::try_from(super::schema_version(&target)?).unwrap_or(i64::MAX);
    target.execute("update snapshot_stamp set schema_version = ?1", [own])?;
    for connection in [from, target] {
        connection.close().map_err(|(_, error)| Error::Sqlite(error))?;
    }
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| Error::file(to, error))
}

/// Opens a copy that nobody else uses, and makes it one file.
fn open_copy(path: &Path, key: &Secret<String>) -> Result<Connection, Error> {
    connection::start_library();
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection::unlock(&copy, key)?;
    // Without a write-ahead log. Otherwise a program that opens a copy of this file would leave two more files.
    copy.pragma_update(None, "journal_mode", "delete")?;
    connection::configure(&copy, Purpose::Write)?;
    // The file is not used before the caller has synced it as a whole.
    copy.pragma_update(None, "synchronous", "off")?;
    Ok(copy)
}

/// A database file opened for reading. The file and its folder stay unchanged, even if they are writable.
pub struct FileCopy {
    connection: Connection,
    site: Arc<Site>,
    now: Timestamp,
}

impl FileCopy {
    /// Opens a file with the appliance's key, without reading it yet. No process may be writing the file.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be opened.
    pub fn open(path: &Path, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        Self::open_with(path, IMMUTABLE, site, now)
    }

    /// Opens the live database, whether a server runs or not, and checks that this key opens it and that this program
    /// knows its schema.
    ///
    /// If a server runs, or was killed, a write-ahead log and its index are next to the file, and committed data is
    /// read from there. The index is not written: if no server uses it, or there is none, SQLite makes one in memory.
    /// Without these two files, all data is in the main file, and opening it in the usual way would create them.
    ///
    /// # Errors
    /// [`Error::KeyDoesNotOpen`], [`Error::Newer`], [`Error::Sqlite`].
    pub fn open_live(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        let live = layout.live();
        let has = |ending: &str| {
            let mut companion = live.clone().into_os_string();
            companion.push(ending);
            Path::new(&companion).exists()
        };
        let mode = match (has("-wal"), has("-shm")) {
            (true, true) => SHARED,
            (true, false) => ALONE,
            (false, _) => IMMUTABLE,
        };
        let copy = Self::open_with(&live, mode, site, now)?;
        if mode == ALONE {
            copy.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            copy.connection.pragma_update(None, "locking_mode", "exclusive")?;
        }
        copy.prepare().map_err(|error| connection::wrong_key_error(error, &live))?;
        migrate::known_version(&copy.connection)?;
        Ok(copy)
    }

    fn open_with(path: &Path, mode: &str, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        connection::start_library();
        let connection = Connection::open_with_flags(uri(path, mode), flags)?;
        connection::unlock(&connection, &site.keyring.database_key_pragma())?;
        Ok(Self { connection, site: site.clone(), now })
    }

    /// Ends statements early once `interrupt` is set: they fail then.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn end_with(&self, interrupt: &Interrupt) -> Result<(), Error> {
        /// Steps of SQLite's machine between two looks at the flag: less than a millisecond.
        const STEPS: std::ffi::c_int = 10_000;
        let interrupt = interrupt.clone();
        Ok(self.connection.progress_handler(STEPS, Some(move || interrupt.is_set()))?)
    }

    /// The page, from 1, that has the stamp.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database of this key, or has no table for stamps.
    pub fn stamp_page(&self) -> Result<u64, Error> {
        stamp_page(&self.connection)
    }

    /// Reads the first page and the schema, and prepares the connection for the other checks.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database of this key, or shorter than it says.
    pub fn prepare(&self) -> Result<(), Error> {
        connection::configure(&self.connection, Purpose::Read)?;
        self.connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        self.name_older_tables()
    }

    /// Gives tables of an older schema their present names, for this connection only: snapshots of earlier releases are
    /// verified without being migrated.
    fn name_older_tables(&self) -> Result<(), Error> {
        let found = self.schema_version()?;
        let missing: Vec<_> = OLDER_TABLES.iter().filter(|(since, _)| (1..*since).contains(&found)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.connection.pragma_update(None, "query_only", false)?;
        missing.into_iter().try_for_each(|(_, view)| self.connection.execute_batch(view))?;
        Ok(self.connection.pragma_update(None, "query_only", true)?)
    }

    /// Reads the first row of each table, which needs the first page of the file, the schema, and a page of each level of
    /// each table: some milliseconds at any size. It finds a file that is shorter than it says, and damage of these pages.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sample(&self) -> Result<(), Error> {
        for table in self.texts(TABLE_NAMES)? {
            let mut first =
                self.connection.prepare(&format!("select * from \"{}\" limit 1", table.replace('"', "\"\"")))?;
            first.exists([])?;
        }
        Ok(())
    }

    /// The schema version.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn schema_version(&self) -> Result<usize, Error> {
        super::schema_version(&self.connection)
    }

    /// The first fault in the structure: tables, indexes, free pages, constraints. `None`: no fault.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn structure_fault(&self) -> Result<Option<String>, Error> {
        Ok(self.texts("pragma integrity_check(1)")?.into_iter().find(|line| line != "ok"))
    }

    /// The first table with a row whose foreign key has no target. `None`: no such table.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn dangling_table(&self) -> Result<Option<String>, Error> {
        Ok(self.texts("pragma foreign_key_check")?.into_iter().next())
    }

    /// The tables in the order of their names, with their numbers of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn row_counts(&self) -> Result<Vec<(String, i64)>, Error> {
        let tables = self.texts(TABLE_NAMES)?;
        let count = |table: String| {
            let sql = format!("select count(*) from \"{}\"", table.replace('"', "\"\""));
            let rows = self.connection.query_row(&sql, [], |row| row.get(0))?;
            Ok((table, rows))
        };
        tables.into_iter().map(count).collect()
    }

    /// The tables that cannot be read to their end. `open` opens the file for each of them: SQLCipher refuses everything on a
    /// connection that met a damaged page. Long values and indexes are not read.
    pub fn unreadable_tables(open: impl Fn() -> Result<Self, Error>) -> Vec<String> {
        let tables = open().and_then(|copy| copy.texts(TABLE_NAMES)).unwrap_or_default();
        let is_unreadable = |table: &String| {
            let sql = format!("select count(*) from \"{}\" not indexed", table.replace('"', "\"\""));
            open().is_ok_and(|copy| copy.connection.query_row(&sql, [], |_| Ok(())).is_err())
        };
        tables.into_iter().filter(is_unreadable).collect()
    }

    /// The appliance that it was opened for.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Reads the copy in the same way as the live database.
    pub fn view(&self) -> View<'_> {
        View::new(&self.connection, self.now, false, &self.site)
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare(sql)?;
        let texts = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(texts)
    }
}

const TABLE_NAMES: &str =
    "select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~' order by name";

/// Tables that older schemas do not have: the schema that began them, and a view with what older schemas have instead.
const OLDER_TABLES: &[(usize, &str)] = &[(
    19,
    "create temp view if not exists journal as
     select seq, kind, null as event, subject_id as target_id, null as account_id, null as detail, receipt_id,
       erased_at as at, prev_hash, hash
     from main.tombstone",
)];

/// No locks, no journal and no shared memory, because no process writes the file (sqlite.org/uri.html).
const IMMUTABLE: &str = "immutable=1";
/// A reader that writes nothing, not even into the shared index (sqlite.org/wal.html#readonly).
const SHARED: &str = "readonly_shm=1";
/// No locks and no file for the index of the log (sqlite.org/wal.html#noshm), because no process has the database open:
/// each of them would have made that file.
const ALONE: &str = "vfs=unix-none";

fn uri(path: &Path, mode: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?" + mode
}
