//! Give credit, and forget why.

use serde_json::json;

use super::error::BillingError;
use super::ledger::{self, Grant, Kind, Origin, Posted};
use crate::audit::{self, Event, Part};
use crate::base::{Actor, Credits, TransactionId, WorkspaceId};
use crate::db::{self, Tx};
use crate::workspaces::{self, Workspace};

/// Characters of a reason at most.
pub const REASON_CHARS_MAX: usize = 200;

/// Gives a new account's workspace the welcome credit of the configuration: given, not paid for, without expiry. Once per
/// account for ever, even if it is asked again with another amount configured. `None`: the configuration gives nothing.
///
/// # Errors
/// [`BillingError::Ledger`].
pub fn signup_credit(tx: &mut Tx<'_>, workspace: &Workspace) -> Result<Option<Posted>, BillingError> {
    let amount = tx.site().config.billing.signup_credit;
    let idem_key = format!("signup:{}", workspace.owner);
    if amount == Credits::ZERO || ledger::is_posted(tx, &idem_key)? {
        return Ok(None);
    }
    let grant = Grant::promotional(workspace.id, amount, Origin::Signup, "Welcome credit", idem_key);
    let posted = ledger::grant(tx, &Actor::System, grant)?;
    let event = Event::new("billing.credit_granted")
        .workspace(workspace.id)
        .target(posted.id)
        .data(json!({"kind": Kind::Signup.as_str(), "amount": amount.to_string()}));
    audit::record(tx, &Actor::System, event)?;
    Ok(Some(posted))
}

/// Gives a workspace credit because an operator says so. The reason stands in the statement, and in the audit where only
/// the workspace's owner and operators read it.
///
/// # Errors
/// [`BillingError::NotAllowed`] for anybody but the operator and the appliance; [`BillingError::NoWorkspace`];
/// [`BillingError::BadReason`] unless it has 1 to 200 characters; [`BillingError::Ledger`] when the amount is not above
/// zero or the wallet would hold too much.
pub fn grant_by_operator(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    amount: Credits,
    reason: &str,
) -> Result<Posted, BillingError> {
    if !matches!(actor, Actor::Operator | Actor::System) {
        return Err(BillingError::NotAllowed);
    }
    let reason = reason.trim();
    let chars = reason.chars().count();
    if !(1..=REASON_CHARS_MAX).contains(&chars) {
        return Err(BillingError::BadReason { chars });
    }
    let owner = workspaces::find(tx, workspace)?.ok_or(BillingError::NoWorkspace)?.owner;

    let now = tx.now();
    let idem_key = format!("adjustment:{}", TransactionId::new(now, tx.rng()));
    let grant = Grant::promotional(workspace, amount, Origin::Adjustment, reason, idem_key);
    let posted = ledger::grant(tx, actor, grant)?;
    let event = Event::new("billing.credit_granted")
        .workspace(workspace)
        .target(posted.id)
        .subject(owner)
        .data(json!({"kind": Kind::Adjustment.as_str(), "amount": amount.to_string()}))
        .private(Part::Text, json!({"reason": reason}));
    audit::record(tx, actor, event)?;
    Ok(posted)
}

/// Takes back what somebody typed about a workspace's money. The numbers stay: they are pseudonymous, and the book must
/// add up (GDPR Art. 17(3)(b)). Answers how many lines; repeating is the same as once.
///
/// # Errors
/// [`db::Error`].
pub fn forget(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, db::Error> {
    ledger::blank(tx, workspace, Kind::Adjustment)
}
