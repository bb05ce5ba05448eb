//! All SQL of the ledger. The triggers of its migration refuse rows that would damage it.

use rusqlite::{Row, named_params};

use super::model::{Account, Category, Draft, Filter, Kind, Lot, NewLot, Origin, PostedTransaction, StatementLine};
use crate::base::{Actor, Credits, LedgerAccountId, LotId, Timestamp, TransactionId, WorkspaceId};
use crate::db::{Error, Tx, View};

const FIND_POSTED: &str = "
    select t.id, t.seq, s.balance_after_micro, t.digest
    from ledger_tx t join statement_line s on s.tx_id = t.id
    where t.idem_key = :idem_key";
const FIND_LAST_SEQ: &str = "select coalesce(max(seq), 0) from ledger_tx";
const INSERT_TX: &str = "
    insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind, actor_id, key_id)
    values (:id, :seq, :kind, :workspace_id, :posted_at, :idem_key, :digest, :actor_kind, :actor_id, :key_id)";
const SEAL_TX: &str = "update ledger_tx set sealed = 1 where id = :id";
const FIND_ACCOUNT: &str = "
    select id from ledger_account
    where coalesce(workspace_id, '') = :workspace_id and code = :code and coalesce(lot_id, '') = :lot_id";
const INSERT_ACCOUNT: &str = "
    insert into ledger_account (id, workspace_id, code, lot_id, low_micro, high_micro)
    values (:id, nullif(:workspace_id, ''), :code, nullif(:lot_id, ''), :low_micro, :high_micro)";
const INSERT_POSTING: &str = "
    insert into ledger_posting (tx_id, n, account_id, amount_micro) values (:tx_id, :n, :account_id, :amount_micro)";
const INSERT_LOT: &str = "
    insert into credit_lot (id, workspace_id, account_id, tx_seq, kind, category, priority, original_micro, effective_at,
                            expires_at)
    values (:id, :workspace_id, :account_id, :tx_seq, :kind, :category, :priority, :original_micro, :effective_at,
            :expires_at)";
const INSERT_LINE: &str = "
    insert into statement_line (seq, tx_id, workspace_id, at, kind, details, amount_micro, balance_after_micro)
    values (:seq, :tx_id, :workspace_id, :at, :kind, :details, :amount_micro, :balance_after_micro)";
const UPDATE_LINES_BLANK: &str = "
    update statement_line set details = '' where workspace_id = :workspace_id and kind = :kind and details <> ''";
const FIND_BALANCE: &str = "
    select balance_after_micro from statement_line where workspace_id = :workspace_id order by seq desc limit 1";
const FIND_OVERDRAFT: &str = "
    select b.balance_micro
    from ledger_account a join ledger_balance b on b.account_id = a.id
    where coalesce(a.workspace_id, '') = :workspace_id and a.code = 'overdraft' and coalesce(a.lot_id, '') = ''";
const LIST_BURNING: &str = "
    select l.id, l.workspace_id, l.kind, l.category, -b.balance_micro
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0
    order by l.priority, coalesce(l.expires_at, 9223372036854775807), l.category desc, l.effective_at, l.tx_seq
    limit :limit offset :offset";
const LIST_DUE: &str = "
    select l.id, l.workspace_id, l.kind, l.category, -b.balance_micro
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now
    order by l.expires_at
    limit :limit";
const LIST_DUE_OF_WORKSPACE: &str = "
    select l.id, l.workspace_id, l.kind, l.category, -b.balance_micro
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now
    order by l.priority, coalesce(l.expires_at, 9223372036854775807), l.category desc, l.effective_at, l.tx_seq";
const LIST_LINES: &str = "
    select s.seq, s.tx_id, s.at, s.kind, s.details, s.amount_micro, s.balance_after_micro, t.key_id
    from statement_line s join ledger_tx t on t.id = s.tx_id
    where s.workspace_id = :workspace_id and s.seq < :before and s.at >= :from and s.at < :to
    order by s.seq desc
    limit :limit";
