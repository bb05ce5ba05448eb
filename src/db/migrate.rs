//! Updates a database to the schema of this program, and refuses a database with a newer schema.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

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
    include_str!("migrations/0019_journal.sql"),
    include_str!("migrations/0020_epochs.sql"),
    include_str!("migrations/0021_clock.sql"),
    include_str!("migrations/0022_snapshots.sql"),
    include_str!("migrations/0023_maintenance.sql"),
    include_str!("migrations/0024_audit_indexes.sql"),
    include_str!("migrations/0025_service_credentials.sql"),
    include_str!("migrations/0026_mail_failures.sql"),
    include_str!("migrations/0027_ledger_index.sql"),
    include_str!("migrations/0028_event_ids.sql"),
    include_str!("migrations/0029_known_browsers.sql"),
    include_str!("migrations/0030_statement_and_journal.sql"),
    include_str!("migrations/0031_service_grants.sql"),
    include_str!("migrations/0032_inbox.sql"),
    include_str!("migrations/0033_resources.sql"),
    include_str!("migrations/0034_lots.sql"),
    include_str!("migrations/0035_audit_tree.sql"),
    include_str!("migrations/0036_services_and_erasure.sql"),
    include_str!("migrations/0037_holds.sql"),
    include_str!("migrations/0038_vouchers_and_allowances.sql"),
    include_str!("migrations/0039_transactions_and_notices.sql"),
    include_str!("migrations/0040_resource_indexes.sql"),
    include_str!("migrations/0041_erasures.sql"),
];

/// How many migrations this program has. This is also the schema version of a current database.
pub const MIGRATIONS_COUNT: usize = SCHEMA.len();

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
    known_version_of(connection, SCHEMA)
}

fn known_version_of(connection: &Connection, schema: &[&str]) -> Result<usize, Error> {
    let found = schema_version(connection)?;
    if found > schema.len() { Err(Error::Newer { found, known: schema.len() }) } else { Ok(found) }
}

/// Refuses a newer database before anything is written. Then applies the missing migrations in one transaction. `begins`
/// is called with the number of each migration before it is applied.
pub(super) fn to_current(connection: &mut Connection, begins: &dyn Fn(usize)) -> Result<(), Error> {
    apply(connection, SCHEMA, begins)
}

/// Applies the missing migrations of `schema` in one transaction: after a failure or a crash at any statement, the
/// database has the old schema or the new one.
///
/// A migration may rebuild a table (sqlite.org/lang_altertable.html#otheralter): create the new table, copy the rows, drop
/// the old table, rename the new one. So foreign keys are not enforced meanwhile, because the drop would refuse or delete
/// rows that refer to the table; before the commit, all of them are checked. If triggers of other tables use the table, the
/// migration begins with `pragma legacy_alter_table = on`, so that the rename does not look for the dropped table in them.
fn apply(connection: &mut Connection, schema: &[&str], begins: &dyn Fn(usize)) -> Result<(), Error> {
    if known_version_of(connection, schema)? == schema.len() {
        return Ok(());
    }
    // This cannot be changed inside a transaction.
    connection.pragma_update(None, "foreign_keys", "off")?;
    let outcome = apply_in_one_transaction(connection, schema, begins);
    connection.pragma_update(None, "legacy_alter_table", "off")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    outcome
}

fn apply_in_one_transaction(connection: &mut Connection, schema: &[&str], begins: &dyn Fn(usize)) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again, because another process may have applied them before this one got the lock.
    let found = known_version_of(&transaction, schema)?;
    for (number, sql) in (1..).zip(schema).skip(found) {
        begins(number);
        transaction.pragma_update(None, "legacy_alter_table", "off")?;
        let failure = |reason: rusqlite::Error| Error::Migration { number, reason: reason.to_string() };
        transaction.execute_batch(sql).map_err(failure)?;
        transaction.pragma_update(None, "user_version", i64::try_from(number).unwrap_or(i64::MAX)).map_err(failure)?;
    }
    let mut check = transaction.prepare("pragma foreign_key_check")?;
    let dangling: Option<String> = check.query_map([], |row| row.get(0))?.next().transpose()?;
    drop(check);
    if let Some(table) = dangling {
        let reason = format!("rows of table {table} refer to rows that do not exist");
        return Err(Error::Migration { number: schema.len(), reason });
    }
    Ok(transaction.commit()?)
}

