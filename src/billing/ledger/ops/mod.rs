//! Post transactions and grant credit; read the balance. The other files charge, expire and return credit.

mod expiry;
mod returns;
mod spend;

use std::collections::HashMap;

use super::error::LedgerError;
use super::model::{Account, Category, DETAILS_CHARS_MAX, Draft, Grant, NewLot, PostedTransaction, Posting};
use super::store::{self, Header};
use crate::base::{Actor, Credits, LedgerAccountId, LotId, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};
pub use expiry::expire_due;
pub(in crate::billing) use expiry::expire_due_of;
pub(in crate::billing) use returns::returnable;
pub use returns::{refund, withdraw, write_off};
pub(in crate::billing) use spend::charge_new;
pub use spend::{charge, spend};
pub(super) use spend::{lots_for, post_charge, take_free};

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

    let kind = grant.origin.kind();
    let draft = Draft {
        opens: opens.into_iter().collect(),
        ..Draft::new(grant.workspace, kind, grant.details, grant.idem_key, postings)
    };
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
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

/// What a wallet owes.
pub(in crate::billing) fn debt(view: &View<'_>, workspace: WorkspaceId) -> Result<Credits, db::Error> {
    Ok(store::find_overdraft(view, workspace)?.unwrap_or_default())
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

pub(super) fn new_id(tx: &mut Tx<'_>) -> TransactionId {
    let now = tx.now();
    TransactionId::new(now, tx.rng())
}

fn new_lot(tx: &mut Tx<'_>, grant: &Grant, original: Credits) -> NewLot {
    let now = tx.now();
    // What a buyer was promised holds for the life of the lot, so the setting counts when the credit is granted.
    let may_expire = grant.category == Category::Promotional || tx.site().config.billing.paid_credit_expires;
    NewLot {
        id: LotId::new(now, tx.rng()),
        origin: grant.origin,
        category: grant.category,
        priority: grant.priority,
        original,
        expires_at: grant.expires_at.filter(|_| may_expire),
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

/// Writes a transaction: header, lot, postings, seal, line. The triggers require this order.
pub(super) fn write(
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
    for lot in &draft.opens {
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