const LIST_HISTORY: &str = "
    select t.seq, t.workspace_id, t.sealed, p.account_id, p.amount_micro, a.workspace_id, a.code, a.low_micro,
           a.high_micro, s.seq, s.workspace_id, s.kind = t.kind, s.amount_micro, s.balance_after_micro
    from ledger_tx t
    left join ledger_posting p on p.tx_id = t.id
    left join ledger_account a on a.id = p.account_id
    left join statement_line s on s.tx_id = t.id
    order by t.seq, p.n";
const LIST_BALANCES: &str = "
    select b.account_id, b.balance_micro, b.last_seq, b.low_micro = a.low_micro and b.high_micro = a.high_micro
    from ledger_balance b join ledger_account a on a.id = b.account_id
    order by b.account_id";
const LIST_LOTS: &str = "
    select l.id, l.account_id, l.exhausted, l.original_micro,
           (select -sum(p.amount_micro)
            from ledger_tx t join ledger_posting p on p.tx_id = t.id
            where t.seq = l.tx_seq and p.account_id = l.account_id)
    from credit_lot l
    order by l.tx_seq";
const COUNT_LINES: &str = "select count(*) from statement_line";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_POSTED,
    FIND_LAST_SEQ,
    INSERT_TX,
    SEAL_TX,
    FIND_ACCOUNT,
    INSERT_ACCOUNT,
    INSERT_POSTING,
    INSERT_LOT,
    INSERT_LINE,
    UPDATE_LINES_BLANK,
    FIND_BALANCE,
    FIND_OVERDRAFT,
    LIST_BURNING,
    LIST_DUE,
    LIST_DUE_OF_WORKSPACE,
    LIST_LINES,
    LIST_HISTORY,
    LIST_BALANCES,
    LIST_LOTS,
    COUNT_LINES,
];

/// The fields of a transaction that are not in its draft.
pub(super) struct Header {
    pub id: TransactionId,
    pub seq: i64,
    pub digest: [u8; 32],
}

pub(super) fn find_posted(view: &View<'_>, idem_key: &str) -> Result<Option<(PostedTransaction, [u8; 32])>, Error> {
    view.find(FIND_POSTED, named_params! {":idem_key": idem_key}, |row| {
        Ok((PostedTransaction { id: row.get(0)?, seq: row.get(1)?, balance_after: row.get(2)? }, row.get(3)?))
    })
}

pub(super) fn find_last_seq(view: &View<'_>) -> Result<i64, Error> {
    view.one(FIND_LAST_SEQ, [], |row| row.get(0))
}

pub(super) fn insert_tx(tx: &mut Tx<'_>, actor: &Actor, header: &Header, draft: &Draft) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_TX,
        named_params! {
            ":id": header.id,
            ":seq": header.seq,
            ":kind": draft.kind.as_str(),
            ":workspace_id": draft.workspace,
            ":posted_at": now,
            ":idem_key": draft.idem_key,
            ":digest": header.digest,
            ":actor_kind": actor.kind(),
            ":actor_id": actor_id(actor),
            ":key_id": draft.key,
        },
    )?;
    Ok(())
}

/// The opaque id of the actor. A key acts under its own id.
fn actor_id(actor: &Actor) -> Option<String> {
    match actor {
        Actor::SignedIn { account, .. } => Some(account.to_string()),
        Actor::KeyHolder { key, .. } => Some(key.to_string()),
        Actor::Service { service, .. } => Some(service.to_string()),
        Actor::Anonymous(_) | Actor::Operator | Actor::System => None,
    }
}

pub(super) fn insert_posting(
    tx: &mut Tx<'_>,
    id: TransactionId,
    n: usize,
    account: LedgerAccountId,
    amount: Credits,
) -> Result<(), Error> {
    tx.execute(
        INSERT_POSTING,
        named_params! {":tx_id": id, ":n": n as i64, ":account_id": account, ":amount_micro": amount},
    )?;
    Ok(())
}

