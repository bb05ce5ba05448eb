//! The SQL of the lines of a statement.

use rusqlite::{Row, named_params};

use super::super::model::{Filter, Kind, Place, StatementLine};
use crate::base::{Credits, Timestamp, WorkspaceId};
use crate::config::UsageCategory;
use crate::db::{Error, View, by_name, sql};

const COLUMNS: &str = "s.seq, s.tx_id, s.at, s.occurred_at, s.kind, s.category, s.details, s.amount_micro, s.balance_after_micro, t.key_id, \
                       iif(t.actor_kind = 'service', t.actor_id, null) as service_id";
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

// The inner query reads only the index. Lines of one millisecond are told apart by their number.
const LIST_BY_EVENT: &str = sql!(
    "select ",
    COLUMNS,
    "
    from (
      select seq from statement_line
      where workspace_id = :workspace_id and coalesce(occurred_at, at) >= :from and coalesce(occurred_at, at) <= :until
        and (coalesce(occurred_at, at) < :after_at or seq < :after_seq)
      order by coalesce(occurred_at, at) desc, seq desc
      limit :limit
    ) w join statement_line s on s.seq = w.seq join ledger_tx t on t.id = s.tx_id
    order by coalesce(s.occurred_at, s.at) desc, s.seq desc"
);

const FIND_NEXT_EXPIRY: &str = "
    select l.expires_at, sum(-b.balance_micro) as left_micro
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0 and l.expires_at is not null and l.expires_at > :now
    group by l.expires_at
    order by l.expires_at
    limit 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST_PAGE, LIST_LINES, LIST_BY_EVENT, FIND_NEXT_EXPIRY];

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

/// The lines that happened from the first time (included) to the second (excluded), the last first, without those up to `after`.
///
/// # Errors
/// [`Error`].
pub fn list_by_event(
    view: &View<'_>,
    workspace: WorkspaceId,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<StatementLine>, Error> {
    let last = to.map_or(i64::MAX, |to| to.millis().saturating_sub(1));
    let after = after.unwrap_or(Place { at: Timestamp::from_millis(i64::MAX), seq: i64::MAX });
    let params = named_params! {
        ":workspace_id": workspace,
        ":from": from.map_or(i64::MIN, Timestamp::millis),
        ":until": last.min(after.at.millis()),
        ":after_at": after.at,
        ":after_seq": after.seq,
        ":limit": i64::try_from(limit).unwrap_or(i64::MAX),
    };
    view.list(LIST_BY_EVENT, params, read_line)
}

/// When credit of a wallet expires next, and what is left of it, reserved or not. `None`: none expires.
///
/// # Errors
/// [`Error`].
pub fn find_next_expiry(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<(Timestamp, Credits)>, Error> {
    let now = view.now();
    view.find(FIND_NEXT_EXPIRY, named_params! {":workspace_id": workspace, ":now": now}, |row| {
        by_name!(row, FIND_NEXT_EXPIRY => expires_at, left_micro);
        Ok((expires_at.get()?, left_micro.get()?))
    })
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<StatementLine> {
    by_name!(row, COLUMNS => seq, tx_id, at, occurred_at, kind, category, details, amount_micro, balance_after_micro, key_id,
        service_id);
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
        service: service_id.get()?,
    })
}
