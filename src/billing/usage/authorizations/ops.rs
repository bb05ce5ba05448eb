//! Ask what usage costs, authorize it, and end it.

use serde_json::json;

use super::super::super::events::BillingEvent;
use super::super::super::ledger::LedgerError;
use super::super::super::ledger::holds::{self, Hold, HoldState, NewHold};
use super::super::error::UsageError;
use super::super::model::Meter;
use super::model::{Authorization, AuthorizationState, Closed, Mode, Policy, PolicyChange, Quote, UsageRequest};
use super::store;
use crate::accounts::{self, AccountState};
use crate::api_keys::{self, BudgetReservation};
use crate::audit::{self, Event};
use crate::base::{Actor, Credits, HoldId, ServiceId, hours};
use crate::config::Price;
use crate::db::{Error, Tx, View};
use crate::{services, workspaces};

/// The maximum number of authorizations that are ended together, so that it does not delay other writes.
const CLOSE_BATCH_MAX: u32 = 200;
/// The margins and the times that a policy may have.
const MARGIN_MAX: u8 = 100;
const HOLD_MIN: std::time::Duration = std::time::Duration::from_secs(60);
const HOLD_MAX: std::time::Duration = hours(365 * 24);

/// How the authorizations of a service work.
///
/// # Errors
/// [`Error`].
pub fn policy(view: &View<'_>, service: ServiceId) -> Result<Policy, Error> {
    Ok(store::find_policy(view, service)?.unwrap_or_default())
}

/// Changes how the authorizations of a service work, from the next one on. Returns how they work then, and whether anything changed.
///
/// # Errors
/// [`UsageError::NotAllowed`] unless the actor is the operator; [`UsageError::BadPolicy`] unless the margin is at most 100 percent
/// and the time from a minute to a year.
pub fn change_policy(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    change: PolicyChange,
) -> Result<(Policy, bool), UsageError> {
    if !matches!(actor, Actor::Operator) {
        return Err(UsageError::NotAllowed);
    }
    let before = policy(tx, service)?;
    let after = before.with(change);
    if after.margin_percent > MARGIN_MAX || !(HOLD_MIN..=HOLD_MAX).contains(&after.hold_for) {
        return Err(UsageError::BadPolicy);
    }
    if after == before {
        return Ok((after, false));
    }
    store::replace_policy(tx, service, &after)?;
    let said = |policy: &Policy| {
        let Policy { mode, margin_percent, hold_for } = policy;
        json!({"mode": mode.as_str(), "margin_percent": margin_percent, "hold_seconds": hold_for.as_secs()})
    };
    let data = json!({"before": said(&before), "after": said(&after)});
    audit::record(tx, actor, Event::new(BillingEvent::AuthorizationsChanged).target(service).data(data))?;
    Ok((after, true))
}

/// What usage would cost, and what the workspace can spend, and the key. Nothing is reserved.
///
/// # Errors
/// [`UsageError::NotAService`], [`UsageError::UnknownWorkspace`], [`UsageError::NotActive`], [`UsageError::UnknownSku`],
/// [`UsageError::TooLarge`]; [`UsageError::Ledger`] with `UnknownKey`.
pub fn quote(view: &View<'_>, actor: &Actor, request: &UsageRequest) -> Result<Quote, UsageError> {
    let (service, _) = service_and_price(view, actor, request)?;
    let amount = cost(view, service, request)?;
    let mut available = holds::available(view, request.workspace)?;
    if let Some(key) = request.key {
        let budget = api_keys::find_budget(view, key, request.workspace)?.ok_or(LedgerError::UnknownKey)?;
        available = budget.left.map_or(available, |left| left.min(available));
    }
    Ok(Quote { amount, available })
}

/// Authorizes usage: reserves what it costs in the wallet, and in the budget of the key, or only checks that it is there, as the
/// policy of the service says. Its price holds for all usage that is reported for it.
///
/// # Errors
/// As for [`quote`]; [`UsageError::Ledger`] with `InsufficientCredit`, `InsufficientBudget` or `UnknownKey`.
pub fn authorize(tx: &mut Tx<'_>, actor: &Actor, request: &UsageRequest) -> Result<Authorization, UsageError> {
    let (service, price) = service_and_price(tx, actor, request)?;
    let policy = policy(tx, service)?;
    let amount = cost(tx, service, request)?;
    let now = tx.now();
    let id = HoldId::new(now, tx.rng());
    let expires_at = now.plus(policy.hold_for);
    let UsageRequest { workspace, key, quantity, .. } = *request;
    match policy.mode {
        // What costs nothing needs no credit.
        _ if amount == Credits::ZERO => require_key(tx, request)?,
        Mode::Hold => {
            holds::reserve(tx, NewHold { id, workspace, key, amount, expires_at })?;
        }
        Mode::Check => {
            let available = holds::available(tx, workspace)?;
            if available < amount {
                return Err(LedgerError::InsufficientCredit { available, needed: amount }.into());
            }
            if let Some(key) = key {
                require_room(api_keys::budget_room(tx, key, workspace, amount)?, amount)?;
            }
        }
    }
    let authorization = Authorization {
        id,
        service,
        workspace,
        key,
        sku: price.sku,
        unit: price.unit,
        category: price.category,
        quantity,
        price: price.price,
        amount,
        meter: Meter::default(),
        state: AuthorizationState::Open,
        expires_at,
    };
    store::insert(tx, &authorization)?;
    Ok(authorization)
}

/// Ends an authorization whose usage has ended: what is left of its credit is free again. Usage that is reported later is
/// charged as without a hold. Repeating it is the same as once.
///
/// # Errors
/// [`UsageError::NotAService`]; [`UsageError::UnknownAuthorization`].
pub fn settle(tx: &mut Tx<'_>, actor: &Actor, id: HoldId) -> Result<Closed, UsageError> {
    close_authorization(tx, actor, id, AuthorizationState::Settled, HoldState::Settled)
}

