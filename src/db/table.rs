//! Declares tables: each column once, with its tags. The `tables.rs` of a slice has the declarations.
//!
//! From a declaration come the column lists of statements ([`columns!`], [`insert!`]), the check that an insert gives a value to
//! every column ([`values!`]), the row of the data map (`privacy/data_map.rs`) and the columns of the export
//! (`privacy/archive`). All of it is computed by the compiler.

use rusqlite::{Params, ToSql};

use super::sql::Draft;

/// What an erasure does to the rows of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Deletes the rows.
    Deletes,
    /// Keeps the rows and empties the columns with the tag [`Column::emptied`]. The value is the reason.
    Empties(&'static str),
    /// Keeps the rows: they no longer identify the person once the other rows are deleted. The reason names the law.
    Keeps(&'static str),
    /// The table has no rows about a person.
    NothingPersonal,
}

/// The type of an exported column, which decides how the archive writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text, unchanged.
    Text,
    /// Milliseconds since 1970, written as RFC 3339.
    Time,
    /// Days since 1970, written as RFC 3339.
    Day,
    /// Micro-credits, written as decimal credits.
    Credits,
    /// The balance of a ledger account: credit is negative there and is written as a positive amount. Null is zero.
    Balance,
    /// Millionths, written as a decimal quantity.
    Quantity,
    /// A whole number.
    Number,
    /// 0 or 1, written as a boolean.
    Flag,
    /// Words separated by spaces, written as a list in JSON.
    Words,
}

/// Whether the export contains a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// Under this name.
    As(&'static str, Cell),
    /// No, for this reason.
    LeftOut(&'static str),
}

/// What happens to the times in a column when the clock was set back (`crate::clock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Nothing: it is no time, a record of what happened, or a date that a person chose.
    Never,
    /// Times in the future move back by as much: an end, or when something is due. What ended before the step stays ended.
    Ends,
    /// All times move back by as much, because rules compare the age with a maximum, and nothing may become younger.
    Ages,
    /// It moves if the time in this other column is in the future: an end that was computed from it.
    With(&'static str),
}

/// One column with its tags. Made by [`exported`] or [`left_out`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the schema.
    pub name: &'static str,
    /// Whether the export contains it.
    pub export: Export,
    /// What the personal data in it is needed for. `None`: the column identifies and describes nobody.
    pub purpose: Option<&'static str>,
    /// How long its value is kept, if that is shorter than the life of the row.
    pub retention: Option<&'static str>,
    /// Whether an erasure that keeps the row empties the column.
    pub is_emptied: bool,
    /// Whether inserts leave it to the default of the schema.
    pub is_set_later: bool,
    /// What a clock that was set back does to it.
    pub shift: Shift,
}

/// A column of the export, under its own name.
pub const fn exported(cell: Cell) -> Column {
    Column { export: Export::As("", cell), ..left_out("") }
}

/// A column that is not exported, for this reason.
pub const fn left_out(reason: &'static str) -> Column {
    Column {
        name: "",
        export: Export::LeftOut(reason),
        purpose: None,
        retention: None,
        is_emptied: false,
        is_set_later: false,
        shift: Shift::Never,
    }
}

impl Column {
    /// See [`Shift::Ends`].
    pub const fn ends(mut self) -> Self {
        self.shift = Shift::Ends;
        self
    }

    /// See [`Shift::Ages`].
    pub const fn ages(mut self) -> Self {
        self.shift = Shift::Ages;
        self
    }

    /// See [`Shift::With`].
    pub const fn ends_with(mut self, other: &'static str) -> Self {
        self.shift = Shift::With(other);
        self
    }

    /// Exports the column under another name.
    pub const fn named(mut self, name: &'static str) -> Self {
        self.export = match self.export {
            Export::As(_, cell) => Export::As(name, cell),
            // Runs in the compiler only.
            Export::LeftOut(_) => panic!("a column that is left out has no name in the export"),
        };
        self
    }

