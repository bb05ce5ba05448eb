//! Opens connections, and checks on each one the settings that the promises depend on.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Error;
use crate::base::Secret;

/// SQLite before 3.51.3 has the WAL-reset corruption bug (sqlite.org/wal.html#walresetbug).
pub const ENGINE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// How long a connection waits for a write of another process, such as a command while the server runs.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Prepared statements that each connection keeps: more than all `STATEMENTS` of the program together.
pub const STATEMENTS_KEPT: usize = 768;
/// Page cache of a reader in the pool, in KiB. It holds decrypted pages.
const CACHE_KIB: i64 = 2 * 1024;
/// Page cache of a worker's own reader, in KiB. A page that is not in it is decrypted for each query (about 8 µs a
/// page). The upper levels of every index over a million keys fit, so a query decrypts leaf pages only.
const INLINE_CACHE_KIB: i64 = 4 * 1024;
/// Page cache of the writer, in KiB: large enough for the pages that a batch changes. Otherwise they are encrypted
/// twice.
const WRITE_CACHE_KIB: i64 = 8 * 1024;

/// The version of SQLite in this program: major, minor, patch.
pub fn engine_version() -> (u32, u32, u32) {
    let number = u32::try_from(rusqlite::version_number()).unwrap_or(0);
    (number / 1_000_000, number / 1000 % 1000, number % 1000)
}

/// The versions of SQLCipher and of OpenSSL below it.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn cipher_versions() -> Result<(String, String), Error> {
    let connection = Connection::open_in_memory()?;
    // Without any key, it does not say on what it is built.
    connection.execute_batch("pragma key = 'none'")?;
    let ask = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    let openssl = ask("pragma cipher_provider_version")?;
    // `OpenSSL 3.6.3 9 Jun 2026`
    let number = openssl.split(' ').nth(1).unwrap_or(&openssl).to_owned();
    Ok((ask("pragma cipher_version")?, number))
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads only: `query_only` is on.
    Read,
    /// As `Read`, for the short queries of one worker thread.
    ReadInline,
    /// The one writer of this process.
    Write,
}

/// Opens the live file with its raw key and checks the pragmas.
///
/// # Errors
/// [`Error::KeyDoesNotOpen`] for a wrong key; [`Error::Unsafe`] when a pragma has no effect.
pub(super) fn open(path: &Path, key: &Secret<String>, purpose: Purpose) -> Result<Connection, Error> {
    start_library();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, key, purpose).map_err(|error| wrong_key_error(error, path))?;
    Ok(connection)
}

/// Initialises OpenSSL before SQLCipher does, and without OpenSSL's exit handler. That handler frees memory that
/// threads of the pool may still use while they end, and these threads cannot be joined. A command would then be killed
/// by a signal after its work was done.
pub(super) fn start_library() {
    openssl_sys::init();
}

/// Gives a new connection its key and settings. The key comes first, because SQLCipher needs it before the first read.
pub(super) fn prepare(connection: &Connection, key: &Secret<String>, purpose: Purpose) -> Result<(), Error> {
    unlock(connection, key)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    configure(connection, purpose)?;
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("cipher_status", "1")] {
        assert_pragma(connection, pragma, wanted)?;
    }
    Ok(())
}

/// Gives SQLCipher the raw key, so that no connection derives one (0.09 ms instead of 76 ms).
pub(super) fn unlock(connection: &Connection, key: &Secret<String>) -> Result<(), Error> {
    // SQLCipher warns on standard error when memory cannot be locked, which depends on the machine and is not a fault.
    connection.execute_batch("pragma cipher_log_level = error")?;
    let statement = Secret::new(format!("pragma key = \"{}\"", key.expose()));
    connection.execute_batch(statement.expose())?;
    Ok(())
}

/// Makes the settings that every connection has, in memory or on disk.
pub(super) fn configure(connection: &Connection, purpose: Purpose) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Keep a query plan once it is made. Otherwise SQLite compiles a statement again for each new number bound to its
    // `limit`.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "trusted_schema", "off")?;
    connection.pragma_update(None, "secure_delete", "on")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cell_size_check", "on")?;
    let cache_kib = match purpose {
        Purpose::Read => CACHE_KIB,
        Purpose::ReadInline => INLINE_CACHE_KIB,
        Purpose::Write => WRITE_CACHE_KIB,
    };
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // A caller that waits for a commit must not wait for a checkpoint: the writer runs it after it has answered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "query_only", purpose != Purpose::Write)?;
    for (pragma, wanted) in [("foreign_keys", "1"), ("trusted_schema", "0"), ("secure_delete", "1")] {
        assert_pragma(connection, pragma, wanted)?;
    }
    Ok(())
}

fn assert_pragma(connection: &Connection, pragma: &'static str, wanted: &str) -> Result<(), Error> {
    let found: String = connection
        .query_row(&format!("pragma {pragma}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })?;
    if found == wanted { Ok(()) } else { Err(Error::Unsafe { pragma, wanted: wanted.to_owned(), found }) }
}

/// SQLCipher reports a wrong key as "file is not a database". The admin needs to hear about the key.
pub(super) fn wrong_key_error(error: Error, path: &Path) -> Error {
    match &error {
        Error::Sqlite(inner) if inner.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Error::KeyDoesNotOpen(path.display().to_string())
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus, named_params};

    use super::{Purpose, configure};

    #[test]
    fn a_statement_is_compiled_once_whatever_is_bound_to_its_limit() {
        let connection = Connection::open_in_memory().unwrap();
        configure(&connection, Purpose::ReadInline).unwrap();
        let mut listing = connection.prepare("select name from sqlite_schema order by name limit :limit").unwrap();

        for limit in [1, 2, 3] {
            assert!(!listing.exists(named_params! {":limit": limit}).unwrap());
        }

        assert_eq!(listing.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn the_engine_is_compiled_without_locks_that_all_connections_share() {
        let connection = Connection::open_in_memory().unwrap();
        let has = |option: &str| {
            connection.query_row("select sqlite_compileoption_used(?1)", [option], |row| row.get::<_, bool>(0)).unwrap()
        };

        let compiled = ["ENABLE_MEMORY_MANAGEMENT", "DEFAULT_MEMSTATUS=0", "THREADSAFE=1"].map(has);

        assert_eq!(compiled, [false, true, true], "build where .cargo/config.toml is read");
    }

    #[test]
    fn the_engine_is_past_the_wal_reset_bug() {
        assert!(super::engine_version() >= super::ENGINE_VERSION_MIN);
    }
}
