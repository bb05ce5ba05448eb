//! New keys, and new ones in place of old.

use std::time::Duration;

use serde_json::json;

use super::super::error::ApiKeyError;
use super::super::mails;
use super::super::model::{
    ApiKey, CreatedApiKey, Expiry, KEYS_PER_WORKSPACE_MAX, KeyEvent, KeyPolicy, KeyState, NewApiKey, OVERLAP_MAX,
};
use super::super::store::{self, TextAtRest};
use super::super::text::KeyText;
use super::{event_about, next, owner_only, tell};
use crate::audit;
use crate::base::{AccountId, ApiKeyId, CredentialAdmin, ScopeTable, Timestamp, WorkspaceId, days};
use crate::config::Reveal;
use crate::crypto::seal;
use crate::db::{Error, Tx, View};

/// Makes a key for `account` in `workspace`. Its text is in the answer; unless the site lets owners see it again, it is
/// nowhere else.
///
/// # Errors
/// [`ApiKeyError::NotFound`] when the account does not own the workspace; [`ApiKeyError::NoScope`],
/// [`ApiKeyError::UnknownScope`], [`ApiKeyError::TooLong`]; [`ApiKeyError::TooMany`] at 1,000 live keys.
pub fn create(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    workspace: WorkspaceId,
    new: &NewApiKey,
) -> Result<CreatedApiKey, ApiKeyError> {
    owner_only(tx, admin, account, workspace)?;
    let site = tx.site().clone();
    check_scopes(&site.config.scopes, &new.scopes)?;
    room_for_one(tx, workspace)?;
    let now = tx.now();
    let expires_at = match (new.expiry, max_life(tx, workspace)?) {
        (Expiry::After(life), Some(max)) if life > max => return Err(too_long(max)),
        (Expiry::Never, Some(max)) => return Err(too_long(max)),
        (Expiry::After(life), _) => Some(now.plus(life)),
        (Expiry::Never, None) => None,
    };
    let id = ApiKeyId::new(now, tx.rng());
    let key = ApiKey {
        id,
        workspace,
        account,
        name: new.name.as_str().to_owned(),
        display: String::new(),
        scopes: new.scopes.join(" "),
        state: KeyState::Active,
        state_at: now,
        state_before: None,
        ended: None,
        created_at: now,
        expires_at,
        retire_at: None,
        revoked_at: None,
        predecessor: None,
        family: id,
        limits: new.limits.clone(),
        spent_until: None,
        is_kept: false,
        last_used_at: None,
        uses: 0,
        last_address: String::new(),
        last_agent: String::new(),
    };
    let made = keep(tx, key)?;

    let end = made.key.expires_at.map(Timestamp::rfc3339);
    let event = event_about("api_key.created", &made.key).data(json!({"scopes": made.key.scopes, "expires_at": end}));
    audit::record(tx, admin, event)?;
    tell(tx, account, &mails::key_created(&made.key, &site.config.public_url))?;
    Ok(made)
}

/// Makes a key of the same scopes, limits and length of life in place of `id`, which stays good for `overlap`, and never
/// longer than it would have been. They share one budget.
///
/// # Errors
/// [`ApiKeyError::NotFound`]; [`ApiKeyError::Overlap`] for more than a week; [`ApiKeyError::NotNow`] when the key is not
/// active: it has a successor, is stopped or over.
pub fn rotate(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    id: ApiKeyId,
    overlap: Duration,
) -> Result<CreatedApiKey, ApiKeyError> {
    let old = super::find(tx, admin, id)?;
    owner_only(tx, admin, old.account, old.workspace)?;
    if overlap > OVERLAP_MAX {
        return Err(ApiKeyError::Overlap);
    }
    let state = next(&old, KeyEvent::Rotate)?;
    let now = tx.now();
    let retire_at = now.plus(overlap).min(old.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX)));
    let life = old.expires_at.map(|end| end.since(old.created_at));
    let life = [life, max_life(tx, old.workspace)?].into_iter().flatten().min();
    let site = tx.site().config.public_url.clone();
    store::update_state(tx, id, state, None, Some(retire_at))?;
    let new = ApiKey {
        id: ApiKeyId::new(now, tx.rng()),
        state: KeyState::Active,
        state_at: now,
        created_at: now,
        expires_at: life.map(|life| now.plus(life)),
        retire_at: None,
        predecessor: Some(id),
        last_used_at: None,
        uses: 0,
        last_address: String::new(),
        last_agent: String::new(),
        ..old.clone()
    };
    let made = keep(tx, new)?;

    let data = json!({"successor": made.key.id.to_string(), "retire_at": retire_at.rfc3339()});
    audit::record(tx, admin, event_about("api_key.rotated", &old).data(data))?;
    tell(tx, old.account, &mails::key_rotated(&made.key, &old, retire_at, &site))?;
    Ok(made)
}

/// Gives the key a text, and writes both down.
fn keep(tx: &mut Tx<'_>, key: ApiKey) -> Result<CreatedApiKey, Error> {
    let site = tx.site().clone();
    let text = KeyText::generate(&site.config.api_keys.prefix, tx.rng());
    let is_kept = site.config.api_keys.reveal == Reveal::Owner;
    let key = ApiKey { display: text.display(), is_kept, ..key };
    let plain = text.expose().as_bytes();
    let at_rest = TextAtRest {
        lookup: site.keyring.lookup(plain),
        pepper_id: site.keyring.pepper_id(),
        sealed: is_kept.then(|| seal::seal(&site.keyring, tx.rng(), &super::reveal::place_of(key.id), plain)),
    };
    store::insert(tx, &key, &at_rest)?;
    Ok(CreatedApiKey { key, secret: text.into_secret() })
}

fn room_for_one(view: &View<'_>, workspace: WorkspaceId) -> Result<(), ApiKeyError> {
    let held = store::count_live(view, workspace)?;
    if held < KEYS_PER_WORKSPACE_MAX { Ok(()) } else { Err(ApiKeyError::TooMany { held }) }
}

/// The shorter of what the site and the workspace allow. `None`: neither says.
fn max_life(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Duration>, Error> {
    let own = store::find_policy(view, workspace)?.map(|KeyPolicy { max_life_days }| days(max_life_days.into()));
    Ok([own, view.site().config.api_keys.max_lifetime].into_iter().flatten().min())
}

fn too_long(max: Duration) -> ApiKeyError {
    ApiKeyError::TooLong { max_days: max.as_secs() / 86_400 }
}

fn check_scopes(table: &ScopeTable, wanted: &[String]) -> Result<(), ApiKeyError> {
    if wanted.is_empty() {
        return Err(ApiKeyError::NoScope);
    }
    match wanted.iter().find(|name| table.rights(name).is_none()) {
        Some(unknown) => Err(ApiKeyError::UnknownScope(unknown.clone())),
        None => Ok(()),
    }
}
