//! Updates a database to the schema of this program, and refuses a database with a newer schema.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::connection::{self, Purpose};
use super::tx::write_directly;
use super::{Error, Site, Tx};
use crate::base::{Clock, Rng, Secret};

/// The migrations in order. A released migration is never edited; each change is a new file.
pub const SCHEMA: &[&str] = &[
    include_str!("migrations/0001_site.sql"),
    include_str!("migrations/0002_audit.sql"),
    include_str!("migrations/0003_jobs_and_mail.sql"),
    include_str!("migrations/0004_accounts.sql"),
    include_str!("migrations/0005_sessions.sql"),
    include_str!("migrations/0006_keys_and_services.sql"),
    include_str!("migrations/0007_ledger.sql"),
    include_str!("migrations/0008_usage.sql"),
    include_str!("migrations/0009_privacy.sql"),
    include_str!("migrations/0010_sessions.sql"),
    include_str!("migrations/0011_factors.sql"),
    include_str!("migrations/0012_identities.sql"),
    include_str!("migrations/0013_people.sql"),
    include_str!("migrations/0014_keys.sql"),
    include_str!("migrations/0015_tokens.sql"),
    include_str!("migrations/0016_credential_changes.sql"),
    include_str!("migrations/0017_invitations.sql"),
    include_str!("migrations/0018_key_notes.sql"),
];

/// How many migrations this program has. This is also the schema version of a current database.
pub const MIGRATIONS_COUNT: usize = SCHEMA.len();

fn migrations() -> Migrations<'static> {
    Migrations::new(SCHEMA.iter().map(|sql| M::up(sql)).collect())
}

/// The schema version of a connection's database.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn schema_version(connection: &Connection) -> Result<usize, Error> {
    let version: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// The schema version of a database, if this program can update it.
///
/// # Errors
/// [`Error::Newer`].
pub(super) fn known_version(connection: &Connection) -> Result<usize, Error> {
    let found = schema_version(connection)?;
    if found > MIGRATIONS_COUNT { Err(Error::Newer { found, known: MIGRATIONS_COUNT }) } else { Ok(found) }
}

/// Refuses a newer database before anything is written. Then applies the missing migrations in one transaction.
pub(super) fn to_current(connection: &mut Connection) -> Result<(), Error> {
    let found = known_version(connection)?;
    if found < MIGRATIONS_COUNT {
        migrations().to_latest(connection)?;
    }
    Ok(())
}

/// Creates or updates the database file at `path`.
///
/// # Errors
/// [`Error::KeyDoesNotOpen`], [`Error::Newer`], [`Error::Migration`].
pub fn migrate_file(path: &Path, key: &Secret<String>) -> Result<(), Error> {
    to_current(&mut connection::open(path, key, Purpose::Write)?)
}

/// Creates a database file at `path` and runs `work` in its first transaction. When this returns, all data is on disk
/// in that one file, which may be renamed.
///
/// # Errors
/// [`Error::Sqlite`], or the error of `work`.
pub fn make_file<T, E: From<Error>>(
    path: &Path,
    site: &Arc<Site>,
    clock: &Clock,
    rng: &mut Rng,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut connection = connection::open(path, &site.keyring.database_key_pragma(), Purpose::Write)?;
    to_current(&mut connection)?;
    let value = write_directly(&mut connection, site, clock, rng, work)?;
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).map_err(Error::Sqlite)?;
    connection.close().map_err(|(_, error)| Error::Sqlite(error))?;
    Ok(value)
}

/// A database in memory with the current schema and the same pragmas, for tests.
///
/// # Errors
/// [`Error::Migration`].
pub fn in_memory() -> Result<Connection, Error> {
    connection::start_library();
    let mut connection = Connection::open_in_memory()?;
    connection::configure(&connection, Purpose::Write)?;
    to_current(&mut connection)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_migrations_apply_and_a_newer_schema_is_refused() {
        let mut connection = in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();

        assert!(matches!(to_current(&mut connection), Err(Error::Newer { found: 999, .. })));
    }
}
