//! Copies of the live database: made in one step, and read without changing them.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connection::{self, Purpose};
use super::tx::write_directly;
use super::{Error, Layout, Site, Store, Tx, View, migrate};
use crate::base::{Rng, Timestamp};

/// Copies all pages in one step. In several steps, the copy begins again with every commit and never ends under load.
const ALL_PAGES: std::ffi::c_int = -1;
/// Size of a page of SQLCipher 4, in bytes.
pub const PAGE_BYTES: u64 = 4096;

impl Store {
    /// Writes a copy of one consistent state to the new file `path`, encrypted with the same key, and lets `describe`
    /// write into it. Readers and the writer go on meanwhile. The copy is one complete file, and not yet durable.
    ///
    /// # Errors
    /// [`Error::File`] when the file exists; [`Error::Sqlite`]; the error of `describe`.
    pub fn copy_to(
        &self,
        path: &Path,
        rng: &mut Rng,
        describe: impl FnOnce(&mut Tx<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let key = self.site().keyring.database_key_pragma();
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| Error::file(path, error))?;
        let live = connection::open(&self.layout().live(), &key, Purpose::Read)?;
        let mut copy =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection::unlock(&copy, &key)?;
        match Backup::new(&live, &mut copy)?.step(ALL_PAGES)? {
            StepResult::Done => {}
            _ => return Err(Error::Busy),
        }
        drop(live);
        // Without a write-ahead log. Otherwise a program that opens a copy of this file would leave two more files.
        copy.pragma_update(None, "journal_mode", "delete")?;
        connection::configure(&copy, Purpose::Write)?;
        // The file is not used before the caller has synced it as a whole.
        copy.pragma_update(None, "synchronous", "off")?;
        write_directly(&mut copy, self.site(), self.clock(), rng, describe)?;
        copy.close().map_err(|(_, error)| Error::Sqlite(error))
    }
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
    /// read from there. The index is not written: if no server uses it, SQLite makes one in memory. Without these two
    /// files, all data is in the main file, and opening it in the usual way would create them.
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
        let mode = if has("-wal") && has("-shm") { SHARED } else { IMMUTABLE };
        let copy = Self::open_with(&live, mode, site, now)?;
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

    /// Pages whose authentication code is wrong: damaged, or written with another key. Reads the whole file, and works
    /// also if the file is too damaged for the other checks. Answers one message of SQLCipher for each page.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn forged_pages(&self) -> Result<Vec<String>, Error> {
        self.texts("pragma cipher_integrity_check")
    }

    /// Reads the first page and the schema, and prepares the connection for the other checks.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database of this key, or shorter than it says.
    pub fn prepare(&self) -> Result<(), Error> {
        connection::configure(&self.connection, Purpose::Read)?;
        Ok(self.connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?)
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
        let tables = self.texts(
            "select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~' order by name",
        )?;
        let count = |table: String| {
            let sql = format!("select count(*) from \"{}\"", table.replace('"', "\"\""));
            let rows = self.connection.query_row(&sql, [], |row| row.get(0))?;
            Ok((table, rows))
        };
        tables.into_iter().map(count).collect()
    }

    /// Reads the copy in the same way as the live database.
    pub fn view(&self) -> View<'_> {
        View::new(&self.connection, self.now, &self.site)
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare(sql)?;
        let texts = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(texts)
    }
}

/// No locks, no journal and no shared memory, because no process writes the file (sqlite.org/uri.html).
const IMMUTABLE: &str = "immutable=1";
/// A reader that writes nothing, not even into the shared index (sqlite.org/wal.html#readonly).
const SHARED: &str = "readonly_shm=1";

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
