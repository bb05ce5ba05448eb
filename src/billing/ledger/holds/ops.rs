//! Reserve credit, charge usage to what is reserved, and give back the rest.

use super::super::error::LedgerError;
use super::super::model::{self, Account, Charge, Draft, Kind, PostedTransaction, Posting};
use super::super::ops::{charge_new, expire_due_of, lots_for, new_id, post_charge, take_free, write};
use super::super::store as books;
use super::model::{Hold, HoldState, NewHold};
use super::store;
use crate::api_keys::{self, BudgetReservation};
use crate::base::{Actor, Credits, HoldId, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};

/// The maximum number of holds that are closed together because their time is over, so that it does not delay other writes.
const EXPIRE_BATCH_MAX: u32 = 200;

/// What can be spent now: free credit that has not expired, and what holds reserve whose time is over, less the debt. The jobs that
/// expire credit and close holds may not have run yet.
///
/// # Errors
/// [`db::Error`].
pub fn available(view: &View<'_>, workspace: WorkspaceId) -> Result<Credits, db::Error> {
    let owed = books::find_overdraft(view, workspace)?.unwrap_or_default();
    let micro = store::free_micro(view, workspace)? - owed.micro();
    // At most the balance, and at least minus the largest debt.
    Ok(Credits::from_micro(micro).unwrap_or(Credits::MAX.negated()))
}

/// Reserves credit of a wallet, in the lots that would burn next, and of the budget of a key: all of it, or nothing. Writes are
/// serial, so of two holds of the last credit the second is refused.
///
/// # Errors
/// [`LedgerError::NotPositive`]; [`LedgerError::InsufficientCredit`]; [`LedgerError::InsufficientBudget`];
/// [`LedgerError::UnknownKey`].
// No permission: as for `post`: `billing::usage` checks the service.
// No event: no money moves; the authorization that it belongs to is the record.
pub fn reserve(tx: &mut Tx<'_>, new: NewHold) -> Result<Hold, LedgerError> {
    let NewHold { id, workspace, key, amount, expires_at } = new;
    if amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    release_due_of(tx, workspace)?;
    expire_due_of(tx, workspace)?;
    let (parts, missing) = take_free(tx, workspace, amount)?;
    if missing > Credits::ZERO {
        return Err(LedgerError::InsufficientCredit { available: available(tx, workspace)?, needed: amount });
    }
    let family = match key.map(|key| api_keys::reserve_budget(tx, key, workspace, amount)).transpose()? {
        None => None,
        Some(BudgetReservation::Reserved(family)) => Some(family),
        Some(BudgetReservation::TooSmall { left }) => {
            return Err(LedgerError::InsufficientBudget { left, needed: amount });
        }
        Some(BudgetReservation::UnknownKey) => return Err(LedgerError::UnknownKey),
    };
    let captured = Credits::ZERO;
    let hold = Hold { id, workspace, family, amount, captured, state: HoldState::Active, expires_at };
    store::insert(tx, &hold)?;
    for (n, part) in (1..).zip(&parts) {
        let Some(lot) = part.account.lot() else { continue };
        store::insert_part(tx, id, n, lot, part.amount)?;
    }
    Ok(hold)
}

/// Charges usage to a hold: takes first what it reserves, then free credit, and the rest becomes debt. A hold that is closed or
/// whose time is over reserves nothing, so the usage is charged as without a hold. As for `charge_new`, `id` is new.
///
/// # Errors
/// [`LedgerError::NotPositive`]; [`LedgerError::TooLarge`] if the debt would go beyond [`Credits::MAX`].
// No permission: as for `post`.
pub(in crate::billing) fn capture(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: TransactionId,
    hold: HoldId,
    charge: Charge,
) -> Result<PostedTransaction, LedgerError> {
    if charge.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let is_of_wallet = |hold: &Hold| hold.state == HoldState::Active && hold.workspace == charge.workspace;
    let Some(hold) = store::find(tx, hold)?.filter(is_of_wallet) else {
        return charge_new(tx, actor, id, charge);
    };
    if hold.is_due(tx.now()) && db::is_clock_right(tx)? {
        close(tx, &hold, HoldState::Expired)?;
        return charge_new(tx, actor, id, charge);
    }
    let captured = hold.left().min(charge.amount);
    // What is missing is taken from free credit, which is looked up before this hold gives back what it reserves.
    let more = charge.amount.minus(captured).ok_or(LedgerError::TooLarge)?;
    let (free, missing) = match more == Credits::ZERO {
        true => (Vec::new(), Credits::ZERO),
        false => take_free(tx, charge.workspace, more)?,
    };
    let (mut postings, mut rest) = (Vec::new(), captured);
    for part in store::list_parts(tx, hold.id)? {
        let taken = part.reserved.min(rest);
        if taken == Credits::ZERO {
            continue;
        }
        rest = rest.minus(taken).ok_or(LedgerError::TooLarge)?;
        let left = part.reserved.minus(taken).ok_or(LedgerError::TooLarge)?;
        store::update_part(tx, hold.id, part.n, left)?;
        postings.push(Posting::debit(Account::Lot(part.lot), taken));
    }
    store::update_captured(tx, hold.id, hold.captured.plus(captured).ok_or(LedgerError::TooLarge)?)?;
    if let Some(family) = hold.family {
        api_keys::release_budget(tx, family, captured)?;
    }
    postings.extend(free);
    let content = charge.content();
    post_charge(tx, actor, id, content, charge, postings, missing)
}

