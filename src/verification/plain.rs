//! Verification without any cache: read the key, read its owner, decide. This is what a verification *means*.
//!
//! The fast path in `verifier.rs` reads less and decides with the same functions. A test compares the two on random
//! histories, so the fast path can only be faster. Nothing is recorded here, and no rate limit is applied, because both
//! are states of the process.

use super::model::{Owner, Policy, Refusal, Verdict, VerifiedKey, VerifyRequest};
use super::store::{self, KeyRow};
use crate::api_keys::{KeyState, KeyText, state_now, stored_networks};
use crate::base::{Scopes, Timestamp};
use crate::config::Config;
use crate::db::{Error, View};

/// Verifies a key as the database is now.
///
/// # Errors
/// [`Error`] when the database cannot be read.
pub fn verify_uncached(view: &View<'_>, text: &str, request: &VerifyRequest<'_>) -> Result<Verdict, Error> {
    let (site, now) = (view.site(), view.now());
    if !KeyText::is_well_formed(&site.config.api_keys.prefix, text) {
        return Ok(Verdict::Refused(Refusal::Malformed));
    }
    for lookup in site.keyring.lookups(text.as_bytes()) {
        let Some(row) = store::find_by_lookup(view, &lookup)? else { continue };
        if !request.reaches(row.workspace) {
            break;
        }
        let owner = store::find_owner(view, row.account, row.workspace)?;
        let decided = check_key(&row, now).and_then(|()| {
            let policy = policy_of(&row, &site.config);
            let read_rights = read_rights(&site.config);
            let (owner, rights) = check_request(&policy, ends_at(&row), owner, read_rights, request, now)?;
            Ok(VerifiedKey {
                key: row.key,
                owner,
                scope: policy.scope,
                rights,
                created_at: row.key.created_at(),
                expires_at: ends_at(&row),
                rate_limit: None,
                usage_slot: None,
            })
        });
        return Ok(decided.map_or_else(Verdict::Refused, Verdict::Valid));
    }
    Ok(Verdict::Refused(Refusal::Unknown))
}

/// Checks what depends on the key alone: its state, its ends, its budget.
pub(super) fn check_key(row: &KeyRow, now: Timestamp) -> Result<(), Refusal> {
    match state_now(row.state, row.expires_at, row.retire_at, now) {
        // Of revoked keys, only those that were replaced still have their digest.
        KeyState::Revoked => Err(Refusal::Replaced),
        KeyState::Expired => Err(Refusal::Expired),
        KeyState::Disabled => Err(Refusal::Disabled),
        KeyState::Quarantined => Err(Refusal::Quarantined),
        KeyState::Active | KeyState::Retiring => match row.spent_until {
            Some(until) if until > now => Err(Refusal::BudgetSpent),
            _ => Ok(()),
        },
    }
}

/// Checks what depends on the time and on the request, for a key that passed [`check_key`] when it was read: owner, end
/// and network. Returns the rights of the key in its owner's role. `owner`: `None` if the account is not active, or
/// not a member of the workspace.
pub(super) fn check_request(
    policy: &Policy,
    ends_at: Option<Timestamp>,
    owner: Option<Owner>,
    read_rights: Scopes,
    request: &VerifyRequest<'_>,
    now: Timestamp,
) -> Result<(Owner, Scopes), Refusal> {
    // Before the owner, as in a key that is read now: otherwise the answer would depend on when the key was read.
    if ends_at.is_some_and(|end| end <= now) {
        return Err(if policy.is_retiring { Refusal::Replaced } else { Refusal::Expired });
    }
    let owner = owner.ok_or(Refusal::Unknown)?;
    if !policy.allows_address(request.address) {
        return Err(Refusal::Network);
    }
    let rights = policy.rights_for_role(owner.role, read_rights);
    Ok((owner, rights))
}

/// The earlier of the key's own end and the end of its overlap. `None`: it does not end.
pub(super) fn ends_at(row: &KeyRow) -> Option<Timestamp> {
    [row.expires_at, row.retire_at].into_iter().flatten().min()
}

/// What the key may do, in the scopes and limits of this site.
pub(super) fn policy_of(row: &KeyRow, config: &Config) -> Policy {
    Policy {
        scope: row.scope.as_str().into(),
        rights: config.scopes.rights_of(&row.scope),
        networks: stored_networks(row.key, &row.networks),
        rate: row.rate_per_minute.or(config.api_keys.rate_per_minute),
        is_retiring: row.state == KeyState::Retiring,
    }
}

/// The rights of the role `viewer`.
pub(super) fn read_rights(config: &Config) -> Scopes {
    config.scopes.rights_of("read")
}
