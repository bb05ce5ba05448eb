//! Copies of the live database: made in one step, and looked at without touching them.

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

/// Every page at once: in portions the copy begins again with every commit, and under load it never ends.
const ALL_PAGES: std::ffi::c_int = -1;
/// Pages as SQLCipher 4 writes them, in bytes.
pub const PAGE_BYTES: u64 = 4096;

impl Store {
    /// Writes a copy of one moment to the new file `path`, encrypted with the same key, and lets `describe` write into it.
    /// Readers and the writer go on meanwhile. The copy is complete in its one file, and not yet durable.
    ///
    /// # Errors
    /// [`Error::File`] when the file exists; [`Error::Sqlite`]; what `describe` said.
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
        // Without a write-ahead log, or whoever opens a copy of this file would leave two more beside it.
        copy.pragma_update(None, "journal_mode", "delete")?;
        connection::settle(&copy, Purpose::Write)?;
        // Nobody trusts this file before the caller has synchronised it as a whole.
        copy.pragma_update(None, "synchronous", "off")?;
        write_directly(&mut copy, self.site(), self.clock(), rng, describe)?;
        copy.close().map_err(|(_, error)| Error::Sqlite(error))
    }
}

/// A database file opened to be looked at. Leaves it and its folder as they are, also where they could be written.
pub struct FileCopy {
    connection: Connection,
    site: Arc<Site>,
    now: Timestamp,
}

impl FileCopy {
    /// Opens a file that nobody writes with the appliance's key, without reading it yet.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be opened.
    pub fn open(path: &Path, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        Self::open_as(path, IMMUTABLE, site, now)
    }

    /// Opens the live database, beside a server or without one, and sees that it is one of this key and of a schema that
    /// this program knows.
    ///
    /// A server has a write-ahead log and its index beside the file, and a killed one left them: then what is committed is
    /// read from there. The index is not written: where no server keeps it, SQLite makes itself one in memory. Without
    /// these two, everything is in the file, and opening it in the usual way would make them.
    ///
    /// # Errors
    /// [`Error::KeyDoesNotOpen`], [`Error::Newer`], [`Error::Sqlite`].
    pub fn open_live(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        let live = layout.live();
        let has = |ending: &str| {
            let mut beside = live.clone().into_os_string();
            beside.push(ending);
            Path::new(&beside).exists()
        };
        let manner = if has("-wal") && has("-shm") { SHARED } else { IMMUTABLE };
        let copy = Self::open_as(&live, manner, site, now)?;
        copy.settle().map_err(|error| connection::name_wrong_key(error, &live))?;
        migrate::known_version(&copy.connection)?;
        Ok(copy)
    }

    fn open_as(path: &Path, manner: &str, site: &Arc<Site>, now: Timestamp) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        connection::start_library();
        let connection = Connection::open_with_flags(uri(path, manner), flags)?;
        connection::unlock(&connection, &site.keyring.database_key_pragma())?;
        Ok(Self { connection, site: site.clone(), now })
    }

    /// Pages whose authentication code is not theirs: damaged, or of another key. Reads the whole file; works also where
    /// nothing else does. In SQLCipher's words, one per page.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn forged_pages(&self) -> Result<Vec<String>, Error> {
        self.texts("pragma cipher_integrity_check")
    }

    /// Reads the first page and the schema, and makes ready for the other looks.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database of this key, or shorter than it says.
    pub fn settle(&self) -> Result<(), Error> {
        connection::settle(&self.connection, Purpose::Read)?;
        Ok(self.connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?)
    }

    /// The schema version.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn schema_version(&self) -> Result<usize, Error> {
        super::schema_version(&self.connection)
    }

    /// The first thing that is wrong with the structure: tables, indexes, free pages, constraints. `None`: nothing.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn structure_fault(&self) -> Result<Option<String>, Error> {
        Ok(self.texts("pragma integrity_check(1)")?.into_iter().find(|line| line != "ok"))
    }

    /// The first table with a row that refers to nothing. `None`: none.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn dangling_table(&self) -> Result<Option<String>, Error> {
        Ok(self.texts("pragma foreign_key_check")?.into_iter().next())
    }

    /// Tables by name, with their rows counted.
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

    /// A look at the copy as at the live database.
    pub fn view(&self) -> View<'_> {
        View::new(&self.connection, self.now, &self.site)
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare(sql)?;
        let texts = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(texts)
    }
}

/// No locks, no journal and no shared memory, because nobody writes the file (sqlite.org/uri.html).
const IMMUTABLE: &str = "immutable=1";
/// A reader among others that writes nothing, not even into the index they share (sqlite.org/wal.html#readonly).
const SHARED: &str = "readonly_shm=1";

fn uri(path: &Path, manner: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?" + manner
}