/// Seals a transaction. After that, the triggers refuse any change of it.
pub(super) fn seal(tx: &mut Tx<'_>, id: TransactionId) -> Result<(), Error> {
    tx.execute(SEAL_TX, named_params! {":id": id})?;
    Ok(())
}

/// The id of a ledger account, which is created on first use.
pub(super) fn account(tx: &mut Tx<'_>, workspace: WorkspaceId, account: Account) -> Result<LedgerAccountId, Error> {
    let owner = if account.is_wallet() { workspace.to_string() } else { String::new() };
    let lot = account.lot().map(|lot| lot.to_string()).unwrap_or_default();
    let params = named_params! {":workspace_id": owner, ":code": account.code(), ":lot_id": lot};
    if let Some(id) = tx.find(FIND_ACCOUNT, params, |row| row.get(0))? {
        return Ok(id);
    }
    let now = tx.now();
    let id = LedgerAccountId::new(now, tx.rng());
    let (low, high) = account.bounds();
    tx.execute(
        INSERT_ACCOUNT,
        named_params! {
            ":id": id,
            ":workspace_id": owner,
            ":code": account.code(),
            ":lot_id": lot,
            ":low_micro": low,
            ":high_micro": high,
        },
    )?;
    Ok(id)
}

pub(super) fn insert_lot(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    account: LedgerAccountId,
    seq: i64,
    lot: &NewLot,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_LOT,
        named_params! {
            ":id": lot.id,
            ":workspace_id": workspace,
            ":account_id": account,
            ":tx_seq": seq,
            ":kind": lot.origin.kind().as_str(),
            ":category": lot.category.as_str(),
            ":priority": lot.priority,
            ":original_micro": lot.original,
            ":effective_at": now,
            ":expires_at": lot.expires_at,
        },
    )?;
    Ok(())
}

pub(super) fn insert_line(
    tx: &mut Tx<'_>,
    header: &Header,
    draft: &Draft,
    amount: Credits,
    balance_after: Credits,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_LINE,
        named_params! {
            ":seq": header.seq,
            ":tx_id": header.id,
            ":workspace_id": draft.workspace,
            ":at": now,
            ":kind": draft.kind.as_str(),
            ":details": draft.details,
            ":amount_micro": amount,
            ":balance_after_micro": balance_after,
        },
    )?;
    Ok(())
}

pub(super) fn update_lines_blank(tx: &mut Tx<'_>, workspace: WorkspaceId, kind: Kind) -> Result<usize, Error> {
    tx.execute(UPDATE_LINES_BLANK, named_params! {":workspace_id": workspace, ":kind": kind.as_str()})
}

pub(super) fn find_balance(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Credits>, Error> {
    view.find(FIND_BALANCE, named_params! {":workspace_id": workspace}, |row| row.get(0))
}

pub(super) fn find_overdraft(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Credits>, Error> {
    view.find(FIND_OVERDRAFT, named_params! {":workspace_id": workspace}, |row| row.get(0))
}

fn read_lot(row: &Row<'_>) -> rusqlite::Result<Lot> {
    Ok(Lot {
        id: row.get(0)?,
        workspace: row.get(1)?,
        origin: read_word(row, 2, Origin::parse)?,
        category: read_word(row, 3, Category::parse)?,
        left: row.get(4)?,
    })
}

fn read_word<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or(rusqlite::Error::InvalidColumnType(column, text.to_owned(), rusqlite::types::Type::Text))
}

/// Open lots in burn order.
pub(super) fn list_burning(
    view: &View<'_>,
    workspace: WorkspaceId,
    limit: u32,
    offset: usize,
) -> Result<Vec<Lot>, Error> {
    let params = named_params! {":workspace_id": workspace, ":limit": limit, ":offset": offset as i64};
    view.list(LIST_BURNING, params, read_lot)
}

/// Lots of all wallets that are due, earliest expiry first.
pub(super) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<Lot>, Error> {
    let now = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, read_lot)
}

