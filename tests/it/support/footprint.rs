//! What a database contains at one moment, so that a test can say that nothing happened.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use domicile::db::View;
use domicile::privacy::data_map;
use rusqlite::types::Value;

/// A digest of all rows of every table.
#[derive(Clone, PartialEq, Eq)]
pub struct Footprint(BTreeMap<&'static str, (usize, u64)>);

impl Footprint {
    /// Reads the whole database.
    pub fn read(view: &View<'_>) -> Self {
        // The time of the last change is not part of what happened.
        let tables = data_map::tables().filter(|table| table.name != "clock").map(|table| {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let sql = format!("select {list} from {} order by {list}", table.name);
            let rows: Vec<Vec<Value>> =
                view.list(&sql, [], |row| (0..names.len()).map(|column| row.get(column)).collect()).unwrap();
            let mut digest = DefaultHasher::new();
            format!("{rows:?}").hash(&mut digest);
            (table.name, (rows.len(), digest.finish()))
        });
        Self(tables.collect())
    }

    /// Leaves out a table that the operation changes on purpose, such as the counter of wrong proofs.
    pub fn without(mut self, table: &str) -> Self {
        assert!(self.0.remove(table).is_some(), "there is no table {table}");
        self
    }
}

impl fmt::Debug for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, (rows, digest)) in self.0.iter().filter(|(_, (rows, _))| *rows > 0) {
            write!(f, "{table}: {rows} #{:04x}, ", digest & 0xffff)?;
        }
        Ok(())
    }
}
