//! Pagination: pages and cursors.

/// The default number of rows on a page.
pub const PAGE_SIZE: u32 = 20;
/// The maximum number of rows on a page.
pub const PAGE_SIZE_MAX: u32 = 100;

/// Where the next page of a list begins: the sort key of the last row of this page. Lists run from the newest to the
/// oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub i64);

impl Cursor {
    /// Reads a cursor from text. `None`: the text is not a cursor; callers then return the first page.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|key| *key >= 0).map(Self)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T, C = Cursor> {
    /// The rows, in the order of the list: the newest first where it says nothing else.
    pub rows: Vec<T>,
    /// The cursor for the next page. `None`: this is the last page.
    pub next: Option<C>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` fetched rows. The extra row only shows that there is a next page.
    pub fn new(rows: Vec<T>, limit: u32, key: impl Fn(&T) -> i64) -> Self {
        Self::by(rows, limit, |row| Cursor(key(row)))
    }
}

impl<T, C> Page<T, C> {
    /// As [`Page::new`], for a list with another kind of cursor.
    pub fn by(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { rows, next }
    }
}
