//! Texts of statements that the compiler puts together, and columns that are read by name at positions that it computes.

use rusqlite::Row;
use rusqlite::types::FromSql;

/// Longer than any statement.
const DRAFT_BYTES: usize = 4096;

/// A text under construction.
#[derive(Clone, Copy)]
pub struct Draft {
    bytes: [u8; DRAFT_BYTES],
    length: usize,
}

impl Draft {
    /// Empty.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self { bytes: [0; DRAFT_BYTES], length: 0 }
    }

    /// Adds a text.
    pub const fn push(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut index = 0;
        while index < text.len() {
            self.bytes[self.length + index] = text[index];
            index += 1;
        }
        self.length += text.len();
        self
    }

    /// Adds a text, after a comma if it is not the first.
    pub const fn item(self, text: &str) -> Self {
        if self.length == 0 { self.push(text) } else { self.push(", ").push(text) }
    }

    /// Its length in bytes.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Its bytes. `N` must be its length.
    pub const fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let mut index = 0;
        while index < N {
            bytes[index] = self.bytes[index];
            index += 1;
        }
        bytes
    }

    /// Stops the compiler with this text as the error.
    pub const fn fail(&self) -> ! {
        let (text, _) = self.bytes.split_at(self.length);
        // Runs in the compiler only.
        panic!("{}", text_of(text))
    }
}

/// The text of these bytes.
pub const fn text_of(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The bytes are texts, one after the other.
        Err(_) => panic!("not a text"),
    }
}

/// Whether two texts are the same.
pub const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len() && is_at(one, 0, other)
}

