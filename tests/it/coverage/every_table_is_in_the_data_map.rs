//! Every table and column is declared, with what an export has of it and what an erasure does to it.

use std::collections::{BTreeMap, BTreeSet};

use domicile::db::{self, Erasure, Export};
use domicile::privacy::PARTS;
use domicile::privacy::data_map::{ACTIVITY_PART, SLICES, tables};
use rusqlite::Connection;

fn names(connection: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_table_and_column_is_declared() {
    let connection = db::in_memory().unwrap();
    let stored = names(&connection, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'");

    let declared: BTreeSet<String> = tables().map(|table| table.name.to_owned()).collect();
    assert_eq!(
        stored, declared,
        "declare the table in the tables.rs of its slice, in TABLES too; a new slice also in src/privacy/data_map.rs"
    );
    assert_eq!(tables().count(), declared.len(), "a table is declared twice");

    for (slice, table) in SLICES.iter().flat_map(|(slice, tables)| tables.iter().map(move |table| (slice, table))) {
        let stored = names(&connection, &format!("select name from pragma_table_info('{}')", table.name));
        let declared: BTreeSet<String> = table.columns.iter().map(|column| column.name.to_owned()).collect();
        assert_eq!(table.columns.len(), declared.len(), "{}: a column is declared twice", table.name);
        let (missing, gone): (Vec<_>, Vec<_>) =
            (stored.difference(&declared).collect(), declared.difference(&stored).collect());
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{}: src/{slice}/tables.rs does not declare {missing:?}, and declares {gone:?}, which no migration has",
            table.name
        );
    }
}

#[test]
fn the_tags_of_columns_are_consistent() {
    let connection = db::in_memory().unwrap();

    for table in tables() {
        let name = table.name;
        let nullable = |column: &str| {
            let sql = "select \"notnull\" = 0 or dflt_value is not null from pragma_table_info(?1) where name = ?2";
            connection.query_row(sql, [name, column], |row| row.get::<_, bool>(0)).unwrap()
        };
        assert_eq!(
            table.part.is_some(),
            table.exported().count() > 0,
            "{name}: a part and exported columns go together"
        );
        if let Some(part) = table.part {
            let exists = part == ACTIVITY_PART || PARTS.iter().any(|known| known.path == part);
            assert!(exists, "{name}: the archive has no part {part}");
        }
        for column in table.columns {
            let full = format!("{name}.{}", column.name);
            if let Export::LeftOut(reason) = column.export {
                assert!(!reason.is_empty(), "{full} is left out without a reason");
            }
            assert!(column.purpose.is_none_or(|purpose| !purpose.is_empty()), "{full}: what is the personal data for?");
            assert!(!column.is_set_later || nullable(column.name), "{full} is set_later() and has no default");
            match table.erasure {
                Erasure::Empties(_) => assert_eq!(column.is_emptied, column.purpose.is_some(), "{full}"),
                Erasure::Keeps(_) | Erasure::NothingPersonal => {
                    assert!(
                        column.purpose.is_none() && !column.is_emptied,
                        "{full} has personal data, which is never erased"
                    )
                }
                Erasure::Deletes => assert!(!column.is_emptied, "{full}: the whole row is deleted"),
            }
        }
        if let Erasure::Keeps(reason) | Erasure::Empties(reason) = table.erasure {
            assert!(reason.contains("Art."), "{name} is kept, and no article of law says why");
        }
    }
    for part in PARTS {
        assert!(tables().any(|table| table.part == Some(part.path)), "no table is in the part {}", part.path);
        for table in part.tables {
            assert_eq!(table.part, Some(part.path), "{} is declared for another part", table.name);
        }
        let mut columns = BTreeMap::new();
        part.columns().for_each(|(name, _)| *columns.entry(name).or_insert(0) += 1);
        assert!(columns.values().all(|count| *count == 1), "{} has two columns with one name: {columns:?}", part.path);
    }
    let selected: BTreeSet<_> = PARTS.iter().flat_map(|part| part.tables).map(|table| table.name).collect();
    for table in tables().filter(|table| table.part.is_some_and(|part| part != ACTIVITY_PART)) {
        assert!(selected.contains(table.name), "{}: no part of src/privacy/archive/store.rs selects it", table.name);
    }
}