/// Creates or updates the database file at `path`, in one transaction.
///
/// # Errors
/// [`Error::KeyDoesNotOpen`], [`Error::Newer`], [`Error::Migration`].
pub fn migrate_file(path: &Path, key: &Secret<String>) -> Result<(), Error> {
    migrate_file_with(path, key, &|_| ())
}

/// As [`migrate_file`]. `begins` is called with the number of each migration before it is applied. When this returns, all
/// data is on disk in that one file, unless another process has it open.
///
/// # Errors
/// As [`migrate_file`].
pub fn migrate_file_with(path: &Path, key: &Secret<String>, begins: &dyn Fn(usize)) -> Result<(), Error> {
    let mut connection = connection::open(path, key, Purpose::Write)?;
    to_current(&mut connection, begins)?;
    connection.close().map_err(|(_, error)| Error::Sqlite(error))
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
    to_current(&mut connection, &|_| ())?;
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
    to_current(&mut connection, &|_| ())?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_migrations_apply_and_a_newer_schema_is_refused() {
        let mut connection = in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();

        assert!(matches!(to_current(&mut connection, &|_| ()), Err(Error::Newer { found: 999, .. })));
    }

    /// A table with a check, an index and a trigger, one that refers to it, and one whose trigger reads it.
    const OLD: &str = "
        create table item (id integer primary key, kind text not null check (kind in ('a', 'b'))) strict;
        create index item_kind on item (kind);
        create trigger item_stays before delete on item begin select raise(abort, 'kept'); end;
        create table part (id integer primary key, item_id integer not null references item (id) on delete cascade) strict;
        create table note (item_id integer not null) strict;
        create trigger note_has_item before insert on note when not exists (select 1 from item where id = new.item_id)
        begin select raise(abort, 'no such item'); end;
        insert into item values (1, 'a'), (2, 'b');
        insert into part values (10, 1), (11, 2);";
    /// Changes the check, which `alter table` cannot do.
    const REBUILD: &str = "
        pragma legacy_alter_table = on;
        create table new_item (id integer primary key, kind text not null check (kind in ('a', 'b', 'c'))) strict;
        insert into new_item select id, kind from item order by id;
        drop table item;
        alter table new_item rename to item;
        create index item_kind on item (kind);
        create trigger item_stays before delete on item begin select raise(abort, 'kept'); end;";

    fn migrated(schema: &[&str]) -> (Connection, Result<(), Error>) {
        let mut connection = Connection::open_in_memory().unwrap();
        connection::configure(&connection, Purpose::Write).unwrap();
        apply(&mut connection, &[OLD], &|_| ()).unwrap();
        let outcome = apply(&mut connection, schema, &|_| ());
        (connection, outcome)
    }

    #[test]
    fn a_migration_can_rebuild_a_table_that_others_refer_to() {
        let (connection, outcome) = migrated(&[OLD, REBUILD]);

        outcome.unwrap();
        connection.execute_batch("insert into item values (3, 'c'); insert into note values (3)").unwrap();
        let parts: i64 = connection.query_row("select count(*) from part", [], |row| row.get(0)).unwrap();
        assert_eq!((parts, schema_version(&connection).unwrap()), (2, 2));
        for refused in [
            "insert into part values (12, 99)",
            "insert into note values (99)",
            "delete from item where id = 3",
            "insert into item values (4, 'd')",
        ] {
            assert!(connection.execute_batch(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_migration_that_fails_or_loses_a_row_changes_nothing() {
        let loses_a_row = REBUILD.replace("order by id", "where id = 1");
        let fails_late = format!("{REBUILD} insert into item values (1, 'a');");
        for (schema, number) in
            [([OLD, &loses_a_row, ""], 3), ([OLD, REBUILD, "no sql"], 3), ([OLD, &fails_late, ""], 2)]
        {
            let (connection, outcome) = migrated(&schema);

            assert!(matches!(outcome, Err(Error::Migration { number: named, .. }) if named == number), "{outcome:?}");
            assert_eq!(schema_version(&connection).unwrap(), 1);
            assert!(connection.execute_batch("insert into item values (3, 'c')").is_err(), "the old check is there");
            assert!(connection.execute_batch("insert into part values (12, 99)").is_err(), "foreign keys are enforced");
        }
    }
}