/// Whether `names` contains `name`.
pub const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_at(text: &[u8], at: usize, word: &[u8]) -> bool {
    if at + word.len() > text.len() {
        return false;
    }
    let mut index = 0;
    while index < word.len() {
        if text[at + index] != word[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Goes through a text, outside of brackets and quotes.
#[derive(Clone, Copy)]
struct Scan {
    at: usize,
    depth: usize,
    is_quoted: bool,
}

impl Scan {
    const fn starting_at(at: usize) -> Self {
        Self { at, depth: 0, is_quoted: false }
    }

    const fn is_outside(&self) -> bool {
        self.depth == 0 && !self.is_quoted
    }

    const fn next(mut self, text: &[u8]) -> Self {
        match text[self.at] {
            b'\'' => self.is_quoted = !self.is_quoted,
            b'(' if !self.is_quoted => self.depth += 1,
            b')' if !self.is_quoted && self.depth > 0 => self.depth -= 1,
            _ => {}
        }
        self.at += 1;
        self
    }

    /// Whether the whole word is here, outside of brackets and quotes.
    const fn is_word(&self, text: &[u8], word: &[u8]) -> bool {
        let begins = self.at == 0 || text[self.at - 1].is_ascii_whitespace();
        let end = self.at + word.len();
        let ends = end >= text.len() || text[end].is_ascii_whitespace();
        self.is_outside() && begins && ends && is_at(text, self.at, word)
    }
}

/// Where the columns of a statement begin: after `returning`, or else after the first `select`, or else at the start.
const fn list_start(text: &[u8]) -> usize {
    let (mut scan, mut start) = (Scan::starting_at(0), 0);
    while scan.at < text.len() {
        if scan.is_word(text, b"returning") {
            return scan.at + b"returning".len();
        }
        if start == 0 && scan.is_word(text, b"select") {
            start = scan.at + b"select".len();
        }
        scan = scan.next(text);
    }
    start
}

/// A column of a result: the bytes of its name, and where the text after it begins. `None`: there are no more columns.
struct Item {
    from: usize,
    to: usize,
    next: Option<usize>,
}

/// The column whose text begins at `start`. Its name is the word after the last `as`, or else after the last point or space.
const fn item(text: &[u8], start: usize) -> Item {
    let mut scan = Scan::starting_at(start);
    let (mut from, mut to) = (start, start);
    loop {
        let is_end = scan.at >= text.len() || scan.is_word(text, b"from");
        if is_end || (scan.is_outside() && text[scan.at] == b',') {
            let next = if is_end { None } else { Some(scan.at + 1) };
            return Item { from, to, next };
        }
        let is_break = text[scan.at].is_ascii_whitespace() || text[scan.at] == b'.';
        if !is_break {
            let is_after_break =
                scan.at == start || text[scan.at - 1].is_ascii_whitespace() || text[scan.at - 1] == b'.';
            if is_after_break && scan.is_outside() {
                from = scan.at;
            }
            to = scan.at + 1;
        }
        scan = scan.next(text);
    }
}

const fn is_item(text: &[u8], item: &Item, name: &[u8]) -> bool {
    item.to - item.from == name.len() && is_at(text, item.from, name)
}

/// The position of a column in the result of a statement, or in a list of columns. Stops the compiler if it is not there.
pub const fn position(sql: &str, name: &str) -> usize {
    let text = sql.as_bytes();
    let (mut next, mut index) = (Some(list_start(text)), 0);
    while let Some(start) = next {
        let item = item(text, start);
        if is_item(text, &item, name.as_bytes()) {
            return index;
        }
        next = item.next;
        index += 1;
    }
    Draft::new().push("the statement has no column ").push(name).push(": declare it in tables.rs, or select it").fail()
}

/// Stops the compiler if the result of a statement has a column that is not one of these.
pub const fn assert_reads_all(sql: &str, names: &[&str]) {
    let text = sql.as_bytes();
    let mut next = Some(list_start(text));
    while let Some(start) = next {
        let item = item(text, start);
        let (mut index, mut is_read) = (0, false);
        while index < names.len() {
            is_read = is_read || is_item(text, &item, names[index].as_bytes());
            index += 1;
        }
        if !is_read {
            let (head, _) = text.split_at(item.to);
            let (_, name) = head.split_at(item.from);
            Draft::new().push("the reader does not read the column ").push(text_of(name)).fail()
        }
        next = item.next;
    }
}

/// A column of a row.
#[derive(Clone, Copy)]
pub struct Field<'r> {
    row: &'r Row<'r>,
    position: usize,
}

impl<'r> Field<'r> {
    /// For [`by_name!`] and [`field!`], which know the position.
    pub fn new(row: &'r Row<'r>, position: usize) -> Self {
        Self { row, position }
    }

    /// Its value.
    ///
    /// # Errors
    /// The column has another type, or no value of `T`.
    pub fn get<T: FromSql>(self) -> rusqlite::Result<T> {
        self.row.get(self.position)
    }

    /// Its text, without a copy.
    ///
    /// # Errors
    /// The column is not a text.
    pub fn text(self) -> rusqlite::Result<&'r str> {
        Ok(self.row.get_ref(self.position)?.as_str()?)
    }

    /// Its text, parsed.
    ///
    /// # Errors
    /// The column is not a text, or not one that `parse` knows.
    pub fn parse<T>(self, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
        let text = self.text()?;
        let unknown = || rusqlite::Error::InvalidColumnType(self.position, text.into(), rusqlite::types::Type::Text);
        parse(text).ok_or_else(unknown)
    }
}

/// Reads the only column of a row.
///
/// # Errors
/// The column has another type.
pub fn only<T: FromSql>(row: &Row<'_>) -> rusqlite::Result<T> {
    debug_assert_eq!(row.as_ref().column_count(), 1, "read the columns by name");
    row.get(0)
}

/// The text of a draft, as a constant.
macro_rules! text {
    ($draft:expr) => {{
        const DRAFT: $crate::db::Draft = $draft;
        const BYTES: [u8; DRAFT.length()] = DRAFT.bytes();
        $crate::db::text_of(&BYTES)
    }};
}

/// Puts constant texts together: `sql!("select ", KEY, " from api_key where id = :id")`.
macro_rules! sql {
    ($($text:expr),+ $(,)?) => { $crate::db::text!($crate::db::Draft::new()$(.push($text))+) };
}

/// Binds a variable to each column of a row: `by_name!(row, FIND => id, name);`. The constant is the statement or its list of
/// columns. A column that the statement does not have, and one that is not read, do not compile. With `LIST in SQL`, all columns of
/// the list are read, at their positions in the statement.
macro_rules! by_name {
    ($row:expr, $list:ident in $sql:ident => $($column:ident),+ $(,)?) => {
        const _: () = $crate::db::assert_reads_all($list, &[$(stringify!($column)),+]);
        $(let $column = $crate::db::field!($row, $sql, $column);)+
    };
    ($row:expr, $sql:expr => $($column:ident),+ $(,)?) => {
        const _: () = $crate::db::assert_reads_all($sql, &[$(stringify!($column)),+]);
        $(let $column = $crate::db::field!($row, $sql, $column);)+
    };
}

/// One column of a row: `field!(row, LIST, number).get()?`.
macro_rules! field {
    ($row:expr, $sql:expr, $column:ident) => {
        $crate::db::Field::new($row, {
            // An item and not a `const` block, so that `cargo check` computes it too.
            const POSITION: usize = $crate::db::position($sql, stringify!($column));
            POSITION
        })
    };
}

pub(crate) use {by_name, field, sql, text};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_names() {
        const SQL: &str = "
            select k.id, coalesce(u.uses, 0) as uses, (select max(a), ', from ' from b) as most,
                   k.sealed is not null as is_kept
            from api_key k";
        for (index, name) in ["id", "uses", "most", "is_kept"].into_iter().enumerate() {
            assert_eq!(position(SQL, name), index, "{name}");
        }
        assert_eq!(position("update t set a = (select b from c) returning b, tries", "tries"), 1);
        assert_eq!(position("k.id, k.name", "name"), 1);
        assert_reads_all(SQL, &["id", "uses", "most", "is_kept"]);
    }

    #[test]
    #[should_panic(expected = "the reader does not read the column uses")]
    fn a_column_that_is_not_read_is_named() {
        assert_reads_all("select id, sum(uses) as uses from t", &["id"]);
    }

    #[test]
    #[should_panic(expected = "the statement has no column nmae: declare it in tables.rs, or select it")]
    fn a_column_that_is_not_there_is_named() {
        position("select id, name from t", "nmae");
    }
}
