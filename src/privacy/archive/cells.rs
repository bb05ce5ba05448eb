//! One value of a row, as JSON and as a CSV cell.

use rusqlite::Row;
use serde_json::{Value, json};

use crate::base::{Credits, Quantity, Timestamp};

/// The type of a column, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text, unchanged.
    Text,
    /// Milliseconds since 1970, written as RFC 3339.
    Time,
    /// Micro-credits, written as decimal credits.
    Credits,
    /// Millionths, written as a decimal quantity.
    Quantity,
    /// A whole number.
    Number,
    /// 0 or 1, written as a boolean.
    Flag,
    /// Words separated by spaces, written as a list in JSON.
    Words,
}

impl Cell {
    /// Reads the column as JSON.
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

    /// The value as a CSV cell. Text that people typed is escaped. Our own numbers are not, so that a negative amount
    /// stays a number.
    pub(super) fn csv(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Text, Value::String(text)) => escape_formula(text),
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(words)) => {
                escape_formula(&words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            }
            (_, other) => other.to_string(),
        }
    }
}

/// Escapes text that a spreadsheet would run as a formula (OWASP, CSV injection): an apostrophe in front makes it text.
pub(super) fn escape_formula(text: &str) -> String {
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
