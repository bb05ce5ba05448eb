//! One value of a row, as JSON and as a cell of a table for people.

use rusqlite::Row;
use serde_json::{Value, json};

use crate::base::{Credits, Quantity, Timestamp};

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// As it stands.
    Text,
    /// Milliseconds, written as RFC 3339.
    Time,
    /// Micro-credits, written as decimal credits.
    Credits,
    /// Millionths, written as a decimal quantity.
    Quantity,
    /// A whole number.
    Number,
    /// Zero or one.
    Flag,
    /// Words with spaces between them, a list in JSON.
    Words,
}

impl Cell {
    /// Reads the column of a row.
    pub(super) fn read(self, row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
        Ok(match self {
            Self::Text => json!(row.get::<_, Option<String>>(column)?),
            Self::Time => json!(row.get::<_, Option<Timestamp>>(column)?.map(Timestamp::rfc3339)),
            Self::Credits => json!(row.get::<_, Option<Credits>>(column)?.map(|amount| amount.to_string())),
            Self::Quantity => json!(row.get::<_, Option<Quantity>>(column)?.map(|quantity| quantity.to_string())),
            Self::Number => json!(row.get::<_, Option<i64>>(column)?),
            Self::Flag => json!(row.get::<_, Option<bool>>(column)?),
            Self::Words => match row.get::<_, Option<String>>(column)? {
                Some(words) => json!(words.split_ascii_whitespace().collect::<Vec<_>>()),
                None => Value::Null,
            },
        })
    }

    /// As a cell of a CSV file. What people typed is guarded; our own numbers are not, or a charge would be no number.
    pub(super) fn csv(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Text, Value::String(text)) => guarded(text),
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(words)) => guarded(&words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
            (_, other) => other.to_string(),
        }
    }
}

/// Spreadsheets run cells that begin so as formulas (OWASP, CSV injection): an apostrophe makes them text.
pub(super) fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_amounts_stay_numbers() {
        for formula in ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1"] {
            assert_eq!(Cell::Text.csv(&json!(formula)), format!("'{formula}"));
        }
        assert_eq!(Cell::Text.csv(&json!("a=b")), "a=b");
        assert_eq!(Cell::Credits.csv(&json!("-0.05")), "-0.05");
        assert_eq!(Cell::Words.csv(&json!(["models:read", "read"])), "models:read read");
        assert_eq!(Cell::Time.csv(&Value::Null), "");
    }
}
