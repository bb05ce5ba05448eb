//! The data map has a decision for every table and column: what an export contains and what an erasure does to it.

use std::collections::BTreeSet;

use domicile::db;
use domicile::privacy::PARTS;
use domicile::privacy::data_map::{ACTIVITY_PART, Erasure, TABLES};
use rusqlite::Connection;

fn names(connection: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_data_map_has_every_table_and_column() {
    let connection = db::in_memory().unwrap();
    let tables = names(&connection, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'");

    let mapped: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    assert_eq!(tables, mapped, "add the table to src/privacy/data_map.rs, and say what export and erasure do with it");

    for table in TABLES {
        let columns = names(&connection, &format!("select name from pragma_table_info('{}')", table.name));
        let decided: Vec<&str> =
            table.exported.iter().copied().chain(table.excluded.iter().map(|(name, _)| *name)).collect();
        let distinct: BTreeSet<String> = decided.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(decided.len(), distinct.len(), "{}: a column is in the map twice", table.name);
        assert_eq!(columns, distinct, "{}: say in src/privacy/data_map.rs what happens to the column", table.name);
    }
}

#[test]
fn the_parts_columns_and_reasons_of_the_map_exist() {
    let connection = db::in_memory().unwrap();

    for table in TABLES {
        let name = table.name;
        assert_eq!(table.part.is_some(), !table.exported.is_empty(), "{name}: a part and exported columns go together");
        if let Some(part) = table.part {
            let exists = part == ACTIVITY_PART || PARTS.iter().any(|known| known.path == part);
            assert!(exists, "{name}: the archive has no part {part}");
        }
        for (column, reason) in table.excluded {
            assert!(!reason.is_empty(), "{name}.{column} is left out without a reason");
        }
        match table.erasure {
            Erasure::Empties(columns, reason) => {
                let known = names(&connection, &format!("select name from pragma_table_info('{name}')"));
                assert!(columns.iter().all(|column| known.contains(*column)) && !reason.is_empty(), "{name}");
            }
            Erasure::Keeps(reason) => {
                assert!(reason.contains("Art."), "{name} is kept, and no article of law says why")
            }
            Erasure::Deletes | Erasure::NothingPersonal => {}
        }
    }
    for part in PARTS {
        assert!(
            TABLES.iter().any(|table| table.part == Some(part.path)),
            "no table of the map is in the part {}",
            part.path
        );
    }
}
