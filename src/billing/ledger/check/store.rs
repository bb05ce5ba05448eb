//! The SQL of the check: all rows of the ledger, in their order.

use rusqlite::{Row, named_params};

use super::super::holds::HoldState;
use crate::base::{HoldId, LedgerAccountId, LotId, WorkspaceId};
use crate::db::{Error, View, by_name, only, sql};

const LIST_HISTORY: &str = "
    select t.seq, t.workspace_id, t.sealed, p.account_id, p.amount_micro, a.workspace_id as wallet, a.code, a.low_micro,
           a.high_micro, s.seq as line_seq, s.workspace_id as line_workspace, s.kind = t.kind as is_same_kind,
           s.amount_micro as line_micro, s.balance_after_micro
    from ledger_tx t
    left join ledger_posting p on p.tx_id = t.id
    left join ledger_account a on a.id = p.account_id
    left join statement_line s on s.tx_id = t.id
    where t.seq > :after
    order by t.seq, p.n";
// The upper bound of a lot's account is lower by what holds reserve.
const BALANCE_ROW: &str = "
    select b.account_id, a.workspace_id as wallet, b.balance_micro, b.last_seq,
           b.low_micro = a.low_micro and b.high_micro = a.high_micro - iif(a.lot_id is null, 0, coalesce((
             select sum(h.reserved_micro) from credit_hold_lot h where h.lot_id = a.lot_id and h.reserved_micro > 0), 0))
             as has_bounds
    from ledger_balance b join ledger_account a on a.id = b.account_id";
// In a database of an earlier schema, nothing is reserved.
const HAS_HOLDS: &str = "select exists (select 1 from sqlite_schema where type = 'table' and name = 'credit_hold_lot')";
const EARLIER_BALANCE_ROW: &str = "
    select b.account_id, a.workspace_id as wallet, b.balance_micro, b.last_seq,
           b.low_micro = a.low_micro and b.high_micro = a.high_micro as has_bounds
    from ledger_balance b join ledger_account a on a.id = b.account_id";
const LIST_EARLIER_BALANCES: &str = sql!(
    EARLIER_BALANCE_ROW,
    "
    order by b.account_id"
);
const FIND_EARLIER_BALANCE_ROW: &str = sql!(
    EARLIER_BALANCE_ROW,
    "
    where b.account_id = :account_id"
);
const LIST_BALANCES: &str = sql!(
    BALANCE_ROW,
    "
    order by b.account_id"
);
const FIND_BALANCE_ROW: &str = sql!(
    BALANCE_ROW,
    "
    where b.account_id = :account_id"
);
const HOLD_ROW: &str = "
    select h.id, h.state, h.amount_micro, h.captured_micro, coalesce(sum(p.reserved_micro), 0) as reserved_micro
    from credit_hold h left join credit_hold_lot p on p.hold_id = h.id";
const LIST_HOLDS: &str = sql!(
    HOLD_ROW,
    "
    group by h.id
    order by h.id"
);
const LIST_OPEN_HOLDS: &str = sql!(
    HOLD_ROW,
    "
    where h.id in (
      select id from credit_hold indexed by credit_hold_due where state = 'active'
      union
      select hold_id from credit_hold_lot indexed by credit_hold_lot_of_lot where reserved_micro > 0)
    group by h.id
    order by h.id"
);
const FIND_HOLD_OF: &str = "select id from credit_hold where workspace_id = :workspace_id limit 1";
const FIND_FREE: &str = "
    select coalesce(sum(b.high_micro - b.balance_micro), 0)
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0";
const LOT_ROW: &str = "
    select l.id, l.workspace_id, l.account_id, l.exhausted, l.original_micro,
           (select -sum(p.amount_micro)
            from ledger_tx t join ledger_posting p on p.tx_id = t.id
            where t.seq = l.tx_seq and p.account_id = l.account_id) as posted_micro";