/// Closes an active hold: what is left of it is free again. Due credit in it expires now, and debt that was made meanwhile is
/// repaid from it.
///
/// # Errors
/// [`LedgerError::Db`].
// No permission: as for `reserve`.
// No event: as for `reserve`.
pub fn close(tx: &mut Tx<'_>, hold: &Hold, state: HoldState) -> Result<(), LedgerError> {
    give_back(tx, hold, state)?;
    expire_due_of(tx, hold.workspace)?;
    repay_debt(tx, hold.workspace)
}

/// Closes holds of a wallet whose time is over, at most 200, and leaves the others to [`expire_holds`]. Returns whether there were
/// any. None while the clock may be wrong: nothing would open them again.
pub(in crate::billing::ledger) fn release_due_of(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<bool, LedgerError> {
    let due = store::list_due_of_workspace(tx, workspace, EXPIRE_BATCH_MAX)?;
    if due.is_empty() || !db::is_clock_right(tx)? {
        return Ok(false);
    }
    close_due(tx, workspace, &due)?;
    Ok(true)
}

fn close_due(tx: &mut Tx<'_>, workspace: WorkspaceId, due: &[Hold]) -> Result<(), LedgerError> {
    due.iter().try_for_each(|hold| give_back(tx, hold, HoldState::Expired))?;
    expire_due_of(tx, workspace)?;
    repay_debt(tx, workspace)
}

/// Closes holds whose time is over, those of each wallet together. Returns how many of at most 200 it found; the caller repeats it
/// until the result is 0.
///
/// # Errors
/// [`LedgerError::Db`].
// No event: as for `reserve`.
pub fn expire_holds(tx: &mut Tx<'_>) -> Result<usize, LedgerError> {
    let mut due = store::list_due(tx, EXPIRE_BATCH_MAX)?;
    due.sort_by_key(|hold| hold.workspace);
    for of_wallet in due.chunk_by(|one, other| one.workspace == other.workspace) {
        close_due(tx, of_wallet[0].workspace, of_wallet)?;
    }
    Ok(due.len())
}

fn give_back(tx: &mut Tx<'_>, hold: &Hold, state: HoldState) -> Result<(), LedgerError> {
    store::update_parts_empty(tx, hold.id)?;
    store::update_closed(tx, hold.id, state)?;
    match hold.family {
        Some(family) => Ok(api_keys::release_budget(tx, family, hold.left())?),
        None => Ok(()),
    }
}

/// Repays the debt of a wallet from its free credit. Only credit that was reserved can become free while there is debt.
fn repay_debt(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), LedgerError> {
    let owed = books::find_overdraft(tx, workspace)?.unwrap_or_default();
    if owed == Credits::ZERO {
        return Ok(());
    }
    let (mut postings, missing) = model::burn(lots_for(tx, workspace, owed)?, owed);
    let repaid = owed.minus(missing).ok_or(LedgerError::TooLarge)?;
    if repaid == Credits::ZERO {
        return Ok(());
    }
    postings.push(Posting::credit(Account::Overdraft, repaid));
    let id = new_id(tx);
    let details = "Credit that was reserved repays debt";
    let draft = Draft::new(workspace, Kind::Repayment, details, format!("repay:{id}"), postings);
    write(tx, &Actor::System, id, draft.content(), draft)?;
    Ok(())
}
