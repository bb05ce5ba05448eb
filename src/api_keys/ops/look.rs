//! What is known of keys.

use std::collections::HashMap;

use super::super::error::ApiKeyError;
use super::super::model::{ApiKey, Budget, DayOfUse, KeyCaller, KeyPolicy, KeyState};
use super::super::store;
use super::super::uses;
use crate::base::{Actor, ApiKeyId, Credits, ScopeTable, Scopes, Timestamp, WorkspaceId, days};
use crate::db::{Error, View};

/// Rows of a list; a workspace has at most as many live keys.
const LIST_MAX: u32 = 1000;
/// So many are read and shown within the time of a request of anybody else's.
const FEW: u32 = 50;
/// Callers that a page shows.
const CALLERS_SHOWN: u32 = 20;
/// Days of the picture of a key's use.
pub const DAYS_SHOWN: i64 = 30;
/// A key that nobody used for so long is idle.
const IDLE_DAYS: u64 = 90;
/// A key younger than this may simply not have had the occasion.
const SETTLED_DAYS: u64 = 30;

/// The keys of a workspace, the newest first: all live ones, then of those that have ended as many as a list holds.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    store::list(view, workspace, LIST_MAX)
}

/// Whether the workspace has so few keys that [`list`] and what goes with it take microseconds.
///
/// # Errors
/// [`Error`].
pub fn are_few(view: &View<'_>, workspace: WorkspaceId) -> Result<bool, Error> {
    Ok(!store::has_more(view, workspace, FEW)?)
}

/// As [`list`], without those that have ended.
///
/// # Errors
/// [`Error`].
pub fn live(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    Ok(list(view, workspace)?.into_iter().filter(|key| !key.state.is_over()).collect())
}

/// How many live keys the workspace has; those that are being replaced are not counted beside their successors.
///
/// # Errors
/// [`Error`].
pub fn count_live(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    store::count_live(view, workspace)
}

/// The key, for the person it belongs to or the operator.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's.
pub fn find(view: &View<'_>, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    store::find(view, id)?.filter(|key| actor.can_manage(key.account)).ok_or(ApiKeyError::NotFound)
}

/// What the owner of the workspace decided about its keys. `None`: nothing.
///
/// # Errors
/// [`Error`].
pub fn policy(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<KeyPolicy>, Error> {
    store::find_policy(view, workspace)
}

/// What the page of one key shows beside the key.
#[derive(Debug)]
pub struct Insight {
    /// Days with uses of the last [`DAYS_SHOWN`], the oldest first.
    pub days: Vec<DayOfUse>,
    /// Who called with it while it was being replaced, or after: the latest first.
    pub callers: Vec<KeyCaller>,
    /// The key that replaced it.
    pub successor: Option<ApiKeyId>,
    /// What was charged for its line in the budget's period.
    pub spent: Option<(Credits, Budget)>,
}

/// What is known of the use of one key.
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
    })
}

/// The days of use of every key of a workspace, as [`Insight::days`].
///
/// # Errors
/// [`Error`].
pub fn days_of_use(view: &View<'_>, workspace: WorkspaceId) -> Result<HashMap<ApiKeyId, Vec<DayOfUse>>, Error> {
    let mut by_key: HashMap<ApiKeyId, Vec<DayOfUse>> = HashMap::new();
    for (key, day) in uses::store::list_days_of_workspace(view, workspace, view.now().day_number() - DAYS_SHOWN)? {
        by_key.entry(key).or_default().push(day);
    }
    Ok(by_key)
}

/// What an owner should look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Good keys without an end.
    pub never_expire: Vec<ApiKeyId>,
    /// Good keys that nobody used for 90 days.
    pub idle: Vec<ApiKeyId>,
    /// Good keys with scopes that nobody asked for in 90 days, where somebody asked for others.
    pub unused_scopes: Vec<(ApiKeyId, Vec<String>)>,
    /// Keys that are being replaced, and were used since.
    pub still_called: Vec<ApiKeyId>,
}

/// What an owner should look at among these keys of a workspace.
///
/// # Errors
/// [`Error`].
pub fn health(view: &View<'_>, workspace: WorkspaceId, keys: &[ApiKey]) -> Result<Health, Error> {
    let now = view.now();
    let mut asked: HashMap<ApiKeyId, Vec<String>> = HashMap::new();
    let after = now.minus(days(IDLE_DAYS)).day_number();
    for (key, right) in uses::store::list_rights_of_workspace(view, workspace, after)? {
        asked.entry(key).or_default().push(right);
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
            && let Some(asked) = asked.get(&key.id)
        {
            let unused = unused_scopes(table, &key.scopes, asked);
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

/// Scopes of which no right was asked for.
fn unused_scopes(table: &ScopeTable, scopes: &str, asked: &[String]) -> Vec<String> {
    let asked = asked.iter().filter_map(|name| table.rights_named(name)).fold(Scopes::NONE, Scopes::and);
    let is_unused = |name: &&str| table.rights(name).is_some_and(|rights| rights.cut(asked).is_none());
    scopes.split(' ').filter(is_unused).map(str::to_owned).collect()
}
