//! Moves the times in all tables. The statements come from the tags of the columns in the `tables.rs` of each slice, so that a
//! new column cannot be forgotten here.

use rusqlite::ToSql;

use super::model::Move;
use crate::db::{Error, Shift, Table, Tx};
use crate::privacy::data_map;

const BY: &str = ":by";
const AGES_FROM: &str = ":ages_from";
const ENDS_FROM: &str = ":ends_from";

/// Moves the times of every table. Returns how many rows were changed.
pub(super) fn shift_all(tx: &mut Tx<'_>, shift: &Move) -> Result<usize, Error> {
    let by = i64::try_from(shift.by.as_millis()).unwrap_or(i64::MAX);
    let values: [(&str, &dyn ToSql); 3] = [(BY, &by), (AGES_FROM, &shift.ages_from), (ENDS_FROM, &shift.ends_from)];
    let mut rows = 0;
    for sql in data_map::tables().filter_map(statement) {
        // SQLite refuses a parameter that the statement does not have.
        let used: Vec<_> = values.iter().filter(|(name, _)| sql.contains(*name)).copied().collect();
        rows += tx.execute(&sql, used.as_slice())?;
    }
    Ok(rows)
}

/// The statement that moves the times of a table. `None`: it has none.
fn statement(table: &Table) -> Option<String> {
    let conditions: Vec<(&str, String)> = table
        .columns
        .iter()
        .filter_map(|column| {
            let condition = match column.shift {
                Shift::Never => return None,
                Shift::Ends => format!("{} >= {ENDS_FROM}", column.name),
                Shift::Ages => format!("{} >= {AGES_FROM}", column.name),
                Shift::With(other) => format!("{other} >= {ENDS_FROM}"),
            };
            Some((column.name, condition))
        })
        .collect();
    if conditions.is_empty() {
        return None;
    }
    let moved = conditions.iter().map(|(name, condition)| format!("{name} = iif({condition}, {name} - {BY}, {name})"));
    let reached = conditions.iter().map(|(_, condition)| condition.as_str());
    Some(format!(
        "update {} set {} where {}",
        table.name,
        moved.collect::<Vec<_>>().join(", "),
        reached.collect::<Vec<_>>().join(" or ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;

    #[test]
    fn every_statement_prepares() {
        let connection = db::in_memory().unwrap();

        let statements: Vec<String> = data_map::tables().filter_map(statement).collect();

        assert!(statements.len() > 15);
        for sql in statements {
            connection.prepare(&sql).unwrap_or_else(|error| panic!("{error} in {sql}"));
        }
    }
}
