//! Grant, charge, spend, expire, look.

use serde_json::json;

use super::error::LedgerError;
use super::model::{
    self, Account, Charge, DETAILS_CHARS_MAX, Draft, Filter, Grant, Kind, Lot, NewLot, Posted, Posting,
    STATEMENT_LINES_MAX, StatementLine,
};
use super::store::{self, Header};
use crate::audit::{self, Event};
use crate::base::{Actor, Credits, LotId, Page, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};

/// Open lots looked at together; nearly every wallet has fewer.
const LOTS_PER_LOOK: u32 = 32;
/// Lots that one expiry takes at most, so that it does not hold up other writes.
const EXPIRE_BATCH_MAX: u32 = 500;

/// Posts a transaction. The same key and content again answers the first one and posts nothing.
///
/// # Errors
/// [`LedgerError::Unbalanced`]; [`LedgerError::Conflict`] when the key was used for something else;
/// [`LedgerError::TooLarge`] when the wallet or what it owes would go beyond [`Credits::MAX`].
pub fn post(tx: &mut Tx<'_>, actor: &Actor, draft: Draft) -> Result<Posted, LedgerError> {
    let content = draft.content();
    if let Some(first) = repeated(tx, &draft.idem_key, &content)? {
        return Ok(first);
    }
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// Puts credit into a wallet: what it owes is repaid first, and the rest becomes a lot. Repeating is the same as once.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`], [`LedgerError::TooLarge`].
pub fn grant(tx: &mut Tx<'_>, actor: &Actor, grant: Grant) -> Result<Posted, LedgerError> {
    if grant.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = grant.content();
    if let Some(first) = repeated(tx, &grant.idem_key, &content)? {
        return Ok(first);
    }
    let owed = store::find_overdraft(tx, grant.workspace)?.unwrap_or_default();
    let repaid = owed.min(grant.amount);
    let rest = grant.amount.minus(repaid).ok_or(LedgerError::TooLarge)?;
    let mut postings = vec![Posting::debit(grant.origin.given_by(), grant.amount)];
    if repaid > Credits::ZERO {
        postings.push(Posting::credit(Account::Overdraft, repaid));
    }
    let opens = (rest > Credits::ZERO).then(|| new_lot(tx, &grant, rest));
    postings.extend(opens.map(|lot| Posting::credit(Account::Lot(lot.id), rest)));

    let draft = Draft {
        workspace: grant.workspace,
        kind: grant.origin.kind(),
        details: grant.details,
        key: None,
        idem_key: grant.idem_key,
        postings,
        opens,
    };
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// Takes the price of something used out of a wallet: lots in burn order, and what is missing is owed. Never refused for
/// want of credit, because the use has happened. Repeating is the same as once.
///
/// Burn order: priority, earliest expiry (never is last), given before paid, earliest effective, earliest created.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`]; [`LedgerError::TooLarge`] when more would be owed than an
/// amount may be.
pub fn charge(tx: &mut Tx<'_>, actor: &Actor, charge: Charge) -> Result<Posted, LedgerError> {
    let id = new_id(tx);
    charge_as(tx, actor, id, charge)
}

/// As [`charge`], under an id that the caller has already written down.
pub(in crate::billing) fn charge_as(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    charge: Charge,
) -> Result<Posted, LedgerError> {
    let content = charge.content();
    match prepare(tx, &charge, &content)? {
        Prepared::Repeated(first) => Ok(first),
        Prepared::Burns { postings, missing } => take(tx, actor, id, content, charge, postings, missing),
    }
}

/// As [`charge`], but refuses instead of owing: for what has not happened yet. Of two spends of the last credit, the
/// second finds it gone, because writes come one after the other.
///
/// # Errors
/// As [`charge`], and [`LedgerError::InsufficientCredit`].
pub fn spend(tx: &mut Tx<'_>, actor: &Actor, charge: Charge) -> Result<Posted, LedgerError> {
    let content = charge.content();
    match prepare(tx, &charge, &content)? {
        Prepared::Repeated(first) => Ok(first),
        Prepared::Burns { missing, .. } if missing > Credits::ZERO => {
            let available = balance(tx, charge.workspace)?;
            Err(LedgerError::InsufficientCredit { available, needed: charge.amount })
        }
        Prepared::Burns { postings, missing } => {
            let id = new_id(tx);
            take(tx, actor, id, content, charge, postings, missing)
        }
    }
}

/// Expires lots whose time is over, 500 at most; answers how many, so that the caller knows whether to ask again.
/// Repeating is the same as once.
///
/// # Errors
/// [`LedgerError::Db`].
pub fn expire_due(tx: &mut Tx<'_>) -> Result<usize, LedgerError> {
    let due = store::list_due(tx, EXPIRE_BATCH_MAX)?;
    due.iter().try_for_each(|lot| expire(tx, lot))?;
    Ok(due.len())
}

/// Expires the due lots of one wallet, so that nothing is paid with credit that is past its time when the nightly job has
/// not come by yet.
pub(in crate::billing) fn expire_of(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), LedgerError> {
    let due = store::list_due_of_workspace(tx, workspace)?;
    due.iter().try_for_each(|lot| expire(tx, lot))
}

/// Whether something was posted under this key, whatever it was.
///
/// # Errors
/// [`db::Error`].
pub(in crate::billing) fn is_posted(view: &View<'_>, idem_key: &str) -> Result<bool, db::Error> {
    Ok(store::find_posted(view, idem_key)?.is_some())
}

/// What a wallet holds: its lots less what it owes, so it may be below zero. One look-up, however long the history.
///
/// # Errors
/// [`db::Error`].
pub fn balance(view: &View<'_>, workspace: WorkspaceId) -> Result<Credits, db::Error> {
    // The last line's balance is the sum of lots less the overdraft: the triggers let no other line in.
    Ok(store::find_balance(view, workspace)?.unwrap_or_default())
}

/// Lines of the statement, newest first.
///
/// # Errors
/// [`db::Error`].
pub fn statement(view: &View<'_>, workspace: WorkspaceId, filter: &Filter) -> Result<Page<StatementLine>, db::Error> {
    let filter = Filter { limit: filter.limit.clamp(1, STATEMENT_LINES_MAX), ..*filter };
    let rows = store::list_lines(view, workspace, &filter)?;
    Ok(Page::new(rows, filter.limit, |line| line.seq))
}

/// Takes back the words of a workspace's lines of one kind, because somebody's words can be about a person (GDPR
/// Art. 17); the numbers stay. Answers how many lines; repeating is the same as once.
///
/// # Errors
/// [`db::Error`].
pub fn blank(tx: &mut Tx<'_>, workspace: WorkspaceId, kind: Kind) -> Result<usize, db::Error> {
    store::update_lines_blank(tx, workspace, kind)
}

fn new_id(tx: &mut Tx<'_>) -> TransactionId {
    let now = tx.now();
    TransactionId::new(now, tx.rng())
}

fn new_lot(tx: &mut Tx<'_>, grant: &Grant, original: Credits) -> NewLot {
    let now = tx.now();
    NewLot {
        id: LotId::new(now, tx.rng()),
        origin: grant.origin,
        category: grant.category,
        priority: grant.priority,
        original,
        expires_at: grant.expires_at,
    }
}

fn repeated(view: &View<'_>, idem_key: &str, content: &[u8; 32]) -> Result<Option<Posted>, LedgerError> {
    match store::find_posted(view, idem_key)? {
        Some((first, kept)) if kept == *content => Ok(Some(first)),
        Some(_) => Err(LedgerError::Conflict),
        None => Ok(None),
    }
}

enum Prepared {
    Repeated(Posted),
    Burns { postings: Vec<Posting>, missing: Credits },
}

fn prepare(tx: &mut Tx<'_>, charge: &Charge, content: &[u8; 32]) -> Result<Prepared, LedgerError> {
    if charge.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    if let Some(first) = repeated(tx, &charge.idem_key, content)? {
        return Ok(Prepared::Repeated(first));
    }
    expire_of(tx, charge.workspace)?;
    let lots = lots_for(tx, charge.workspace, charge.amount)?;
    let (postings, missing) = model::burn(lots, charge.amount);
    Ok(Prepared::Burns { postings, missing })
}

/// As many lots in burn order as `needed` takes, or all of them.
fn lots_for(view: &View<'_>, workspace: WorkspaceId, needed: Credits) -> Result<Vec<Lot>, db::Error> {
    let mut lots: Vec<Lot> = Vec::new();
    let mut found = 0;
    loop {
        let more = store::list_burning(view, workspace, LOTS_PER_LOOK, lots.len())?;
        let is_last = more.len() < LOTS_PER_LOOK as usize;
        found += more.iter().map(|lot| lot.left.micro()).sum::<i64>();
        lots.extend(more);
        if is_last || found >= needed.micro() {
            return Ok(lots);
        }
    }
}

fn take(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    content: [u8; 32],
    charge: Charge,
    mut postings: Vec<Posting>,
    missing: Credits,
) -> Result<Posted, LedgerError> {
    if missing > Credits::ZERO {
        postings.push(Posting::debit(Account::Overdraft, missing));
    }
    postings.push(Posting::credit(Account::Usage, charge.amount));
    let draft = Draft {
        workspace: charge.workspace,
        kind: Kind::Usage,
        details: charge.details,
        key: charge.key,
        idem_key: charge.idem_key,
        postings,
        opens: None,
    };
    write(tx, actor, id, content, draft)
}

fn expire(tx: &mut Tx<'_>, lot: &Lot) -> Result<(), LedgerError> {
    let draft = Draft {
        workspace: lot.workspace,
        kind: Kind::Expired,
        details: "Credit expired".to_owned(),
        key: None,
        idem_key: format!("expire:{}", lot.id),
        postings: vec![
            Posting::debit(Account::Lot(lot.id), lot.left),
            Posting::credit(lot.origin.expires_to(lot.category), lot.left),
        ],
        opens: None,
    };
    let posted = post(tx, &Actor::System, draft)?;
    let event = Event::new("billing.credit_expired")
        .workspace(lot.workspace)
        .target(posted.id)
        .data(json!({"lot": lot.id.to_string(), "amount": lot.left.to_string()}));
    Ok(audit::record(tx, &Actor::System, event)?)
}

/// Writes a transaction: header, lot, postings, seal, line. The order is the triggers' order; each next step is refused
/// before the one above it is done.
fn write(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    digest: [u8; 32],
    mut draft: Draft,
) -> Result<Posted, LedgerError> {
    if !draft.is_balanced() {
        return Err(LedgerError::Unbalanced);
    }
    let amount = draft.effect().ok_or(LedgerError::TooLarge)?;
    let balance_after = balance(tx, draft.workspace)?.plus(amount).ok_or(LedgerError::TooLarge)?;
    if let Some((end, _)) = draft.details.char_indices().nth(DETAILS_CHARS_MAX) {
        draft.details.truncate(end);
    }

    let header = Header { id, seq: store::find_last_seq(tx)? + 1, digest };
    store::insert_tx(tx, actor, &header, &draft)?;
    if let Some(lot) = &draft.opens {
        let account = store::account(tx, draft.workspace, Account::Lot(lot.id))?;
        store::insert_lot(tx, draft.workspace, account, header.seq, lot)?;
    }
    for (place, posting) in draft.postings.iter().enumerate() {
        let account = store::account(tx, draft.workspace, posting.account)?;
        store::insert_posting(tx, id, place + 1, account, posting.amount)?;
    }
    store::seal(tx, id)?;
    store::insert_line(tx, &header, &draft, amount, balance_after)?;
    Ok(Posted { id, seq: header.seq, balance_after })
}
