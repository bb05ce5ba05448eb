//! Make, list, revoke, forget.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::ApiKeyError;
use super::mails;
use super::model::{ApiKey, CreatedApiKey, Expiry, KEYS_PER_WORKSPACE_MAX, KeyState, NewApiKey};
use super::store;
use super::text::KeyText;
use crate::accounts;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, ApiKeyId, Role, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::{mail, workspaces};

/// Rows of a list; a workspace has at most as many live keys.
const LIST_MAX: u32 = 1000;

/// Makes a key for `account` in `workspace`. Its text is in the answer and nowhere else: it cannot be shown again.
///
/// # Errors
/// [`ApiKeyError::NotForKeys`] when a key asks; [`ApiKeyError::NotFound`] when the account does not own the workspace;
/// [`ApiKeyError::NoScope`], [`ApiKeyError::UnknownScope`], [`ApiKeyError::TooLong`]; [`ApiKeyError::TooMany`] at
/// 1,000 live keys.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    workspace: WorkspaceId,
    new: &NewApiKey,
) -> Result<CreatedApiKey, ApiKeyError> {
    owner_only(tx, actor, account, workspace)?;
    let site = tx.site().clone();
    check_scopes(&site.config.scopes, &new.scopes)?;
    let held = store::count_live(tx, workspace)?;
    if held >= KEYS_PER_WORKSPACE_MAX {
        return Err(ApiKeyError::TooMany { held });
    }

    let now = tx.now();
    let expires_at = match (new.expiry, site.config.api_keys.max_lifetime) {
        (Expiry::After(life), Some(max)) if life > max => return Err(too_long(max)),
        (Expiry::Never, Some(max)) => return Err(too_long(max)),
        (Expiry::After(life), _) => Some(now.plus(life)),
        (Expiry::Never, None) => None,
    };
    let text = KeyText::generate(&site.config.api_keys.prefix, tx.rng());
    let key = ApiKey {
        id: ApiKeyId::new(now, tx.rng()),
        workspace,
        account,
        name: new.name.as_str().to_owned(),
        display: text.display(),
        scopes: new.scopes.join(" "),
        state: KeyState::Active,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
        uses: 0,
    };
    store::insert(tx, &key, &site.keyring.lookup(text.expose().as_bytes()), site.keyring.pepper_id())?;

    let event = Event::of("api_key.created")
        .workspace(workspace)
        .target(key.id)
        .subject(account)
        .data(json!({"scopes": key.scopes, "expires_at": key.expires_at.map(|end| end.rfc3339())}))
        .private(Part::Text, json!({"name": key.name}));
    audit::record(tx, actor, event)?;
    if let Some(address) = accounts::primary_email(tx, account)? {
        mail::enqueue(tx, Some(account), address, &mails::key_created(&key, &site.config.public_url))?;
    }
    Ok(CreatedApiKey { key, secret: text.into_secret() })
}

fn too_long(max: std::time::Duration) -> ApiKeyError {
    ApiKeyError::TooLong { max_days: max.as_secs() / 86_400 }
}

fn check_scopes(table: &crate::base::ScopeTable, wanted: &[String]) -> Result<(), ApiKeyError> {
    if wanted.is_empty() {
        return Err(ApiKeyError::NoScope);
    }
    match wanted.iter().find(|name| table.rights(name).is_none()) {
        Some(unknown) => Err(ApiKeyError::UnknownScope(unknown.clone())),
        None => Ok(()),
    }
}

/// Only the owner of a workspace, in person, or the operator; to everybody else the workspace does not exist.
fn owner_only(view: &View<'_>, actor: &Actor, account: AccountId, workspace: WorkspaceId) -> Result<(), ApiKeyError> {
    if matches!(actor, Actor::KeyHolder { .. } | Actor::Service { .. }) {
        return Err(ApiKeyError::NotForKeys);
    }
    let owns = workspaces::role_of(view, workspace, account)? == Some(Role::Owner);
    if owns && actor.may_govern(account) { Ok(()) } else { Err(ApiKeyError::NotFound) }
}

/// The keys of a workspace, the newest first: all live ones, then of those that have ended as many as a list holds.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    store::list(view, workspace, LIST_MAX)
}

/// As [`list`], without those that have ended.
///
/// # Errors
/// [`Error`].
pub fn live(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<ApiKey>, Error> {
    Ok(list(view, workspace)?.into_iter().filter(|key| key.state == KeyState::Active).collect())
}

/// How many live keys the workspace has.
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
    store::find(view, id)?.filter(|key| actor.may_govern(key.account)).ok_or(ApiKeyError::NotFound)
}

/// Ends a key for ever, from the very next request on. Revoking it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotForKeys`] when a key asks; [`ApiKeyError::NotFound`] for somebody else's.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    if matches!(actor, Actor::KeyHolder { .. } | Actor::Service { .. }) {
        return Err(ApiKeyError::NotForKeys);
    }
    let key = find(tx, actor, id)?;
    end(tx, actor, &key)?;
    find(tx, actor, id)
}

/// Ends every live key of the account that was made at `since` or later: whoever took the account over made it, as far as
/// anybody knows. Answers how many.
///
/// # Errors
/// [`ApiKeyError::Db`].
pub fn revoke_since(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    since: Timestamp,
) -> Result<usize, ApiKeyError> {
    let keys = store::list_live_since(tx, account, since)?;
    keys.iter().try_for_each(|key| end(tx, actor, key))?;
    Ok(keys.len())
}

fn end(tx: &mut Tx<'_>, actor: &Actor, key: &ApiKey) -> Result<(), ApiKeyError> {
    let id = key.id;
    // The row stays for the audit; its digest becomes one that no text can have.
    let dead_lookup: [u8; 32] = Sha256::digest(format!("revoked:{id}")).into();
    if store::update_revoked(tx, id, &dead_lookup)? == 0 {
        return Ok(());
    }
    let event = Event::of("api_key.revoked")
        .workspace(key.workspace)
        .target(key.id)
        .subject(key.account)
        .private(Part::Text, json!({"name": key.name}));
    audit::record(tx, actor, event)?;
    let url = tx.site().config.public_url.clone();
    if let Some(address) = accounts::primary_email(tx, key.account)? {
        mail::enqueue(tx, Some(key.account), address, &mails::key_revoked(key, &url))?;
    }
    Ok(())
}

/// Deletes every key of the account and what is known of their use. Answers how many keys.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    store::delete_of_account(tx, account)
}
