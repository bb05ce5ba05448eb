//! All SQL of the ledger. The triggers of its migration refuse rows that would damage it.

use rusqlite::{Row, named_params};

use super::model::{Account, Category, Draft, Kind, Lot, NewLot, Origin, PostedTransaction};
use super::tables::{CREDIT_LOT, LEDGER_ACCOUNT, LEDGER_POSTING, LEDGER_TX, STATEMENT_LINE};
use crate::base::{Actor, Credits, LedgerAccountId, LotId, TransactionId, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const FIND_POSTED: &str = "
    select t.id, t.seq, s.balance_after_micro, t.digest
    from ledger_tx t join statement_line s on s.tx_id = t.id
    where t.idem_key = :idem_key";
const FIND_HEAD: &str = "select seq, id from ledger_tx order by seq desc limit 1";
const FIND_ID: &str = "select id from ledger_tx where seq = :seq";
const FIND_LAST_SEQ: &str = "select coalesce(max(seq), 0) from ledger_tx";
const INSERT_TX: &str = insert!(LEDGER_TX);
const SEAL_TX: &str = "update ledger_tx set sealed = 1 where id = :id";
const FIND_ACCOUNT: &str = "
    select id from ledger_account
    where coalesce(workspace_id, '') = :workspace_id and code = :code and coalesce(lot_id, '') = :lot_id";
const INSERT_ACCOUNT: &str = insert!(LEDGER_ACCOUNT);
const INSERT_POSTING: &str = insert!(LEDGER_POSTING);
const INSERT_LOT: &str = insert!(CREDIT_LOT);
const INSERT_LINE: &str = insert!(STATEMENT_LINE);
const UPDATE_LINES_BLANK: &str = "
    update statement_line set details = '' where workspace_id = :workspace_id and kind = :kind and details <> ''";
const FIND_BALANCE: &str = "
    select balance_after_micro from statement_line where workspace_id = :workspace_id order by seq desc limit 1";
const FIND_OVERDRAFT: &str = "
    select b.balance_micro
    from ledger_account a join ledger_balance b on b.account_id = a.id
    where coalesce(a.workspace_id, '') = :workspace_id and a.code = 'overdraft' and coalesce(a.lot_id, '') = ''";
const LOT: &str = "l.id, l.workspace_id, l.kind, l.category, -b.balance_micro as open_micro";
const LIST_BURNING: &str = sql!(
    "select ",
    LOT,
    "
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0
    order by l.priority, coalesce(l.expires_at, 9223372036854775807), l.category desc, l.effective_at, l.tx_seq
    limit :limit offset :offset"
);
const LIST_DUE: &str = sql!(
    "select ",
    LOT,
    "
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now
    order by l.expires_at
    limit :limit"
);
const LIST_DUE_OF_WORKSPACE: &str = sql!(
    "select ",
    LOT,
    "
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now
    order by l.priority, coalesce(l.expires_at, 9223372036854775807), l.category desc, l.effective_at, l.tx_seq"
);
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
const LIST_BALANCES: &str = "
    select b.account_id, b.balance_micro, b.last_seq, b.low_micro = a.low_micro and b.high_micro = a.high_micro as has_bounds
    from ledger_balance b join ledger_account a on a.id = b.account_id
    order by b.account_id";
const FIND_BALANCE_ROW: &str = "
    select b.account_id, b.balance_micro, b.last_seq, b.low_micro = a.low_micro and b.high_micro = a.high_micro as has_bounds
    from ledger_balance b join ledger_account a on a.id = b.account_id
    where b.account_id = :account_id";
const LOT_ROW: &str = "
    select l.id, l.account_id, l.exhausted, l.original_micro,
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
const COUNT_LINES: &str = "select count(*) from statement_line where seq > :after";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_POSTED,
    FIND_HEAD,
    FIND_ID,
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
    LIST_HISTORY,
    LIST_BALANCES,
    FIND_BALANCE_ROW,
    LIST_LOTS,
    FIND_LOT_ROW,
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
        by_name!(row, FIND_POSTED => id, seq, balance_after_micro, digest);
        Ok((
            PostedTransaction { id: id.get()?, seq: seq.get()?, balance_after: balance_after_micro.get()? },
            digest.get()?,
        ))
    })
}

pub(super) fn find_last_seq(view: &View<'_>) -> Result<i64, Error> {
    view.one(FIND_LAST_SEQ, [], only)
}

