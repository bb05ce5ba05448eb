//! Budgets: what the use of keys cost, and what is reserved for use that has not happened yet.

use serde_json::json;

use super::super::events::ApiKeyEvent;
use super::super::mails;
use super::super::model::{ApiKey, Period};
use super::super::store;
use super::super::uses::store as records;
use super::event_about;
use crate::accounts::{self, AccountState};
use crate::audit;
use crate::base::{Actor, ApiKeyId, Credits, Timestamp, WorkspaceId, days};
use crate::db::{Error, Tx, View};
use crate::people::{self, MailKind};

/// Adds what the use of a key cost. Every key of its family whose budget is spent by this is refused from the next
/// request on, and its owner gets at most one message a day. A key of another workspace, or one that does not exist any
/// more, is ignored, because a report of a service can be wrong.
///
/// # Errors
/// [`Error`].
pub fn spend(tx: &mut Tx<'_>, key: ApiKeyId, workspace: WorkspaceId, amount: Credits) -> Result<(), Error> {
    let Some(key) = store::find(tx, key)?.filter(|key| key.workspace == workspace) else { return Ok(()) };
    let now = tx.now();
    for period in [Period::Month, Period::Total] {
        records::record_spend(tx, key.family, &period.name(now), amount)?;
        let spent = records::find_spend(tx, key.family, &period.name(now))?;
        let until = period.end(now);
        for key in store::list_spent(tx, key.family, period, spent, until)? {
            block_spent_key(tx, &key, until)?;
        }
    }
    Ok(())
}

/// Takes back what the use of a key cost, from the month in which it was added. Keys of its family whose budget is not spent any
/// more work again from the next request on.
///
/// # Errors
/// [`Error`].
// No event: the keys work as their owner decided; the usage that is taken back is recorded with its report.
pub fn unspend(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    workspace: WorkspaceId,
    amount: Credits,
    spent_at: Timestamp,
) -> Result<(), Error> {
    let Some(key) = store::find(tx, key)?.filter(|key| key.workspace == workspace) else { return Ok(()) };
    let now = tx.now();
    for period in [Period::Month, Period::Total] {
        records::take_back_spend(tx, key.family, &period.name(spent_at), amount)?;
        let spent = records::find_spend(tx, key.family, &period.name(now))?;
        store::update_unspent(tx, key.family, period, spent)?;
    }
    Ok(())
}

/// Whether a part of a key's budget could be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetReservation {
    /// It is reserved for the keys of this family.
    Reserved(ApiKeyId),
    /// Only so much is left. Below zero: the budget is overspent.
    TooSmall {
        /// The budget, less what was spent and what is reserved.
        left: Credits,
    },
    /// The workspace has no such key, or programs cannot use it now.
    UnknownKey,
}

/// Reserves a part of a key's budget. A key without a budget has room for everything; what is reserved counts if it gets one.
///
/// # Errors
/// [`Error`].
// No permission: `billing` checks the service that asks for it.
// No event: nothing is spent yet.
pub fn reserve_budget(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    workspace: WorkspaceId,
    amount: Credits,
) -> Result<BudgetReservation, Error> {
    let room = budget_room(tx, key, workspace, amount)?;
    if let BudgetReservation::Reserved(family) = room {
        records::reserve(tx, family, amount)?;
    }
    Ok(room)
}

/// As [`reserve_budget`], without reserving it.
///
/// # Errors
/// [`Error`].
pub fn budget_room(
    view: &View<'_>,
    key: ApiKeyId,
    workspace: WorkspaceId,
    amount: Credits,
) -> Result<BudgetReservation, Error> {
    Ok(match find_budget(view, key, workspace)? {
        None => BudgetReservation::UnknownKey,
        Some(KeyBudget { left: Some(left), .. }) if left < amount => BudgetReservation::TooSmall { left },
        Some(KeyBudget { family, .. }) => BudgetReservation::Reserved(family),
    })
}

/// What is left of a key's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    /// The keys that share it.
    pub family: ApiKeyId,
    /// The budget, less what was spent and what is reserved. Below zero: it is overspent. `None`: the key has no budget.
    pub left: Option<Credits>,
}

