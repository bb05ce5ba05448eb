//! All SQL of the ledger. The triggers of its migration refuse rows that would damage it.

use rusqlite::{Row, named_params};

use super::model::{Account, Category, Draft, Kind, Lot, NewLot, Origin, PostedTransaction, Taken, TakenLot};
use super::tables::{CREDIT_LOT, LEDGER_ACCOUNT, LEDGER_POSTING, LEDGER_TX, STATEMENT_LINE};
use crate::base::{Actor, Credits, LedgerAccountId, LotId, TransactionId, WorkspaceId};
use crate::config::UsageCategory;
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const FIND_POSTED: &str = "
    select t.id, t.seq, s.balance_after_micro, t.digest
    from ledger_tx t join statement_line s on s.tx_id = t.id
    where t.idem_key = :idem_key";
const FIND_KIND: &str = "
    select t.kind, t.workspace_id, s.amount_micro
    from ledger_tx t join statement_line s on s.tx_id = t.id
    where t.id = :id";
const SUM_OF_REVERSALS: &str = "
    select coalesce(sum(s.amount_micro), 0)
    from ledger_tx t join statement_line s on s.tx_id = t.id
    where t.reverses_tx_id = :id";
const SUM_POSTED: &str = "
    select coalesce(sum(p.amount_micro), 0)
    from ledger_posting p join ledger_account a on a.id = p.account_id
    where p.tx_id = :id and a.code = :code";
const LIST_TAKEN: &str = "
    select l.id as lot_id, l.category, l.priority, l.expires_at, p.amount_micro
    from ledger_posting p join ledger_account a on a.id = p.account_id left join credit_lot l on l.account_id = a.id
    where p.tx_id = :id and a.workspace_id is not null and p.amount_micro > 0
    order by p.n";
const FIND_LOT_OF: &str = "
    select l.id from ledger_tx t join credit_lot l on l.tx_seq = t.seq where t.id = :id order by l.id limit 1";
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
const LOT: &str = "l.id, l.workspace_id, l.kind, l.category, b.high_micro - b.balance_micro as free_micro, -b.high_micro as reserved_micro";
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
    where l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now and b.balance_micro < b.high_micro
    order by l.expires_at
    limit :limit"
);
const LIST_DUE_OF_WORKSPACE: &str = sql!(
    "select ",
    LOT,
    "
    from credit_lot l join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :workspace_id and l.exhausted = 0 and l.expires_at is not null and l.expires_at <= :now
      and b.balance_micro < b.high_micro
    order by l.priority, coalesce(l.expires_at, 9223372036854775807), l.category desc, l.effective_at, l.tx_seq"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_POSTED,
    FIND_KIND,
    SUM_OF_REVERSALS,
    SUM_POSTED,
    LIST_TAKEN,
    FIND_LOT_OF,
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
            reverses_tx_id: draft.reverses,
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
            occurred_at: draft.occurred_at.filter(|occurred_at| *occurred_at != now),
            kind: draft.kind.as_str(),
            category: draft.category.map(UsageCategory::as_str),
            details: draft.details,
            amount_micro: amount,
            balance_after_micro: balance_after,
            workspace_id: draft.workspace,
        }),
    )?;
    Ok(())
}

/// What a transaction did.
pub(super) struct PostedKind {
    pub kind: Kind,
    pub workspace: WorkspaceId,
    /// The change of the balance.
    pub amount: Credits,
}

pub(super) fn find_kind(view: &View<'_>, id: TransactionId) -> Result<Option<PostedKind>, Error> {
    view.find(FIND_KIND, named_params! {":id": id}, |row| {
        by_name!(row, FIND_KIND => kind, workspace_id, amount_micro);
        Ok(PostedKind { kind: kind.parse(Kind::parse)?, workspace: workspace_id.get()?, amount: amount_micro.get()? })
    })
}

/// What the transactions that take this one back did to the balance.
pub(super) fn sum_of_reversals(view: &View<'_>, id: TransactionId) -> Result<Credits, Error> {
    view.one(SUM_OF_REVERSALS, named_params! {":id": id}, only)
}

/// What a transaction posted to an account of the site. Debits are positive.
pub(super) fn sum_posted(view: &View<'_>, id: TransactionId, account: Account) -> Result<Credits, Error> {
    view.one(SUM_POSTED, named_params! {":id": id, ":code": account.code()}, only)
}

/// What a transaction took from the wallet, in its order.
pub(super) fn list_taken(view: &View<'_>, id: TransactionId) -> Result<Vec<Taken>, Error> {
    view.list(LIST_TAKEN, named_params! {":id": id}, |row| {
        by_name!(row, LIST_TAKEN => lot_id, category, priority, expires_at, amount_micro);
        let lot: Option<LotId> = lot_id.get()?;
        let lot = match lot {
            None => None,
            Some(id) => Some(TakenLot {
                id,
                category: category.parse(Category::parse)?,
                priority: priority.get()?,
                expires_at: expires_at.get()?,
            }),
        };
        Ok(Taken { lot, amount: amount_micro.get()? })
    })
}

/// The lot that a transaction opened. `None`: it opened none.
pub(super) fn find_lot_of(view: &View<'_>, id: TransactionId) -> Result<Option<LotId>, Error> {
    view.find(FIND_LOT_OF, named_params! {":id": id}, only)
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
    by_name!(row, LOT => id, workspace_id, kind, category, free_micro, reserved_micro);
    Ok(Lot {
        id: id.get()?,
        workspace: workspace_id.get()?,
        origin: kind.parse(Origin::parse)?,
        category: category.parse(Category::parse)?,
        free: free_micro.get()?,
        reserved: reserved_micro.get()?,
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

/// Lots of all wallets that are due and have free credit, earliest expiry first.
pub(super) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<Lot>, Error> {
    let now = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, read_lot)
}

/// Lots of one wallet that are due and have free credit, in burn order.
pub(super) fn list_due_of_workspace(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Lot>, Error> {
    let now = view.now();
    view.list(LIST_DUE_OF_WORKSPACE, named_params! {":workspace_id": workspace, ":now": now}, read_lot)
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