pub(super) fn insert_tx(tx: &mut Tx<'_>, actor: &Actor, header: &Header, draft: &Draft) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_TX,
        values!(LEDGER_TX => {
            id: header.id,
            seq: header.seq,
            kind: draft.kind.as_str(),
            posted_at: now,
            key_id: draft.key,
            workspace_id: draft.workspace,
            idem_key: draft.idem_key,
            digest: header.digest,
            actor_kind: actor.kind(),
            actor_id: actor.id(),
        }),
    )?;
    Ok(())
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
        values!(LEDGER_POSTING => { tx_id: id, n: n as i64, account_id: account, amount_micro: amount }),
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
    if let Some(id) = tx.find(FIND_ACCOUNT, params, only)? {
        return Ok(id);
    }
    let now = tx.now();
    let id = LedgerAccountId::new(now, tx.rng());
    let (low, high) = account.bounds();
    tx.execute(
        INSERT_ACCOUNT,
        values!(LEDGER_ACCOUNT => {
            id: id,
            workspace_id: account.is_wallet().then_some(workspace),
            code: account.code(),
            lot_id: account.lot(),
            low_micro: low,
            high_micro: high,
        }),
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
        values!(CREDIT_LOT => {
            id: lot.id,
            kind: lot.origin.kind().as_str(),
            category: lot.category.as_str(),
            original_micro: lot.original,
            effective_at: now,
            expires_at: lot.expires_at,
            workspace_id: workspace,
            account_id: account,
            tx_seq: seq,
            priority: lot.priority,
        }),
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
        values!(STATEMENT_LINE => {
            seq: header.seq,
            tx_id: header.id,
            at: now,
            kind: draft.kind.as_str(),
            details: draft.details,
            amount_micro: amount,
            balance_after_micro: balance_after,
            workspace_id: draft.workspace,
        }),
    )?;
    Ok(())
}

/// Empties the details of a workspace's lines of one kind, because a text can contain personal data (GDPR Art. 17). The
/// amounts stay. Returns the number of changed lines. Repeating it is the same as once.
///
/// # Errors
/// [`Error`].
pub fn update_lines_blank(tx: &mut Tx<'_>, workspace: WorkspaceId, kind: Kind) -> Result<usize, Error> {
    tx.execute(UPDATE_LINES_BLANK, named_params! {":workspace_id": workspace, ":kind": kind.as_str()})
}

pub(super) fn find_balance(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Credits>, Error> {
    view.find(FIND_BALANCE, named_params! {":workspace_id": workspace}, only)
}

pub(super) fn find_overdraft(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Credits>, Error> {
    view.find(FIND_OVERDRAFT, named_params! {":workspace_id": workspace}, only)
}

fn read_lot(row: &Row<'_>) -> rusqlite::Result<Lot> {
    by_name!(row, LOT => id, workspace_id, kind, category, open_micro);
    Ok(Lot {
        id: id.get()?,
        workspace: workspace_id.get()?,
        origin: kind.parse(Origin::parse)?,
        category: category.parse(Category::parse)?,
        left: open_micro.get()?,
    })
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

/// Calls `each` for every posting of the ledger, from the first to the last.
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
    pub balance: i64,
    pub last_seq: i64,
    pub has_bounds_of_account: bool,
}

pub(super) fn walk_balances<E: From<Error>>(
    view: &View<'_>,
    mut each: impl FnMut(BalanceRow) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(LIST_BALANCES, [], |row| each(read_balance(row).map_err(Error::from)?))
}

/// The stored balance of one account. `None`: it has no postings.
pub(super) fn find_balance_row(view: &View<'_>, account: LedgerAccountId) -> Result<Option<BalanceRow>, Error> {
    view.find(FIND_BALANCE_ROW, named_params! {":account_id": account}, read_balance)
}

fn read_balance(row: &Row<'_>) -> rusqlite::Result<BalanceRow> {
    by_name!(row, LIST_BALANCES => account_id, balance_micro, last_seq, has_bounds);
    Ok(BalanceRow {
        account: account_id.get()?,
        balance: balance_micro.get()?,
        last_seq: last_seq.get()?,
        has_bounds_of_account: has_bounds.get()?,
    })
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
    view.walk(LIST_LOTS, [], |row| each(read_lot_row(row).map_err(Error::from)?))
}

/// The lot of one account. `None`: it is not the account of a lot.
pub(super) fn find_lot_row(view: &View<'_>, account: LedgerAccountId) -> Result<Option<LotRow>, Error> {
    view.find(FIND_LOT_ROW, named_params! {":account_id": account}, read_lot_row)
}

fn read_lot_row(row: &Row<'_>) -> rusqlite::Result<LotRow> {
    by_name!(row, LIST_LOTS => id, account_id, exhausted, original_micro, posted_micro);
    Ok(LotRow {
        id: id.get()?,
        account: account_id.get()?,
        is_exhausted: exhausted.get()?,
        original: original_micro.get()?,
        posted: posted_micro.get()?,
    })
}

/// The number of statement lines after number `after`.
pub(super) fn count_lines(view: &View<'_>, after: i64) -> Result<i64, Error> {
    view.one(COUNT_LINES, named_params! {":after": after}, only)
}

/// The number and the id of the last transaction. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_head(view: &View<'_>) -> Result<Option<(i64, String)>, Error> {
    view.find(FIND_HEAD, [], |row| {
        by_name!(row, FIND_HEAD => seq, id);
        Ok((seq.get()?, id.get()?))
    })
}

/// The id of the transaction with this number. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_id(view: &View<'_>, seq: i64) -> Result<Option<String>, Error> {
    view.find(FIND_ID, named_params! {":seq": seq}, only)
}
