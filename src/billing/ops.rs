//! Grant credit, and erase the reasons of an erased workspace.

use serde_json::json;

use super::error::BillingError;
use super::events::BillingEvent;
use super::ledger::{self, Grant, Kind, Origin, PostedTransaction, holds};
use super::model::REASON_CHARS_MAX;
use super::{allowances, notices};
use crate::audit::{self, Event, Part};
use crate::base::{Actor, Credits, TransactionId, WorkspaceId};
use crate::db::{self, Tx, View};
use crate::workspaces::{self, Workspace};

/// A workspace and its credit.
#[derive(Clone, Debug)]
pub struct Wallet {
    #[allow(missing_docs)]
    pub workspace: Workspace,
    /// What it can spend: neither reserved nor expired. Below zero: its debt.
    pub available: Credits,
}

/// The wallet of a workspace.
///
/// # Errors
/// [`BillingError::NoWorkspace`].
pub fn wallet(view: &View<'_>, id: WorkspaceId) -> Result<Wallet, BillingError> {
    let workspace = workspaces::find(view, id)?.ok_or(BillingError::NoWorkspace)?;
    Ok(Wallet { workspace, available: holds::available(view, id)? })
}

/// Grants the configured welcome credit to the workspace of a new account: promotional credit that does not expire.
/// Granted once per account, even if the configured amount changes later. `None`: nothing was granted.
///
/// # Errors
/// [`BillingError::Ledger`].
pub fn signup_credit(tx: &mut Tx<'_>, workspace: &Workspace) -> Result<Option<PostedTransaction>, BillingError> {
    let amount = tx.site().config.billing.signup_credit;
    let idem_key = format!("signup:{}", workspace.owner);
    if amount == Credits::ZERO || ledger::is_posted(tx, &idem_key)? {
        return Ok(None);
    }
    let grant = Grant::new(workspace.id, amount, Origin::Signup, "Welcome credit", idem_key);
    let posted = ledger::grant(tx, &Actor::System, grant)?;
    let event = Event::new(BillingEvent::CreditGranted)
        .workspace(workspace.id)
        .target(posted.id)
        .data(json!({"kind": Kind::Signup.as_str(), "amount": amount.to_string()}));
    audit::record(tx, &Actor::System, event)?;
    Ok(Some(posted))
}

/// Grants credit to a workspace on behalf of an operator. The reason is written to the statement and to the audit,
/// where only the workspace's owner and operators can read it.
///
/// # Errors
/// [`BillingError::NotAllowed`] unless the actor is the operator or the system; [`BillingError::NoWorkspace`];
/// [`BillingError::BadReason`] unless it has 1 to 200 characters; [`BillingError::Ledger`] if the amount is not above
/// zero or the balance would be too large.
pub fn grant_by_operator(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    amount: Credits,
    reason: &str,
) -> Result<PostedTransaction, BillingError> {
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
    let grant = Grant::new(workspace, amount, Origin::Adjustment, reason, idem_key);
    let posted = ledger::grant(tx, actor, grant)?;
    let event = Event::new(BillingEvent::CreditGranted)
        .workspace(workspace)
        .target(posted.id)
        .subject(owner)
        .data(json!({"kind": Kind::Adjustment.as_str(), "amount": amount.to_string()}))
        .private(Part::Text, json!({"reason": reason}));
    audit::record(tx, actor, event)?;
    Ok(posted)
}

/// What an operator typed is in the lines of these kinds.
const TYPED: [Kind; 3] = [Kind::Adjustment, Kind::Voucher, Kind::Promo];

/// Erases the reasons that operators typed for a workspace. The amounts stay: they are pseudonymous, and the ledger
/// must balance (GDPR Art. 17(3)(b)). Ends its allowance. Returns the number of changed lines. Repeating it is the same as once.
///
/// # Errors
/// [`db::Error`].
pub fn forget(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, db::Error> {
    allowances::forget(tx, workspace)?;
    notices::forget(tx, workspace)?;
    TYPED.into_iter().map(|kind| ledger::blank_details(tx, workspace, kind)).sum()
}
