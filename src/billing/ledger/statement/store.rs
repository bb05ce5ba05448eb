//! The SQL of the lines of a statement.

use rusqlite::{Row, named_params};

use super::super::model::{Filter, Kind, StatementLine};
use crate::base::{Timestamp, WorkspaceId};
use crate::config::UsageCategory;
use crate::db::{Error, View, by_name, sql};

const COLUMNS: &str = "s.seq, s.tx_id, s.at, s.occurred_at, s.kind, s.category, s.details, s.amount_micro, s.balance_after_micro, t.key_id";
const LIST_PAGE: &str = sql!(
    "select ",
    COLUMNS,
    "
    from statement_line s join ledger_tx t on t.id = s.tx_id
    where s.workspace_id = :workspace_id and s.seq < :before and s.at >= :from and s.at < :to
    order by s.seq desc
    limit :limit"
);
// The inner query reads only the index, whose entries have the time.
const LIST_LINES: &str = sql!(
    "select ",
    COLUMNS,
    "
    from (
      select seq from statement_line
      where workspace_id = :workspace_id and at >= :from and at < :to
      order by at desc, seq desc
      limit :limit
    ) w join statement_line s on s.seq = w.seq join ledger_tx t on t.id = s.tx_id
    order by s.at desc, s.seq desc"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST_PAGE, LIST_LINES];

/// Lines of the statement, one more than the filter's limit, so that the caller knows whether there are more.
pub(super) fn list_page(view: &View<'_>, workspace: WorkspaceId, filter: &Filter) -> Result<Vec<StatementLine>, Error> {
    let params = named_params! {
        ":workspace_id": workspace,
        ":before": filter.before.map_or(i64::MAX, |cursor| cursor.0),
        ":from": filter.from.map_or(i64::MIN, Timestamp::millis),
        ":to": filter.to.map_or(i64::MAX, Timestamp::millis),
        ":limit": filter.limit + 1,
    };
    view.list(LIST_PAGE, params, read_line)
}

/// The newest lines from `from` (included) to `to` (excluded).
pub(super) fn list_lines(
    view: &View<'_>,
    workspace: WorkspaceId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<StatementLine>, Error> {
    let params = named_params! {
        ":workspace_id": workspace,
        ":from": from.map_or(i64::MIN, Timestamp::millis),
        ":to": to.map_or(i64::MAX, Timestamp::millis),
        ":limit": limit,
    };
    view.list(LIST_LINES, params, read_line)
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<StatementLine> {
    by_name!(row, COLUMNS => seq, tx_id, at, occurred_at, kind, category, details, amount_micro, balance_after_micro, key_id);
    Ok(StatementLine {
        seq: seq.get()?,
        id: tx_id.get()?,
        at: at.get()?,
        occurred_at: occurred_at.get()?,
        kind: kind.parse(Kind::parse)?,
        category: category.get::<Option<String>>()?.as_deref().and_then(UsageCategory::parse),
        details: details.get()?,
        amount: amount_micro.get()?,
        balance_after: balance_after_micro.get()?,
        key: key_id.get()?,
    })
}
