//! Return credit to a wallet, and take it back for another reason than usage.

use super::super::error::LedgerError;
use super::super::model::{
    self, Account, Category, Draft, Kind, Lot, PostedTransaction, Posting, Reason, Refund, Withdrawal, WriteOff,
};
use super::super::store::{self, PostedKind};
use super::spend::lots_for;
use super::{expire_due_of, find_repeated, new_id, write};
use crate::base::{Actor, Credits, LotId, TransactionId, WorkspaceId};
use crate::db::{Tx, View};

/// Returns what a charge took from the wallet, in whole or in part; or what a dispute took that was won, with its fee when all
/// of it is returned. It goes back into the same lots, in reverse order, after the debt of the wallet. Credit whose lot has
/// expired since is valid for 30 days more. Repeating it is the same as once.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`]; [`LedgerError::UnknownTransaction`] if `of` is no charge or dispute
/// of this wallet; [`LedgerError::AboveLimit`] if it is more than what is not returned yet.
// No permission: as for `post`.
pub fn refund(tx: &mut Tx<'_>, actor: &Actor, refund: Refund) -> Result<PostedTransaction, LedgerError> {
    if refund.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = refund.content();
    if let Some(first) = find_repeated(tx, &refund.idem_key, &content)? {
        return Ok(first);
    }
    let original = find_of(tx, refund.of, refund.workspace)?;
    let kind = match original.kind {
        Kind::Usage => Kind::Refund,
        Kind::Dispute => Kind::DisputeWon,
        _ => return Err(LedgerError::UnknownTransaction),
    };
    let taken = store::list_taken(tx, refund.of)?;
    let before = store::sum_of_reversals(tx, refund.of)?;
    let left = original.amount.negated().minus(before).ok_or(LedgerError::TooLarge)?;
    if refund.amount > left {
        return Err(LedgerError::AboveLimit { limit: left });
    }
    expire_due_of(tx, refund.workspace)?;
    let owed = store::find_overdraft(tx, refund.workspace)?.unwrap_or_default();
    let now = tx.now();
    let (returned, opens) = model::give_back(&taken, before, refund.amount, owed, now, || LotId::new(now, tx.rng()));
    let source = if kind == Kind::Refund { Account::Usage } else { Account::Clearing };
    let mut postings = vec![Posting::debit(source, refund.amount)];
    postings.extend(returned);
    if kind == Kind::DisputeWon && refund.amount == left {
        postings.extend(fee_postings(store::sum_posted(tx, refund.of, Account::DisputeFees)?.negated()));
    }
    let draft = Draft {
        opens,
        reverses: Some(refund.of),
        ..Draft::new(refund.workspace, kind, refund.details, refund.idem_key, postings)
    };
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// What can still be returned of a charge.
pub(in crate::billing) fn returnable(view: &View<'_>, of: TransactionId) -> Result<Credits, LedgerError> {
    let original = store::find_kind(view, of)?.ok_or(LedgerError::UnknownTransaction)?;
    let before = store::sum_of_reversals(view, of)?;
    original.amount.negated().minus(before).ok_or(LedgerError::TooLarge)
}

/// Takes credit from a wallet: an operator takes it back, or a payment is returned or disputed. For a payment, the lot that
/// it bought is used first, then other paid lots; an adjustment uses the lots in burn order. What is missing becomes debt.
/// Repeating it is the same as once.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`], [`LedgerError::TooLarge`]; [`LedgerError::UnknownTransaction`] if
/// it is no payment of this wallet; [`LedgerError::AboveLimit`] if it is more than what is left of the payment.
// No permission: as for `post`.
pub fn withdraw(tx: &mut Tx<'_>, actor: &Actor, withdrawal: Withdrawal) -> Result<PostedTransaction, LedgerError> {
    if withdrawal.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = withdrawal.content();
    if let Some(first) = find_repeated(tx, &withdrawal.idem_key, &content)? {
        return Ok(first);
    }
    expire_due_of(tx, withdrawal.workspace)?;
    let Withdrawal { workspace, amount, reason, details, idem_key } = withdrawal;
    let payment = reason.payment();
    let lots = match payment {
        None => lots_for(tx, workspace, amount)?,
        Some(payment) => {
            let original = find_of(tx, payment, workspace)?;
            if !matches!(original.kind, Kind::Purchase | Kind::AutoTopUp) {
                return Err(LedgerError::UnknownTransaction);
            }
            // What was taken back before is below zero.
            let left = original.amount.plus(store::sum_of_reversals(tx, payment)?).ok_or(LedgerError::TooLarge)?;
            if amount > left {
                return Err(LedgerError::AboveLimit { limit: left });
            }
            let bought = store::find_lot_of(tx, payment)?;
            let mut lots = lots_for(tx, workspace, Credits::MAX)?;
            lots.sort_by_key(|lot: &Lot| (Some(lot.id) != bought, lot.category == Category::Promotional));
            lots
        }
    };
    let (mut postings, missing) = model::burn(lots, amount);
    if missing > Credits::ZERO {
        postings.push(Posting::debit(Account::Overdraft, missing));
    }
    postings.push(Posting::credit(reason.account(), amount));
    if let Reason::Dispute { fee, .. } = reason {
        postings.extend(fee_postings(fee));
    }
    let draft = Draft { reverses: payment, ..Draft::new(workspace, reason.kind(), details, idem_key, postings) };
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// Writes off the debt of a wallet, in whole or in part. Repeating it is the same as once.
///
/// # Errors
/// [`LedgerError::NotPositive`], [`LedgerError::Conflict`]; [`LedgerError::AboveLimit`] if it is more than the debt.
// No permission: as for `post`.
// No event: as for `post`.
pub fn write_off(tx: &mut Tx<'_>, actor: &Actor, write_off: WriteOff) -> Result<PostedTransaction, LedgerError> {
    if write_off.amount <= Credits::ZERO {
        return Err(LedgerError::NotPositive);
    }
    let content = write_off.content();
    if let Some(first) = find_repeated(tx, &write_off.idem_key, &content)? {
        return Ok(first);
    }
    let owed = store::find_overdraft(tx, write_off.workspace)?.unwrap_or_default();
    if write_off.amount > owed {
        return Err(LedgerError::AboveLimit { limit: owed });
    }
    let postings =
        vec![Posting::debit(Account::BadDebt, write_off.amount), Posting::credit(Account::Overdraft, write_off.amount)];
    let WriteOff { workspace, details, idem_key, .. } = write_off;
    let draft = Draft::new(workspace, Kind::WriteOff, details, idem_key, postings);
    let id = new_id(tx);
    write(tx, actor, id, content, draft)
}

/// The transaction, if it is one of this wallet.
fn find_of(tx: &Tx<'_>, id: TransactionId, workspace: WorkspaceId) -> Result<PostedKind, LedgerError> {
    let found = store::find_kind(tx, id)?;
    found.filter(|found| found.workspace == workspace).ok_or(LedgerError::UnknownTransaction)
}

/// The fee of a dispute: the provider takes it, and the site pays it. Below zero: it is returned.
fn fee_postings(fee: Credits) -> Vec<Posting> {
    match fee == Credits::ZERO {
        true => Vec::new(),
        false => vec![Posting::debit(Account::DisputeFees, fee), Posting::credit(Account::Clearing, fee)],
    }
}