    /// The column contains personal data, which is needed for this.
    pub const fn personal(mut self, purpose: &'static str) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// The value is deleted or emptied before the row.
    pub const fn kept(mut self, retention: &'static str) -> Self {
        self.retention = Some(retention);
        self
    }

    /// An erasure that keeps the row empties the column.
    pub const fn emptied(mut self) -> Self {
        self.is_emptied = true;
        self
    }

    /// Inserts leave the column to the default of the schema; a later statement sets it.
    pub const fn set_later(mut self) -> Self {
        self.is_set_later = true;
        self
    }

    /// For [`table!`], which knows the name.
    pub const fn with_name(mut self, name: &'static str) -> Self {
        self.name = name;
        if let Export::As(exported, cell) = self.export
            && exported.is_empty()
        {
            self.export = Export::As(name, cell);
        }
        self
    }
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the schema.
    pub name: &'static str,
    /// The part of the archive that contains its rows. `None`: nothing is exported.
    pub part: Option<&'static str>,
    /// How long rows are kept. `None`: as long as the account or the site exists.
    pub retention: Option<&'static str>,
    /// What an erasure does to the rows.
    pub erasure: Erasure,
    /// Its columns.
    pub columns: &'static [Column],
}

impl Table {
    /// The names and types of the exported columns, in the order of the archive.
    pub fn exported(&self) -> impl Iterator<Item = (&'static str, Cell)> {
        self.columns.iter().filter_map(|column| match column.export {
            Export::As(name, cell) => Some((name, cell)),
            Export::LeftOut(_) => None,
        })
    }

    /// The columns that an insert gives values to, or else only their parameters.
    pub const fn inserted(&self, prefix: &str) -> Draft {
        let (mut draft, mut index) = (Draft::new(), 0);
        while index < self.columns.len() {
            if !self.columns[index].is_set_later {
                draft = draft.item(prefix).push(self.columns[index].name);
            }
            index += 1;
        }
        draft
    }

    /// The columns with their exported names, for a select list.
    pub const fn exported_list(&self, alias: &str) -> Draft {
        let (mut draft, mut index) = (Draft::new(), 0);
        while index < self.columns.len() {
            if let Export::As(name, _) = self.columns[index].export {
                draft = draft.item(alias).push(".").push(self.columns[index].name);
                draft = draft.push(" as \"").push(name).push("\"");
            }
            index += 1;
        }
        draft
    }

    /// All columns except some, for a select list. An empty alias: without one.
    pub const fn list(&self, alias: &str, except: &[&str]) -> Draft {
        let mut index = 0;
        while index < except.len() {
            self.position(except[index]);
            index += 1;
        }
        let mut draft = Draft::new();
        index = 0;
        while index < self.columns.len() {
            let name = self.columns[index].name;
            if !super::sql::contains(except, name) {
                draft = if alias.is_empty() { draft.item("") } else { draft.item(alias).push(".") }.push(name);
            }
            index += 1;
        }
        draft
    }

    /// Does not compile if these are not exactly the columns that an insert must give values to.
    pub const fn assert_inserts_all(&self, names: &[&str]) {
        let mut index = 0;
        while index < self.columns.len() {
            let column = &self.columns[index];
            if !column.is_set_later && !super::sql::contains(names, column.name) {
                self.fail(column.name, "has no value in this insert: give it one, or declare it as set_later()");
            }
            index += 1;
        }
        index = 0;
        while index < names.len() {
            if self.columns[self.position(names[index])].is_set_later {
                self.fail(names[index], "has a value in this insert, and is declared as set_later()");
            }
            index += 1;
        }
    }

    /// The place of a column among those that an insert gives values to, from 0.
    pub const fn insert_place(&self, name: &str) -> usize {
        let (end, mut index, mut place) = (self.position(name), 0, 0);
        while index < end {
            if !self.columns[index].is_set_later {
                place += 1;
            }
            index += 1;
        }
        place
    }

    const fn position(&self, name: &str) -> usize {
        let mut index = 0;
        while index < self.columns.len() {
            if super::sql::is_same(self.columns[index].name, name) {
                return index;
            }
            index += 1;
        }
        self.fail(name, "is not declared in tables.rs")
    }