const LIST_LOTS: &str = sql!(
    LOT_ROW,
    "
    from credit_lot l
    order by l.tx_seq"
);
const FIND_LOT_ROW: &str = sql!(
    LOT_ROW,
    "
    from ledger_account a join credit_lot l on l.id = a.lot_id
    where a.id = :account_id"
);
const COUNT_ACCOUNTS: &str = "select count(*) from ledger_account";
const COUNT_LINES: &str = "select count(*) from statement_line where seq > :after";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_HISTORY,
    HAS_HOLDS,
    LIST_EARLIER_BALANCES,
    FIND_EARLIER_BALANCE_ROW,
    LIST_BALANCES,
    FIND_BALANCE_ROW,
    LIST_HOLDS,
    LIST_OPEN_HOLDS,
    FIND_HOLD_OF,
    FIND_FREE,
    LIST_LOTS,
    FIND_LOT_ROW,
    COUNT_ACCOUNTS,
    COUNT_LINES,
];

/// One posting, with its transaction and the transaction's statement line.
pub(super) struct HistoryRow {
    pub seq: i64,
    pub workspace: WorkspaceId,
    pub is_sealed: bool,
    /// `None`: a transaction without postings.
    pub posting: Option<HistoryPosting>,
    /// `None`: a transaction without a line.
    pub line: Option<HistoryLine>,
}

pub(super) struct HistoryPosting {
    pub account: LedgerAccountId,
    pub amount: i64,
    pub wallet: Option<WorkspaceId>,
    pub is_lot: bool,
    pub low: i64,
    pub high: i64,
}

#[derive(Clone, Copy)]
pub(super) struct HistoryLine {
    pub seq: i64,
    pub workspace: WorkspaceId,
    pub is_same_kind: bool,
    pub amount: i64,
    pub balance_after: i64,
}

fn read_history(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    by_name!(row, LIST_HISTORY =>
        seq, workspace_id, sealed, account_id, amount_micro, wallet, code, low_micro, high_micro, line_seq,
        line_workspace, is_same_kind, line_micro, balance_after_micro);
    let account: Option<LedgerAccountId> = account_id.get()?;
    let posting = match account {
        None => None,
        Some(account) => Some(HistoryPosting {
            account,
            amount: amount_micro.get()?,
            wallet: wallet.get()?,
            is_lot: code.text()? == "lot",
            low: low_micro.get()?,
            high: high_micro.get()?,
        }),
    };
    let line_seq: Option<i64> = line_seq.get()?;
    let line = match line_seq {
        None => None,
        Some(seq) => Some(HistoryLine {
            seq,
            workspace: line_workspace.get()?,
            is_same_kind: is_same_kind.get()?,
            amount: line_micro.get()?,
            balance_after: balance_after_micro.get()?,
        }),
    };
    Ok(HistoryRow { seq: seq.get()?, workspace: workspace_id.get()?, is_sealed: sealed.get()?, posting, line })
}

/// Calls `each` for every posting of the transactions after number `after`.
pub(super) fn walk_history<E: From<Error>>(
    view: &View<'_>,
    after: i64,
    mut each: impl FnMut(HistoryRow) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(LIST_HISTORY, named_params! {":after": after}, |row| each(read_history(row).map_err(Error::from)?))
}

/// A stored balance.
pub(super) struct BalanceRow {
    pub account: LedgerAccountId,
    /// `None`: it is an account of the site.
    pub wallet: Option<WorkspaceId>,
    pub balance: i64,
    pub last_seq: i64,
    pub has_bounds_of_account: bool,
}

/// Whether the database has holds: one of an earlier schema has none.
pub(super) fn has_holds(view: &View<'_>) -> Result<bool, Error> {
    view.one(HAS_HOLDS, [], only)
}

pub(super) fn walk_balances<E: From<Error>>(
    view: &View<'_>,
    has_holds: bool,
    mut each: impl FnMut(BalanceRow) -> Result<(), E>,
) -> Result<(), E> {
    let statement = if has_holds { LIST_BALANCES } else { LIST_EARLIER_BALANCES };
    view.walk(statement, [], |row| each(read_balance(row).map_err(Error::from)?))
}

