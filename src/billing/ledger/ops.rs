//! Grant, charge, spend and expire credit; read balance and statement.

use std::collections::HashMap;

use serde_json::json;

use super::super::events::BillingEvent;
use super::error::LedgerError;
use super::model::{
    self, Account, Charge, DETAILS_CHARS_MAX, Draft, Grant, Kind, Lot, NewLot, PostedTransaction, Posting,
};
use super::store::{self, Header};
use crate::audit::{self, Event};
use crate::base::{Actor, Credits, LedgerAccountId, LotId, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};

/// Open lots per query. Nearly every wallet has fewer.
const LOTS_PER_READ: u32 = 32;
/// The maximum number of lots that one call of [`expire_due`] expires, so that it does not delay other writes.
const EXPIRE_BATCH_MAX: u32 = 500;

/// Posts a transaction. If the same key and content were posted before, it posts nothing and returns the first
/// transaction.
///
/// # Errors
/// [`LedgerError::Unbalanced`]; [`LedgerError::Conflict`] if the key was used for another transaction;
/// [`LedgerError::TooLarge`] if the balance or the debt would go beyond [`Credits::MAX`].
// No permission: the ledger keeps books; `billing` decides who may grant and charge.
// No event: a transaction is a record that never changes; its cause records the event.
pub fn post(tx: &mut Tx<'_>, actor: &Actor, draft: Draft) -> Result<PostedTransaction, LedgerError> {
    let content = draft.content();
    if let Some(first) = find_repeated(tx, &draft.idem_key, &content)? {
        return Ok(first);
    }
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// Adds credit to a wallet: its debt is repaid first, and the rest becomes a lot. Repeating it is the same as once.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`], [`LedgerError::TooLarge`].
// No permission: as for `post`.
// No event: as for `post`: `billing::grant_by_operator` records it, with its reason.
pub fn grant(tx: &mut Tx<'_>, actor: &Actor, grant: Grant) -> Result<PostedTransaction, LedgerError> {
    if grant.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = grant.content();
    if let Some(first) = find_repeated(tx, &grant.idem_key, &content)? {
        return Ok(first);
    }
    let owed = store::find_overdraft(tx, grant.workspace)?.unwrap_or_default();
    let repaid = owed.min(grant.amount);
    let rest = grant.amount.minus(repaid).ok_or(LedgerError::TooLarge)?;
    let mut postings = vec![Posting::debit(grant.origin.source_account(), grant.amount)];
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

/// Charges a wallet for usage: takes from its lots in burn order, and the rest becomes debt. Never refused for lack of
/// credit, because the usage has already happened. Repeating it is the same as once.
///
/// Burn order: priority, earliest expiry (never is last), promotional before paid, earliest effective, earliest
/// created.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`]; [`LedgerError::TooLarge`] if the debt would go beyond
/// [`Credits::MAX`].
// No permission: as for `post`: the service that reports usage is checked in `billing::usage`.
pub fn charge(tx: &mut Tx<'_>, actor: &Actor, charge: Charge) -> Result<PostedTransaction, LedgerError> {
    let content = charge.content();
    match plan_charge(tx, &charge, &content)? {
        ChargePlan::Repeated(first) => Ok(first),
        ChargePlan::Burn { postings, missing } => {
            let id = new_id(tx);
            post_charge(tx, actor, id, content, charge, postings, missing)
        }
    }
}

/// Like [`charge`], with a new id that the caller has already stored, and which also names the charge: so it was never
/// posted before. Due credit of the wallet must have been expired in this transaction.
// No permission: as for `post`.
// No event: as for `post`: `billing::usage` records the reports.
pub(in crate::billing) fn charge_new(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    charge: Charge,
) -> Result<PostedTransaction, LedgerError> {
    if charge.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = charge.content();
    let (postings, missing) = burn(tx, &charge)?;
    post_charge(tx, actor, id, content, charge, postings, missing)
}

/// Like [`charge`], but refused if the credit is not sufficient: for usage that has not happened yet. Writes are
/// serial, so of two spends of the last credit the second is refused.
///
/// # Errors
/// As for [`charge`], and [`LedgerError::InsufficientCredit`].
// No permission: as for `post`.
pub fn spend(tx: &mut Tx<'_>, actor: &Actor, charge: Charge) -> Result<PostedTransaction, LedgerError> {
    let content = charge.content();
    match plan_charge(tx, &charge, &content)? {
        ChargePlan::Repeated(first) => Ok(first),
        ChargePlan::Burn { missing, .. } if missing > Credits::ZERO => {
            let available = balance(tx, charge.workspace)?;
            Err(LedgerError::InsufficientCredit { available, needed: charge.amount })
        }
        ChargePlan::Burn { postings, missing } => {
            let id = new_id(tx);
            post_charge(tx, actor, id, content, charge, postings, missing)
        }
    }
}

/// Expires lots that are due, at most 500. Returns how many; the caller repeats it until the result is 0.
///
/// # Errors
/// [`LedgerError::Db`].
pub fn expire_due(tx: &mut Tx<'_>) -> Result<usize, LedgerError> {
    let due = store::list_due(tx, EXPIRE_BATCH_MAX)?;
    due.iter().try_for_each(|lot| expire(tx, lot))?;
    Ok(due.len())
}

/// Expires the due lots of one wallet, so that no charge uses expired credit before the nightly job runs.
pub(in crate::billing) fn expire_due_of(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), LedgerError> {
    let due = store::list_due_of_workspace(tx, workspace)?;
    due.iter().try_for_each(|lot| expire(tx, lot))
}

/// Whether a transaction with this idempotency key was posted.
///
/// # Errors
/// [`db::Error`].
pub(in crate::billing) fn is_posted(view: &View<'_>, idem_key: &str) -> Result<bool, db::Error> {
    Ok(store::find_posted(view, idem_key)?.is_some())
}

/// The balance of a wallet: its lots less its debt, so it can be below zero. One query, independent of the history.
///
/// # Errors
/// [`db::Error`].
pub fn balance(view: &View<'_>, workspace: WorkspaceId) -> Result<Credits, db::Error> {
    // The balance of the last line is the sum of the lots less the overdraft; the triggers refuse any other line.
    Ok(store::find_balance(view, workspace)?.unwrap_or_default())
}

/// As [`balance`], without a query where this transaction has already used the wallet.
pub(in crate::billing) fn balance_now(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Credits, db::Error> {
    if let Some(balance) = tx.remembered::<Remembered>().balances.get(&workspace) {
        return Ok(*balance);
    }
    let balance = balance(tx, workspace)?;
    tx.remembered::<Remembered>().balances.insert(workspace, balance);
    Ok(balance)
}

/// What a transaction remembers of the ledger.
#[derive(Default)]
struct Remembered {
    last_seq: Option<i64>,
    balances: HashMap<WorkspaceId, Credits>,
    /// The accounts of the site itself.
    site_accounts: Vec<(Account, LedgerAccountId)>,
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

fn find_repeated(
    view: &View<'_>,
    idem_key: &str,
    content: &[u8; 32],
) -> Result<Option<PostedTransaction>, LedgerError> {
    match store::find_posted(view, idem_key)? {
        Some((first, kept)) if kept == *content => Ok(Some(first)),
        Some(_) => Err(LedgerError::Conflict),
        None => Ok(None),
    }
}

enum ChargePlan {
    Repeated(PostedTransaction),
    Burn { postings: Vec<Posting>, missing: Credits },
}

fn plan_charge(tx: &mut Tx<'_>, charge: &Charge, content: &[u8; 32]) -> Result<ChargePlan, LedgerError> {
    if charge.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    if let Some(first) = find_repeated(tx, &charge.idem_key, content)? {
        return Ok(ChargePlan::Repeated(first));
    }
    expire_due_of(tx, charge.workspace)?;
    let (postings, missing) = burn(tx, charge)?;
    Ok(ChargePlan::Burn { postings, missing })
}

/// The postings that take a charge from the open lots, and what is missing then.
fn burn(view: &View<'_>, charge: &Charge) -> Result<(Vec<Posting>, Credits), db::Error> {
    let lots = lots_for(view, charge.workspace, charge.amount)?;
    Ok(model::burn(lots, charge.amount))
}

/// Lots in burn order until they cover `needed`, or all lots.
fn lots_for(view: &View<'_>, workspace: WorkspaceId, needed: Credits) -> Result<Vec<Lot>, db::Error> {
    let mut lots: Vec<Lot> = Vec::new();
    let mut sum = 0;
    loop {
        let more = store::list_burning(view, workspace, LOTS_PER_READ, lots.len())?;
        let is_last = more.len() < LOTS_PER_READ as usize;
        sum += more.iter().map(|lot| lot.left.micro()).sum::<i64>();
        lots.extend(more);
        if is_last || sum >= needed.micro() {
            return Ok(lots);
        }
    }
}

fn post_charge(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    content: [u8; 32],
    charge: Charge,
    mut postings: Vec<Posting>,
    missing: Credits,
) -> Result<PostedTransaction, LedgerError> {
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
            Posting::credit(lot.origin.expiry_account(lot.category), lot.left),
        ],
        opens: None,
    };
    let posted = post(tx, &Actor::System, draft)?;
    let event = Event::new(BillingEvent::CreditExpired)
        .workspace(lot.workspace)
        .target(posted.id)
        .data(json!({"lot": lot.id.to_string(), "amount": lot.left.to_string()}));
    Ok(audit::record(tx, &Actor::System, event)?)
}

/// Writes a transaction: header, lot, postings, seal, line. The triggers require this order.
fn write(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    digest: [u8; 32],
    mut draft: Draft,
) -> Result<PostedTransaction, LedgerError> {
    if !draft.is_balanced() {
        return Err(LedgerError::Unbalanced);
    }
    let amount = draft.effect().ok_or(LedgerError::TooLarge)?;
    let balance_after = balance_now(tx, draft.workspace)?.plus(amount).ok_or(LedgerError::TooLarge)?;
    if let Some((end, _)) = draft.details.char_indices().nth(DETAILS_CHARS_MAX) {
        draft.details.truncate(end);
    }

    let last_seq = match tx.remembered::<Remembered>().last_seq {
        Some(last) => last,
        None => store::find_last_seq(tx)?,
    };
    let header = Header { id, seq: last_seq + 1, digest };
    store::insert_tx(tx, actor, &header, &draft)?;
    if let Some(lot) = &draft.opens {
        let account = store::account(tx, draft.workspace, Account::Lot(lot.id))?;
        store::insert_lot(tx, draft.workspace, account, header.seq, lot)?;
    }
    for (index, posting) in draft.postings.iter().enumerate() {
        let account = account_of(tx, draft.workspace, posting.account)?;
        store::insert_posting(tx, id, index + 1, account, posting.amount)?;
    }
    store::seal(tx, id)?;
    store::insert_line(tx, &header, &draft, amount, balance_after)?;
    let remembered = tx.remembered::<Remembered>();
    remembered.last_seq = Some(header.seq);
    remembered.balances.insert(draft.workspace, balance_after);
    Ok(PostedTransaction { id, seq: header.seq, balance_after })
}

/// The id of a ledger account, which is created on first use.
fn account_of(tx: &mut Tx<'_>, workspace: WorkspaceId, account: Account) -> Result<LedgerAccountId, db::Error> {
    if account.is_wallet() {
        return store::account(tx, workspace, account);
    }
    let known = &tx.remembered::<Remembered>().site_accounts;
    if let Some((_, id)) = known.iter().find(|(known, _)| *known == account) {
        return Ok(*id);
    }
    let id = store::account(tx, workspace, account)?;
    tx.remembered::<Remembered>().site_accounts.push((account, id));
    Ok(id)
}