    const fn fail(&self, column: &str, what: &str) -> ! {
        Draft::new().push(self.name).push(".").push(column).push(" ").push(what).fail()
    }
}

/// The values of an insert in the order of its parameters. To bind them by number costs a tenth of a search for each name.
pub fn in_order<const N: usize>(values: [(usize, &dyn ToSql); N]) -> impl Params {
    let mut ordered = [values[0].1; N];
    for (place, value) in values {
        ordered[place] = value;
    }
    rusqlite::params_from_iter(ordered)
}

/// Declares a table as a constant.
///
/// ```text
/// table! {
///     /// API keys, without their secrets.
///     pub API_KEY: "api_key" { part: Some("keys/keys"), erasure: Erasure::Deletes }
///     id = exported(Text);
///     name = exported(Text).personal("tells keys apart");
///     lookup = left_out(SECRET);
/// }
/// ```
macro_rules! table {
    ($(#[$meta:meta])* $vis:vis $name:ident: $table:literal {
        part: $part:expr, $(kept: $kept:expr,)? erasure: $erasure:expr $(,)?
    } $($column:ident = $tags:expr;)+) => {
        $(#[$meta])*
        $vis const $name: $crate::db::Table = $crate::db::Table {
            name: $table,
            part: $part,
            retention: { let _kept: Option<&'static str> = None; $(let _kept = Some($kept);)? _kept },
            erasure: $erasure,
            columns: &[$(($tags).with_name(stringify!($column))),+],
        };
    };
}

/// The columns of a table for a select list: `columns!(API_KEY as "k", except lookup, sealed)`.
macro_rules! columns {
    ($table:path) => { $crate::db::text!($table.list("", &[])) };
    ($table:path, except $($name:ident),+) => { $crate::db::text!($table.list("", &[$(stringify!($name)),+])) };
    ($table:path as $alias:literal) => { $crate::db::text!($table.list($alias, &[])) };
    ($table:path as $alias:literal, except $($name:ident),+) => {
        $crate::db::text!($table.list($alias, &[$(stringify!($name)),+]))
    };
}

/// The exported columns of a table, under their exported names: `exported!(API_KEY as "k")`.
macro_rules! exported_columns {
    ($table:path as $alias:literal) => {
        $crate::db::text!($table.exported_list($alias))
    };
}

/// An insert of all columns of a table: `insert into t (a, b) values (:a, :b)`. Another verb, such as `"insert or replace"`, may
/// come first. With `select`, it ends with the parameters, and a condition can follow.
macro_rules! insert {
    ($table:path) => {
        $crate::db::insert!("insert", $table)
    };
    ($verb:literal, $table:path) => {
        $crate::db::sql!(
            $verb,
            " into ",
            $table.name,
            " (",
            $crate::db::text!($table.inserted("")),
            ") values (",
            $crate::db::text!($table.inserted(":")),
            ")"
        )
    };
    ($table:path, select) => {
        $crate::db::sql!(
            "insert into ",
            $table.name,
            " (",
            $crate::db::text!($table.inserted("")),
            ") select ",
            $crate::db::text!($table.inserted(":"))
        )
    };
}

/// The values of an `insert!` by column. A missing column does not compile. Parameters that are not columns come after
/// `and`.
macro_rules! values {
    ($table:path => { $first:ident: $value:expr $(, $column:ident: $other:expr)* $(,)? }) => {
        $crate::db::in_order([
            (
                {
                    // Items and not `const` blocks, so that `cargo check` computes them too.
                    const _: () = $table.assert_inserts_all(&[stringify!($first) $(, stringify!($column))*]);
                    const PLACE: usize = $table.insert_place(stringify!($first));
                    PLACE
                },
                &$value as &dyn rusqlite::ToSql,
            )
            $(, (
                {
                    const PLACE: usize = $table.insert_place(stringify!($column));
                    PLACE
                },
                &$other as &dyn rusqlite::ToSql,
            ))*
        ])
    };
    ($table:path => { $first:ident: $value:expr $(, $column:ident: $other:expr)* $(,)? }
        and { $($name:ident: $parameter:expr),+ $(,)? }) => {
        &[
            (
                {
                    const _: () = $table.assert_inserts_all(&[stringify!($first) $(, stringify!($column))*]);
                    concat!(":", stringify!($first))
                },
                &$value as &dyn rusqlite::ToSql,
            )
            $(, (concat!(":", stringify!($column)), &$other as &dyn rusqlite::ToSql))*
            $(, (concat!(":", stringify!($name)), &$parameter as &dyn rusqlite::ToSql))+
        ] as &[(&str, &dyn rusqlite::ToSql)]
    };
}

pub(crate) use {columns, exported_columns, insert, table, values};