/// The stored balance of one account. `None`: it has no postings.
pub(super) fn find_balance_row(
    view: &View<'_>,
    has_holds: bool,
    account: LedgerAccountId,
) -> Result<Option<BalanceRow>, Error> {
    let statement = if has_holds { FIND_BALANCE_ROW } else { FIND_EARLIER_BALANCE_ROW };
    view.find(statement, named_params! {":account_id": account}, read_balance)
}

fn read_balance(row: &Row<'_>) -> rusqlite::Result<BalanceRow> {
    by_name!(row, LIST_BALANCES => account_id, wallet, balance_micro, last_seq, has_bounds);
    Ok(BalanceRow {
        account: account_id.get()?,
        wallet: wallet.get()?,
        balance: balance_micro.get()?,
        last_seq: last_seq.get()?,
        has_bounds_of_account: has_bounds.get()?,
    })
}

/// A hold, with the sum of what it reserves in lots.
pub(super) struct HoldRow {
    pub id: HoldId,
    pub state: HoldState,
    pub amount: i64,
    pub captured: i64,
    pub reserved: i64,
}

/// Calls `each` for every hold, or only for those that are active or reserve something.
pub(super) fn walk_holds<E: From<Error>>(
    view: &View<'_>,
    is_open: bool,
    mut each: impl FnMut(HoldRow) -> Result<(), E>,
) -> Result<(), E> {
    let statement = if is_open { LIST_OPEN_HOLDS } else { LIST_HOLDS };
    view.walk(statement, [], |row| each(read_hold(row).map_err(Error::from)?))
}

fn read_hold(row: &Row<'_>) -> rusqlite::Result<HoldRow> {
    by_name!(row, LIST_HOLDS => id, state, amount_micro, captured_micro, reserved_micro);
    Ok(HoldRow {
        id: id.get()?,
        state: state.parse(HoldState::parse)?,
        amount: amount_micro.get()?,
        captured: captured_micro.get()?,
        reserved: reserved_micro.get()?,
    })
}

/// Whether a wallet has or had a hold.
pub(super) fn has_hold(view: &View<'_>, workspace: WorkspaceId) -> Result<bool, Error> {
    let found: Option<HoldId> = view.find(FIND_HOLD_OF, named_params! {":workspace_id": workspace}, only)?;
    Ok(found.is_some())
}

/// The credit of a wallet that no hold reserves, in micro-credits.
pub(super) fn free(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    view.one(FIND_FREE, named_params! {":workspace_id": workspace}, only)
}

/// A lot, with the amount of the transaction that opened it.
pub(super) struct LotRow {
    pub id: LotId,
    pub workspace: WorkspaceId,
    pub account: LedgerAccountId,
    pub is_exhausted: bool,
    pub original: i64,
    pub posted: Option<i64>,
}

pub(super) fn walk_lots<E: From<Error>>(
    view: &View<'_>,
    mut each: impl FnMut(LotRow) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(LIST_LOTS, [], |row| each(read_lot_row(row).map_err(Error::from)?))
}

/// The lot of one account. `None`: it is not the account of a lot.
pub(super) fn find_lot_row(view: &View<'_>, account: LedgerAccountId) -> Result<Option<LotRow>, Error> {
    view.find(FIND_LOT_ROW, named_params! {":account_id": account}, read_lot_row)
}

fn read_lot_row(row: &Row<'_>) -> rusqlite::Result<LotRow> {
    by_name!(row, LIST_LOTS => id, workspace_id, account_id, exhausted, original_micro, posted_micro);
    Ok(LotRow {
        id: id.get()?,
        workspace: workspace_id.get()?,
        account: account_id.get()?,
        is_exhausted: exhausted.get()?,
        original: original_micro.get()?,
        posted: posted_micro.get()?,
    })
}

/// The number of ledger accounts.
pub(super) fn count_accounts(view: &View<'_>) -> Result<i64, Error> {
    view.one(COUNT_ACCOUNTS, [], only)
}

/// The number of statement lines after number `after`.
pub(super) fn count_lines(view: &View<'_>, after: i64) -> Result<i64, Error> {
    view.one(COUNT_LINES, named_params! {":after": after}, only)
}