/// Lots of one wallet that are due, in burn order.
pub(super) fn list_due_of_workspace(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Lot>, Error> {
    let now = view.now();
    view.list(LIST_DUE_OF_WORKSPACE, named_params! {":workspace_id": workspace, ":now": now}, read_lot)
}

/// Lines of the statement, one more than the filter's limit, so that the caller knows whether there are more.
pub(super) fn list_lines(
    view: &View<'_>,
    workspace: WorkspaceId,
    filter: &Filter,
) -> Result<Vec<StatementLine>, Error> {
    let params = named_params! {
        ":workspace_id": workspace,
        ":before": filter.before.map_or(i64::MAX, |cursor| cursor.0),
        ":from": filter.from.map_or(i64::MIN, Timestamp::millis),
        ":to": filter.to.map_or(i64::MAX, Timestamp::millis),
        ":limit": filter.limit + 1,
    };
    view.list(LIST_LINES, params, |row| {
        Ok(StatementLine {
            seq: row.get(0)?,
            id: row.get(1)?,
            at: row.get(2)?,
            kind: read_word(row, 3, Kind::parse)?,
            details: row.get(4)?,
            amount: row.get(5)?,
            balance_after: row.get(6)?,
            key: row.get(7)?,
        })
    })
}

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
    let account: Option<LedgerAccountId> = row.get(3)?;
    let posting = match account {
        None => None,
        Some(account) => Some(HistoryPosting {
            account,
            amount: row.get(4)?,
            wallet: row.get(5)?,
            is_lot: row.get_ref(6)?.as_str()? == "lot",
            low: row.get(7)?,
            high: row.get(8)?,
        }),
    };
    let line_seq: Option<i64> = row.get(9)?;
    let line = match line_seq {
        None => None,
        Some(seq) => Some(HistoryLine {
            seq,
            workspace: row.get(10)?,
            is_same_kind: row.get(11)?,
            amount: row.get(12)?,
            balance_after: row.get(13)?,
        }),
    };
    Ok(HistoryRow { seq: row.get(0)?, workspace: row.get(1)?, is_sealed: row.get(2)?, posting, line })
}

/// Calls `each` for every posting of the ledger, from the first to the last.
pub(super) fn walk_history<E: From<Error>>(
    view: &View<'_>,
    mut each: impl FnMut(HistoryRow) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(LIST_HISTORY, [], |row| each(read_history(row).map_err(Error::from)?))
}

/// A stored balance.
pub(super) struct BalanceRow {
    pub account: LedgerAccountId,
    pub balance: i64,
    pub last_seq: i64,
    pub has_bounds_of_account: bool,
}

pub(super) fn walk_balances<E: From<Error>>(
    view: &View<'_>,
    mut each: impl FnMut(BalanceRow) -> Result<(), E>,
) -> Result<(), E> {
    let read = |row: &Row<'_>| -> rusqlite::Result<BalanceRow> {
        Ok(BalanceRow {
            account: row.get(0)?,
            balance: row.get(1)?,
            last_seq: row.get(2)?,
            has_bounds_of_account: row.get(3)?,
        })
    };
    view.walk(LIST_BALANCES, [], |row| each(read(row).map_err(Error::from)?))
}

/// A lot, with the amount of the transaction that opened it.
pub(super) struct LotRow {
    pub id: LotId,
    pub account: LedgerAccountId,
    pub is_exhausted: bool,
    pub original: i64,
    pub posted: Option<i64>,
}

pub(super) fn walk_lots<E: From<Error>>(
    view: &View<'_>,
    mut each: impl FnMut(LotRow) -> Result<(), E>,
) -> Result<(), E> {
    let read = |row: &Row<'_>| -> rusqlite::Result<LotRow> {
        Ok(LotRow {
            id: row.get(0)?,
            account: row.get(1)?,
            is_exhausted: row.get(2)?,
            original: row.get(3)?,
            posted: row.get(4)?,
        })
    };
    view.walk(LIST_LOTS, [], |row| each(read(row).map_err(Error::from)?))
}

pub(super) fn count_lines(view: &View<'_>) -> Result<i64, Error> {
    view.one(COUNT_LINES, [], |row| row.get(0))
}
