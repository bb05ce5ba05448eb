//! The SQL of windows.

use rusqlite::named_params;

use super::super::model::{Kind, StatementLine};
use crate::base::{Timestamp, WorkspaceId};
use crate::db::{Error, View, by_name};

// The inner query reads only the index, whose entries have the time.
const LIST_LINES: &str = "
    select s.seq, s.tx_id, s.at, s.kind, s.details, s.amount_micro, s.balance_after_micro, t.key_id
    from (
      select seq from statement_line
      where workspace_id = :workspace_id and at >= :from and at < :to
      order by at desc, seq desc
      limit :limit
    ) w join statement_line s on s.seq = w.seq join ledger_tx t on t.id = s.tx_id
    order by s.at desc, s.seq desc";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST_LINES];

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
    view.list(LIST_LINES, params, |row| {
        by_name!(row, LIST_LINES => seq, tx_id, at, kind, details, amount_micro, balance_after_micro, key_id);
        Ok(StatementLine {
            seq: seq.get()?,
            id: tx_id.get()?,
            at: at.get()?,
            kind: kind.parse(Kind::parse)?,
            details: details.get()?,
            amount: amount_micro.get()?,
            balance_after: balance_after_micro.get()?,
            key: key_id.get()?,
        })
    })
}
