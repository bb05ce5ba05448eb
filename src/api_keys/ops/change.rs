//! Changes of keys: name, note and limits of a key, and the maximum lifetime for new keys of a workspace.

use serde_json::json;

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::model::{ApiKey, Budget, KeyChange, KeyPolicy, LIFE_MAX, Limits};
use super::super::store;
use super::super::uses;
use super::create::check_scopes;
use super::{event_about, find, require_owner};
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, ApiKeyId, CredentialAdmin, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View};

/// Renames a key and sets its note and limits. A new budget also counts what was spent before.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person, and when the person does not own the workspace any more;
/// [`ApiKeyError::AlreadyEnded`] for a key that has ended.
pub fn change(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    id: ApiKeyId,
    change: &KeyChange,
) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    require_owner(tx, admin, key.account, key.workspace)?;
    if key.state.is_over() {
        return Err(ApiKeyError::AlreadyEnded);
    }
    if key.name == change.name.as_str() && key.note == change.note.as_str() && key.limits == change.limits {
        return Ok(key);
    }
    let spent_until = match change.limits.budget {
        Some(budget) => spent_until(tx, key.family, budget)?,
        None => None,
    };
    store::update_change(tx, id, change, spent_until)?;
    let mut event = Event::new(ApiKeyEvent::Changed)
        .workspace(key.workspace)
        .target(key.id)
        .subject(key.account)
        .data(limits_change(&key.limits, &change.limits))
        .private(
            Part::Text,
            json!({
                "name": key.name,
                "new_name": change.name.as_str(),
                "note": key.note,
                "new_note": change.note.as_str(),
                "networks": key.limits.networks_text(),
                "new_networks": change.limits.networks_text(),
            }),
        );
    if change.limits.excludes_networks_of(&key.limits) {
        event = event.ends_access();
    }
    audit::record(tx, admin, event)?;
    find(tx, admin, id)
}

/// Takes scopes away from a key: `scopes` are the ones that it keeps. Programs lose the others with their next request.
/// Returns the key, and whether it lost any.
///
/// # Errors
/// [`ApiKeyError::NotFound`], [`ApiKeyError::AlreadyEnded`] as [`change`]; [`ApiKeyError::NoScope`],
/// [`ApiKeyError::UnknownScope`]; [`ApiKeyError::ScopesGrow`] for a right that the key does not have.
pub fn reduce_scopes(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    id: ApiKeyId,
    scopes: &[String],
) -> Result<(ApiKey, bool), ApiKeyError> {
    let key = find(tx, admin, id)?;
    require_owner(tx, admin, key.account, key.workspace)?;
    if key.state.is_over() {
        return Err(ApiKeyError::AlreadyEnded);
    }
    let site = tx.site().clone();
    let table = &site.config.scopes;
    check_scopes(table, scopes)?;
    let mut kept: Vec<&str> = Vec::with_capacity(scopes.len());
    for name in scopes {
        if !kept.contains(&name.as_str()) {
            kept.push(name);
        }
    }
    let kept = kept.join(" ");
    let (before, after) = (table.rights_of(&key.scopes), table.rights_of(&kept));
    if !before.contains(after) {
        return Err(ApiKeyError::ScopesGrow);
    }
    if before == after {
        return Ok((key, false));
    }
    store::update_scopes(tx, id, &kept)?;
    let event = event_about(ApiKeyEvent::ScopesReduced, &key).data(json!({"before": key.scopes, "after": kept}));
    audit::record(tx, admin, event.detail(&kept))?;
    Ok((find(tx, admin, id)?, true))
}

/// The limits before and after, for the audit. Networks can be personal data, so the public part has only their number.
fn limits_change(before: &Limits, after: &Limits) -> serde_json::Value {
    let one = |limits: &Limits| {
        json!({
            "networks": limits.networks.len(),
            "rate_per_minute": limits.rate_per_minute,
            "budget": limits.budget.map(|budget| budget.amount.to_string()),
            "budget_period": limits.budget.map(|budget| budget.period.as_str()),
        })
    };
    json!({"before": one(before), "after": one(after)})
}

/// Until when a family of keys is refused because of what its use has cost. `None`: a part of the budget is left.
fn spent_until(view: &View<'_>, family: ApiKeyId, budget: Budget) -> Result<Option<Timestamp>, Error> {
    let now = view.now();
    let spent = uses::store::find_spend(view, family, &budget.period.name(now))?;
    Ok((spent >= budget.amount).then(|| budget.period.end(now)))
}

/// Sets the maximum lifetime for new keys of the workspace. Existing keys are not affected. `None`: only the site's
/// maximum applies.
///
/// # Errors
/// [`ApiKeyError::NotFound`] when the account does not own the workspace; [`ApiKeyError::Expiry`] unless the lifetime
/// is from one day to ten years.
pub fn set_policy(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    workspace: WorkspaceId,
    policy: Option<KeyPolicy>,
) -> Result<(), ApiKeyError> {
    require_owner(tx, admin, account, workspace)?;
    let most = LIFE_MAX.as_secs() / 86_400;
    if policy.is_some_and(|policy| !(1..=most).contains(&u64::from(policy.max_life_days))) {
        return Err(ApiKeyError::Expiry);
    }
    let before = store::find_policy(tx, workspace)?;
    if before == policy {
        return Ok(());
    }
    store::replace_policy(tx, workspace, policy)?;
    let days = |policy: Option<KeyPolicy>| policy.map(|policy| policy.max_life_days);
    let event = Event::new(ApiKeyEvent::PolicyChanged)
        .workspace(workspace)
        .target(workspace)
        .subject(account)
        .data(json!({"max_life_days": days(policy), "before": days(before)}));
    audit::record(tx, admin, event)?;
    Ok(())
}