/// Ends an authorization whose usage has not happened. As [`settle`].
///
/// # Errors
/// As for [`settle`].
pub fn release(tx: &mut Tx<'_>, actor: &Actor, id: HoldId) -> Result<Closed, UsageError> {
    close_authorization(tx, actor, id, AuthorizationState::Released, HoldState::Released)
}

fn close_authorization(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: HoldId,
    state: AuthorizationState,
    hold_state: HoldState,
) -> Result<Closed, UsageError> {
    let Actor::Service { service, .. } = actor else { return Err(UsageError::NotAService) };
    let found = store::find_of_service(tx, *service, id)?.ok_or(UsageError::UnknownAuthorization)?;
    close_found(tx, &found, state, hold_state)
}

/// Ends an authorization of any service, whose credit nobody else frees. Usage that its service reports later is charged all the
/// same. As [`settle`].
///
/// # Errors
/// [`UsageError::NotAllowed`] unless the actor is the operator; [`UsageError::UnknownAuthorization`].
pub fn release_by_operator(tx: &mut Tx<'_>, actor: &Actor, id: HoldId) -> Result<Closed, UsageError> {
    if !matches!(actor, Actor::Operator) {
        return Err(UsageError::NotAllowed);
    }
    let found = store::find(tx, id)?.ok_or(UsageError::UnknownAuthorization)?;
    let closed = close_found(tx, &found, AuthorizationState::Released, HoldState::Released)?;
    if found.state == AuthorizationState::Open {
        let data = json!({"service": found.service.to_string(), "amount": found.amount.to_string()});
        let event = Event::new(BillingEvent::AuthorizationReleased).workspace(found.workspace).target(id).data(data);
        audit::record(tx, actor, event)?;
    }
    Ok(closed)
}

/// Ends authorizations of services that are disconnected, because nobody can end them any more: at most 200. Returns how many; the
/// caller repeats it until the result is 0.
///
/// # Errors
/// [`UsageError`].
// No permission: only a job calls it.
// No event: the end of the service is recorded.
pub fn close_disconnected(tx: &mut Tx<'_>) -> Result<usize, UsageError> {
    let mut closed = 0;
    for service in store::list_services_with_holds(tx)? {
        let found = services::find(tx, &service.to_string());
        if !found.is_ok_and(|service| service.disconnected_at.is_some()) {
            continue;
        }
        for id in store::list_reserving(tx, service, CLOSE_BATCH_MAX - closed)? {
            let Some(found) = store::find(tx, id)? else { continue };
            close_found(tx, &found, AuthorizationState::Released, HoldState::Released)?;
            closed += 1;
        }
        if closed >= CLOSE_BATCH_MAX {
            break;
        }
    }
    Ok(closed as usize)
}

fn close_found(
    tx: &mut Tx<'_>,
    found: &Authorization,
    state: AuthorizationState,
    hold_state: HoldState,
) -> Result<Closed, UsageError> {
    let id = found.id;
    let charged = Credits::from_micro(found.meter.charged_micro).ok_or(LedgerError::TooLarge)?;
    if found.state != AuthorizationState::Open {
        return Ok(Closed { workspace: found.workspace, state: found.state, charged });
    }
    if let Some(hold) = holds::find(tx, id)?.filter(|hold: &Hold| hold.state == HoldState::Active) {
        holds::close(tx, &hold, hold_state)?;
    }
    store::update_closed(tx, id, state)?;
    Ok(Closed { workspace: found.workspace, state, charged })
}

/// The service and the price, if the service may charge the workspace.
fn service_and_price(view: &View<'_>, actor: &Actor, request: &UsageRequest) -> Result<(ServiceId, Price), UsageError> {
    let Actor::Service { service, .. } = actor else { return Err(UsageError::NotAService) };
    if !services::may_touch(view, *service, request.workspace)? {
        return Err(UsageError::UnknownWorkspace);
    }
    let workspace = workspaces::find(view, request.workspace)?.ok_or(UsageError::UnknownWorkspace)?;
    let owner = accounts::find(view, workspace.owner)?;
    if owner.is_none_or(|owner| owner.state != AccountState::Active) {
        return Err(UsageError::NotActive);
    }
    let listed = view.site().config.prices.iter().find(|listed| listed.sku == request.sku);
    Ok((*service, listed.cloned().ok_or(UsageError::UnknownSku)?))
}

fn cost(view: &View<'_>, service: ServiceId, request: &UsageRequest) -> Result<Credits, UsageError> {
    let listed = view.site().config.prices.iter().find(|listed| listed.sku == request.sku);
    let price = listed.ok_or(UsageError::UnknownSku)?.price;
    let (_, cost) = Meter::default().plus(price, request.quantity).ok_or(UsageError::TooLarge)?;
    policy(view, service)?.with_margin(cost).ok_or(UsageError::TooLarge)
}

fn require_key(view: &View<'_>, request: &UsageRequest) -> Result<(), UsageError> {
    match request.key {
        None => Ok(()),
        Some(key) => require_room(api_keys::budget_room(view, key, request.workspace, Credits::ZERO)?, Credits::ZERO),
    }
}

fn require_room(room: BudgetReservation, needed: Credits) -> Result<(), UsageError> {
    match room {
        BudgetReservation::Reserved(_) => Ok(()),
        BudgetReservation::TooSmall { left } => Err(LedgerError::InsufficientBudget { left, needed }.into()),
        BudgetReservation::UnknownKey => Err(LedgerError::UnknownKey.into()),
    }
}
