//! Reads keys and their use.

use std::collections::HashMap;

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::model::{ApiKey, Budget, DailyUse, Exposure, KeyCaller, KeyState, exposure_place};
use super::super::store;
use super::super::uses;
use crate::audit::{self, Part};
use crate::base::{Actor, ApiKeyId, Credits, ScopeTable, Scopes, Timestamp, WorkspaceId, days};
use crate::db::{Error, View};

/// Rows of a list at most. A workspace has at most as many live keys.
const LIST_MAX: u32 = 1000;
/// A list of this many keys is so fast that it may run on the worker's own thread.
const FEW_KEYS: u32 = 50;
/// Callers that a page shows.
const CALLERS_SHOWN: u32 = 20;
/// Days of a key's use that pages show.
pub const DAYS_SHOWN: i64 = 30;
/// A key is idle after this many days without a use.
const IDLE_DAYS: u64 = 90;
/// A younger key gets no advice about unused scopes: it may not have needed them yet.
const SETTLED_DAYS: u64 = 30;

/// The keys of a workspace, the newest first: all live keys, then ended keys, at most 1,000 in all.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    store::list(view, workspace, LIST_MAX)
}

/// Whether the workspace has so few keys that [`list`], [`health`] and [`daily_uses`] take microseconds.
///
/// # Errors
/// [`Error`].
pub fn has_few_keys(view: &View<'_>, workspace: WorkspaceId) -> Result<bool, Error> {
    Ok(!store::has_more(view, workspace, FEW_KEYS)?)
}

/// As [`list`], without keys that have ended.
///
/// # Errors
/// [`Error`].
pub fn list_live(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    Ok(list(view, workspace)?.into_iter().filter(|key| !key.state.is_over()).collect())
}

/// The key, for its owner or the operator.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person.
pub fn find(view: &View<'_>, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    store::find(view, id)?.filter(|key| actor.can_manage(key.account)).ok_or(ApiKeyError::NotFound)
}

/// What is known about the use of one key.
#[derive(Debug)]
pub struct Insight {
    /// The days with uses, of the last [`DAYS_SHOWN`] days, the oldest first.
    pub days: Vec<DailyUse>,
    /// Programs that called with it during its overlap or after it, the latest first.
    pub callers: Vec<KeyCaller>,
    /// The key that replaced it.
    pub successor: Option<ApiKeyId>,
    /// What its family has cost in the current period of the budget.
    pub spent: Option<(Credits, Budget)>,
    /// Whether its owner can see its text again.
    pub can_reveal: bool,
    /// The newest report that it was found in public. `None`: there is none, or it was erased.
    pub exposure: Option<Exposure>,
}

/// Reads what is known about the use of one key.
///
/// # Errors
/// [`Error`].
pub fn insight(view: &View<'_>, key: &ApiKey) -> Result<Insight, Error> {
    let now = view.now();
    let spent = match key.limits.budget {
        Some(budget) => Some((uses::store::find_spend(view, key.family, &budget.period.name(now))?, budget)),
        None => None,
    };
    Ok(Insight {
        days: uses::store::list_days(view, key.id, now.day_number() - DAYS_SHOWN)?,
        callers: uses::store::list_callers(view, key.id, CALLERS_SHOWN)?,
        successor: store::find_successor(view, key.id)?,
        spent,
        can_reveal: super::reveal::can_reveal(view, key),
        exposure: exposure(view, key.id)?,
    })
}

fn exposure(view: &View<'_>, key: ApiKeyId) -> Result<Option<Exposure>, Error> {
    let reported = audit::last_about(view, key, ApiKeyEvent::ExposureReported)?;
    Ok(reported.map(|event| Exposure {
        at: event.at,
        place: event.private_text(Part::Contact, "url").and_then(exposure_place),
    }))
}

/// The daily uses of every key of a workspace, as [`Insight::days`].
///
/// # Errors
/// [`Error`].
pub fn daily_uses(view: &View<'_>, workspace: WorkspaceId) -> Result<HashMap<ApiKeyId, Vec<DailyUse>>, Error> {
    let mut by_key: HashMap<ApiKeyId, Vec<DailyUse>> = HashMap::new();
    for (key, day) in uses::store::list_days_of_workspace(view, workspace, view.now().day_number() - DAYS_SHOWN)? {
        by_key.entry(key).or_default().push(day);
    }
    Ok(by_key)
}

/// Keys that need the attention of their owner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Good keys that never expire.
    pub never_expire: Vec<ApiKeyId>,
    /// Good keys that were not used for 90 days.
    pub idle: Vec<ApiKeyId>,
    /// Good keys with scopes that were not used in 90 days, while others were.
    pub unused_scopes: Vec<(ApiKeyId, Vec<String>)>,
    /// Retiring keys that were used after their rotation.
    pub still_called: Vec<ApiKeyId>,
}

/// Finds the keys that need attention among these keys of a workspace.
///
/// # Errors
/// [`Error`].
pub fn health(view: &View<'_>, workspace: WorkspaceId, keys: &[ApiKey]) -> Result<Health, Error> {
    let now = view.now();
    let mut used: HashMap<ApiKeyId, Vec<String>> = HashMap::new();
    let after = now.minus(days(IDLE_DAYS)).day_number();
    for (key, right) in uses::store::list_rights_of_workspace(view, workspace, after)? {
        used.entry(key).or_default().push(right);
    }
    let table = &view.site().config.scopes;
    let mut health = Health::default();
    for key in keys.iter().filter(|key| key.state.is_good()) {
        if key.state == KeyState::Retiring {
            if key.last_used_at.is_some_and(|at| at >= key.state_at) {
                health.still_called.push(key.id);
            }
            continue;
        }
        if key.expires_at.is_none() {
            health.never_expire.push(key.id);
        }
        let quiet_since = key.last_used_at.unwrap_or(key.created_at);
        if is_before(quiet_since, now, IDLE_DAYS) {
            health.idle.push(key.id);
        } else if is_before(key.created_at, now, SETTLED_DAYS)
            && let Some(used) = used.get(&key.id)
        {
            let unused = unused_scopes(table, &key.scopes, used);
            if !unused.is_empty() {
                health.unused_scopes.push((key.id, unused));
            }
        }
    }
    Ok(health)
}

fn is_before(moment: Timestamp, now: Timestamp, number: u64) -> bool {
    moment <= now.minus(days(number))
}

/// The scopes of a key of which no right was used.
fn unused_scopes(table: &ScopeTable, scopes: &str, used: &[String]) -> Vec<String> {
    let used = used.iter().filter_map(|name| table.rights_named(name)).fold(Scopes::NONE, Scopes::union);
    let is_unused = |name: &&str| table.rights(name).is_some_and(|rights| rights.intersection(used).is_none());
    scopes.split(' ').filter(is_unused).map(str::to_owned).collect()
}
