//! Charge a wallet for usage.

use super::super::error::LedgerError;
use super::super::holds;
use super::super::model::{self, Account, Charge, Draft, Kind, Lot, PostedTransaction, Posting};
use super::super::store;
use super::{expire_due_of, find_repeated, new_id, write};
use crate::base::{Actor, Credits, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};

/// Open lots per query. Nearly every wallet has fewer.
const LOTS_PER_READ: u32 = 32;

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
    let (postings, missing) = take_free(tx, charge.workspace, charge.amount)?;
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
            let available = holds::available(tx, charge.workspace)?;
            Err(LedgerError::InsufficientCredit { available, needed: charge.amount })
        }
        ChargePlan::Burn { postings, missing } => {
            let id = new_id(tx);
            post_charge(tx, actor, id, content, charge, postings, missing)
        }
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
    let (postings, missing) = take_free(tx, charge.workspace, charge.amount)?;
    Ok(ChargePlan::Burn { postings, missing })
}

/// The postings that take an amount from the free credit of a wallet, and what is missing then. Holds whose time is over are
/// looked for only if something is missing and something is reserved.
pub(in crate::billing::ledger) fn take_free(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    amount: Credits,
) -> Result<(Vec<Posting>, Credits), LedgerError> {
    let lots = lots_for(tx, workspace, amount)?;
    let is_reserved = lots.iter().any(|lot| lot.reserved > Credits::ZERO);
    let (postings, missing) = model::burn(lots, amount);
    if missing > Credits::ZERO && is_reserved && holds::release_due_of(tx, workspace)? {
        return Ok(model::burn(lots_for(tx, workspace, amount)?, amount));
    }
    Ok((postings, missing))
}

/// Lots in burn order until they cover `needed`, or all lots.
pub(in crate::billing::ledger) fn lots_for(
    view: &View<'_>,
    workspace: WorkspaceId,
    needed: Credits,
) -> Result<Vec<Lot>, db::Error> {
    let mut lots: Vec<Lot> = Vec::new();
    let mut sum = 0;
    loop {
        let more = store::list_burning(view, workspace, LOTS_PER_READ, lots.len())?;
        let is_last = more.len() < LOTS_PER_READ as usize;
        sum += more.iter().map(|lot| lot.free.micro()).sum::<i64>();
        lots.extend(more);
        if is_last || sum >= needed.micro() {
            return Ok(lots);
        }
    }
}

/// Posts a charge with the postings that take it from lots, and what becomes debt.
// No permission: as for `post`.
// No event: as for `post`.
pub(in crate::billing::ledger) fn post_charge(
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
        key: charge.key,
        occurred_at: charge.occurred_at,
        category: Some(charge.category),
        ..Draft::new(charge.workspace, Kind::Usage, charge.details, charge.idem_key, postings)
    };
    write(tx, actor, id, content, draft)
}
