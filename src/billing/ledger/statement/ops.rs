//! Reads a statement page by page, or in windows of time.

use std::time::Duration;

use super::super::model::{Filter, STATEMENT_LINES_MAX, StatementLine};
use super::store;
use crate::base::{Page, Timestamp, WorkspaceId};
use crate::db::{Error, View};

/// Lines of the statement, newest first.
///
/// # Errors
/// [`Error`].
pub fn statement(view: &View<'_>, workspace: WorkspaceId, filter: &Filter) -> Result<Page<StatementLine>, Error> {
    let filter = Filter { limit: filter.limit.clamp(1, STATEMENT_LINES_MAX), ..*filter };
    let rows = store::list_page(view, workspace, &filter)?;
    Ok(Page::new(rows, filter.limit, |line| line.seq))
}

/// The newest lines of a range of time, without a cut inside a millisecond.
#[derive(Clone, Debug)]
pub struct Window {
    /// The lines, the newest first.
    pub rows: Vec<StatementLine>,
    /// The last millisecond of what is left of the range. `None`: no line is left.
    pub next_to: Option<Timestamp>,
}

/// The newest lines from `from` (included) to `to` (excluded): [`STATEMENT_LINES_MAX`], and all other lines of the same
/// millisecond as the last of them. So a reader who knows only times gets every line once by asking again with `next_to`. The
/// order is that of the times, also where the clock was set back between two lines.
///
/// # Errors
/// [`Error`].
pub fn window(
    view: &View<'_>,
    workspace: WorkspaceId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Window, Error> {
    let limit = STATEMENT_LINES_MAX as usize;
    let mut rows = store::list_lines(view, workspace, from, to, STATEMENT_LINES_MAX + 1)?;
    let Some(last) = rows.get(limit - 1).filter(|_| rows.len() > limit).map(|line| line.at) else {
        return Ok(Window { rows, next_to: None });
    };
    rows.retain(|line| line.at != last);
    let millisecond = Duration::from_millis(1);
    rows.extend(store::list_lines(view, workspace, Some(last), Some(last.plus(millisecond)), u32::MAX)?);
    let is_more = !store::list_lines(view, workspace, from, Some(last), 1)?.is_empty();
    Ok(Window { rows, next_to: is_more.then(|| last.minus(millisecond)) })
}