/// What is left of a key's budget. `None`: the workspace has no such key, or programs cannot use it now: it has ended, is
/// disabled or quarantined, or its person is suspended or must unlock it.
///
/// # Errors
/// [`Error`].
pub fn find_budget(view: &View<'_>, key: ApiKeyId, workspace: WorkspaceId) -> Result<Option<KeyBudget>, Error> {
    let found = store::find(view, key)?.filter(|key| key.workspace == workspace && key.state.is_good());
    let Some(key) = found else { return Ok(None) };
    let owner = accounts::find(view, key.account)?;
    let is_active = owner.is_some_and(|owner| owner.state == AccountState::Active);
    if !is_active || accounts::keys_locked_at(view, key.account)?.is_some() {
        return Ok(None);
    }
    let Some(budget) = key.limits.budget else { return Ok(Some(KeyBudget { family: key.family, left: None })) };
    let spent = records::find_spend(view, key.family, &budget.period.name(view.now()))?;
    let reserved = records::find_reserved(view, key.family)?;
    // Both sums are at most the largest amount, and so is the budget.
    let left = budget.amount.micro() - spent.micro() - reserved.micro();
    let left = Credits::from_micro(left).unwrap_or(Credits::MAX.negated());
    Ok(Some(KeyBudget { family: key.family, left: Some(left) }))
}

/// Whether two keys share a budget: they are the same, or one follows the other by rotation.
///
/// # Errors
/// [`Error`].
pub fn is_same_family(view: &View<'_>, one: ApiKeyId, other: ApiKeyId) -> Result<bool, Error> {
    if one == other {
        return Ok(true);
    }
    let (one, other) = (store::find(view, one)?, store::find(view, other)?);
    Ok(one.zip(other).is_some_and(|(one, other)| one.family == other.family))
}

/// Gives back a reserved part of the budget of a family of keys.
///
/// # Errors
/// [`Error`].
// No event: as for `reserve_budget`.
pub fn release_budget(tx: &mut Tx<'_>, family: ApiKeyId, amount: Credits) -> Result<(), Error> {
    records::unreserve(tx, family, amount)
}

fn block_spent_key(tx: &mut Tx<'_>, key: &ApiKey, until: Timestamp) -> Result<(), Error> {
    let Some(budget) = key.limits.budget else { return Ok(()) };
    store::update_spent(tx, key.id, until)?;
    let data = json!({"budget": budget.amount.to_string(), "budget_period": budget.period.as_str()});
    audit::record(tx, &Actor::System, event_about(ApiKeyEvent::BudgetExhausted, key).data(data))?;
    if records::record_notice(tx, key.id, "spent", Some(tx.now().minus(days(1))))? {
        let url = tx.site().config.public_url.clone();
        people::mail_if_wanted(tx, key.account, MailKind::Usage, &mails::budget_spent(key, budget, &url))?;
    }
    Ok(())
}

/// What a key, and those that share its budget, spend in this month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthlyBudget {
    /// The name of the key.
    pub name: String,
    #[allow(missing_docs)]
    pub amount: Credits,
    /// What was spent or is reserved.
    pub used: Credits,
}

impl MonthlyBudget {
    /// How much of it is used, in percent, at most 100.
    pub fn percent(&self) -> i64 {
        let percent = i128::from(self.used.micro()) * 100 / i128::from(self.amount.micro()).max(1);
        i64::try_from(percent.clamp(0, 100)).unwrap_or_default()
    }

    /// Whether nothing of it is left.
    pub fn is_spent(&self) -> bool {
        self.used >= self.amount
    }
}

/// The monthly budgets of the live keys of a workspace: each once, also if several keys share it.
///
/// # Errors
/// [`Error`].
pub fn monthly_budgets(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<MonthlyBudget>, Error> {
    let mut budgets = Vec::new();
    let mut families = Vec::new();
    for key in super::list_live(view, workspace)? {
        let Some(budget) = key.limits.budget.filter(|budget| budget.period == Period::Month) else { continue };
        if families.contains(&key.family) {
            continue;
        }
        families.push(key.family);
        let left = find_budget(view, key.id, workspace)?.and_then(|found| found.left).unwrap_or(budget.amount);
        let used = budget.amount.minus(left).unwrap_or(budget.amount);
        budgets.push(MonthlyBudget { name: key.name, amount: budget.amount, used });
    }
    Ok(budgets)
}
