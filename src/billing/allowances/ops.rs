//! Set an allowance, and grant it each month.

use serde_json::json;

use super::super::error::BillingError;
use super::super::events::BillingEvent;
use super::super::ledger::{self, Grant, Kind, LedgerError, Origin};
use super::model::{Allowance, text_of};
use super::store;
use crate::audit::{self, Event};
use crate::base::{Actor, Credits, WorkspaceId};
use crate::db::Tx;
use crate::workspaces;

/// The maximum number of grants of one call of [`grant_due`], so that it does not delay other writes.
const GRANT_BATCH_MAX: u32 = 100;

/// Sets how much credit a workspace gets each month. `None`: no more; what is left of this month's grant stays until its end. The
/// first month is granted at once, if this workspace had no grant for it. Another amount counts from the next month on. Returns
/// whether something changed.
///
/// # Errors
/// [`BillingError::NotAllowed`] unless the actor is the operator; [`BillingError::NoWorkspace`];
/// [`BillingError::Ledger`] if the amount is not above zero, or the balance would be too large.
pub fn set(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    amount: Option<Credits>,
) -> Result<bool, BillingError> {
    if !matches!(actor, Actor::Operator) {
        return Err(BillingError::NotAllowed);
    }
    let owner = workspaces::find(tx, workspace)?.ok_or(BillingError::NoWorkspace)?.owner;
    if amount.is_some_and(|amount| amount <= Credits::ZERO) {
        return Err(LedgerError::NotPositive.into());
    }
    let before = store::find(tx, workspace)?;
    if before.map(|before| before.amount) == amount {
        return Ok(false);
    }
    let event = Event::new(BillingEvent::AllowanceChanged)
        .workspace(workspace)
        .subject(owner)
        .target(workspace)
        .detail(text_of(amount))
        .data(json!({"before": text_of(before.map(|before| before.amount)), "after": text_of(amount)}));
    audit::record(tx, actor, event)?;
    let Some(amount) = amount else {
        store::delete(tx, workspace)?;
        return Ok(true);
    };
    let granted_until = before.map_or_else(|| tx.now(), |before| before.granted_until);
    store::replace(tx, workspace, amount, granted_until)?;
    if granted_until <= tx.now() {
        grant(tx, &Allowance { workspace, amount, granted_until })?;
    }
    Ok(true)
}

/// Grants the present month to workspaces with an allowance, at most a hundred. Months in which the appliance was stopped are not
/// made up for: their credit would have expired. Returns how many; the caller repeats it until the result is 0.
///
/// # Errors
/// [`BillingError::Ledger`].
pub fn grant_due(tx: &mut Tx<'_>) -> Result<usize, BillingError> {
    let due = store::list_due(tx, GRANT_BATCH_MAX)?;
    due.iter().try_for_each(|allowance| grant(tx, allowance))?;
    Ok(due.len())
}

/// Grants the present month once, after what is left of the one before has expired.
fn grant(tx: &mut Tx<'_>, allowance: &Allowance) -> Result<(), BillingError> {
    let Allowance { workspace, amount, .. } = *allowance;
    let (now, until) = (tx.now(), tx.now().next_month());
    ledger::expire_due_of(tx, workspace)?;
    store::update_granted(tx, workspace, until)?;
    let idem_key = format!("allowance:{workspace}:{}", now.month());
    if ledger::is_posted(tx, &idem_key)? {
        return Ok(());
    }
    let details = format!("Allowance for {}", now.month_in_words());
    let grant = Grant { expires_at: Some(until), ..Grant::new(workspace, amount, Origin::Monthly, details, idem_key) };
    let posted = match ledger::grant(tx, &Actor::System, grant) {
        // The wallet is at the largest amount: this month adds nothing.
        Err(LedgerError::TooLarge) => return Ok(()),
        posted => posted?,
    };
    let event = Event::new(BillingEvent::CreditGranted)
        .workspace(workspace)
        .target(posted.id)
        .data(json!({"kind": Kind::Monthly.as_str(), "amount": amount.to_string()}));
    Ok(audit::record(tx, &Actor::System, event)?)
}
