//! Lists have an end: pages and cursors.

/// Rows on a page when nobody asks for another number.
pub const PAGE_SIZE: u32 = 20;
/// Most rows anybody gets at once.
pub const PAGE_SIZE_MAX: u32 = 100;

/// Where a list goes on: the sort key of the last row seen. Lists run from the newest to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub i64);

impl Cursor {
    /// Reads the written form. `None`: not a cursor, so the list begins at its beginning.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|key| *key >= 0).map(Self)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Some rows, and where the rest begins. `next` is `None` on the last page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Give this back to get the next page.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page out of `limit + 1` fetched rows: the extra one only tells that there is more.
    pub fn new(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> i64) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| Cursor(key(row))) } else { None };
        Self { rows, next }
    }
}
