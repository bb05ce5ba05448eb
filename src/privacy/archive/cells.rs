//! One value of a row, as JSON and as a CSV cell.

use rusqlite::Row;
use serde_json::{Value, json};

use crate::base::{Credits, Quantity, Timestamp, escape_formula};
use crate::db::Cell;

/// Reads a column as JSON.
pub(super) fn read(cell: Cell, row: &Row<'_>, column: &str) -> rusqlite::Result<Value> {
    Ok(match cell {
        Cell::Text => json!(row.get::<_, Option<String>>(column)?),
        Cell::Time => json!(row.get::<_, Option<Timestamp>>(column)?.map(Timestamp::rfc3339)),
        Cell::Day => json!(row.get::<_, Option<i64>>(column)?.map(|day| Timestamp::from_day_number(day).rfc3339())),
        Cell::Credits => json!(row.get::<_, Option<Credits>>(column)?.map(|amount| amount.to_string())),
        Cell::Balance => {
            let micro = row.get::<_, Option<i64>>(column)?.unwrap_or_default();
            json!(Credits::from_micro(-micro).map(|amount| amount.to_string()))
        }
        Cell::Quantity => json!(row.get::<_, Option<i64>>(column)?.map(|micro| {
            // Below zero: usage that was taken back.
            let sign = if micro < 0 { "-" } else { "" };
            Quantity::from_micro(micro.saturating_abs()).map(|quantity| format!("{sign}{quantity}"))
        })),
        Cell::Number => json!(row.get::<_, Option<i64>>(column)?),
        Cell::Flag => json!(row.get::<_, Option<bool>>(column)?),
        Cell::Words => match row.get::<_, Option<String>>(column)? {
            Some(words) => json!(words.split_ascii_whitespace().collect::<Vec<_>>()),
            None => Value::Null,
        },
    })
}

/// The value as a CSV cell. Text that people typed is escaped. Our own numbers are not, so that a negative amount stays a
/// number.
pub(super) fn csv(cell: Cell, value: &Value) -> String {
    match (cell, value) {
        (_, Value::Null) => String::new(),
        (Cell::Text, Value::String(text)) => escape_formula(text),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(words)) => {
            escape_formula(&words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        }
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_amounts_stay_numbers() {
        for formula in ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1"] {
            assert_eq!(csv(Cell::Text, &json!(formula)), format!("'{formula}"));
        }
        assert_eq!(csv(Cell::Text, &json!("a=b")), "a=b");
        assert_eq!(csv(Cell::Credits, &json!("-0.05")), "-0.05");
        assert_eq!(csv(Cell::Words, &json!(["models:read", "read"])), "models:read read");
        assert_eq!(csv(Cell::Time, &Value::Null), "");
    }
}
