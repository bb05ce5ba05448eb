//! Creates and rotates keys.

use std::time::Duration;

use serde_json::json;

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::mails;
use super::super::model::{
    ApiKey, CreatedApiKey, Expiry, ExpiryOffer, KEYS_PER_WORKSPACE_MAX, KeyEvent, KeyPolicy, KeyState, NewApiKey,
    OVERLAP_MAX, RotationPreview, SuccessorLife,
};
use super::super::store::{self, StoredText};
use super::super::text::KeyText;
use super::{event_about, mail_owner, next_state, require_owner};
use crate::audit;
use crate::base::{AccountId, ApiKeyId, CredentialAdmin, ScopeTable, Timestamp, WorkspaceId, days};
use crate::config::Reveal;
use crate::crypto::seal;
use crate::db::{Error, Tx, View};

/// Creates a key for `account` in `workspace`. The result has its text, which is stored only if the site lets owners
/// see it again.
///
/// # Errors
/// [`ApiKeyError::NotFound`] when the account does not own the workspace; [`ApiKeyError::NoScope`],
/// [`ApiKeyError::UnknownScope`], [`ApiKeyError::LifetimeTooLong`]; [`ApiKeyError::TooMany`] at 1,000 live keys.
pub fn create(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    workspace: WorkspaceId,
    new: &NewApiKey,
) -> Result<CreatedApiKey, ApiKeyError> {
    require_owner(tx, admin, account, workspace)?;
    let site = tx.site().clone();
    check_scopes(&site.config.scopes, &new.scopes)?;
    check_key_limit(tx, workspace)?;
    let now = tx.now();
    if let Some(max) = max_life(tx, workspace)?.filter(|max| !new.expiry.is_within(Some(*max))) {
        return Err(ApiKeyError::LifetimeTooLong { max_days: max.as_secs() / 86_400 });
    }
    let expires_at = match new.expiry {
        Expiry::After(life) => Some(now.plus(life)),
        Expiry::Never => None,
    };
    let id = ApiKeyId::new(now, tx.rng());
    let key = ApiKey {
        id,
        workspace,
        account,
        name: new.name.as_str().to_owned(),
        note: new.note.as_str().to_owned(),
        display: String::new(),
        scopes: new.scopes.join(" "),
        state: KeyState::Active,
        state_at: now,
        state_before: None,
        revoke_reason: None,
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
    let created = issue(tx, key)?;

    let end = created.key.expires_at.map(Timestamp::rfc3339);
    let event =
        event_about(ApiKeyEvent::Created, &created.key).data(json!({"scopes": created.key.scopes, "expires_at": end}));
    audit::record(tx, admin, event)?;
    mail_owner(tx, account, &mails::key_created(&created.key, &site.config.public_url))?;
    Ok(created)
}

/// Creates a successor of the key `id`, with the same note, scopes, limits and lifetime. The old key stays good for
/// `overlap`, but never longer than without the rotation. Both keys share one budget.
///
/// # Errors
/// [`ApiKeyError::NotFound`]; [`ApiKeyError::Overlap`] for more than a week; [`ApiKeyError::InvalidState`] when the key
/// is not active.
pub fn rotate(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    id: ApiKeyId,
    overlap: Duration,
) -> Result<CreatedApiKey, ApiKeyError> {
    let old = super::find(tx, admin, id)?;
    require_owner(tx, admin, old.account, old.workspace)?;
    if overlap > OVERLAP_MAX {
        return Err(ApiKeyError::Overlap);
    }
    let state = next_state(&old, KeyEvent::Rotate)?;
    let now = tx.now();
    let retire_at = now.plus(overlap).min(old.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX)));
    let SuccessorLife { life, .. } = SuccessorLife::new(&old, max_life(tx, old.workspace)?);
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
    let created = CreatedApiKey { predecessor_ends_at: Some(retire_at), ..issue(tx, new)? };

    let data = json!({"successor": created.key.id.to_string(), "retire_at": retire_at.rfc3339()});
    audit::record(tx, admin, event_about(ApiKeyEvent::Rotated, &old).data(data).detail(retire_at.millis()))?;
    mail_owner(tx, old.account, &mails::key_rotated(&created.key, &old, retire_at, &site))?;
    Ok(created)
}

/// What [`rotate`] would give, for the page that asks for the overlap.
///
/// # Errors
/// Those of [`rotate`], except for the overlap.
pub fn rotation_preview(
    view: &View<'_>,
    admin: &CredentialAdmin,
    id: ApiKeyId,
) -> Result<RotationPreview, ApiKeyError> {
    let key = super::find(view, admin, id)?;
    require_owner(view, admin, key.account, key.workspace)?;
    next_state(&key, KeyEvent::Rotate)?;
    let max_life = max_life(view, key.workspace)?;
    Ok(RotationPreview::new(key, max_life, view.now()))
}

/// The expirations that [`create`] allows in this workspace.
///
/// # Errors
/// [`Error`].
pub fn expiry_offer(view: &View<'_>, workspace: WorkspaceId) -> Result<ExpiryOffer, Error> {
    Ok(ExpiryOffer::new(max_life(view, workspace)?, view.now()))
}

/// Generates a text for the key, and stores both.
fn issue(tx: &mut Tx<'_>, key: ApiKey) -> Result<CreatedApiKey, Error> {
    let site = tx.site().clone();
    let text = KeyText::generate(&site.config.api_keys.prefix, tx.rng());
    let is_kept = site.config.api_keys.reveal == Reveal::Owner;
    let key = ApiKey { display: text.display(), is_kept, ..key };
    let plain = text.expose().as_bytes();
    let at_rest = StoredText {
        lookup: site.keyring.lookup(plain),
        pepper_id: site.keyring.pepper_id(),
        sealed: is_kept.then(|| seal::seal(&site.keyring, tx.rng(), &super::reveal::seal_context(key.id), plain)),
    };
    store::insert(tx, &key, &at_rest)?;
    Ok(CreatedApiKey { key, secret: text.into_secret(), predecessor_ends_at: None })
}

fn check_key_limit(view: &View<'_>, workspace: WorkspaceId) -> Result<(), ApiKeyError> {
    let held = store::count_live(view, workspace)?;
    if held < KEYS_PER_WORKSPACE_MAX { Ok(()) } else { Err(ApiKeyError::TooMany { held }) }
}

/// The shorter of the maximum lifetimes of site and workspace. `None`: neither has one.
fn max_life(view: &View<'_>, workspace: WorkspaceId) -> Result<Option<Duration>, Error> {
    let own = store::find_policy(view, workspace)?.map(|KeyPolicy { max_life_days }| days(max_life_days.into()));
    Ok([own, view.site().config.api_keys.max_lifetime].into_iter().flatten().min())
}

pub(super) fn check_scopes(table: &ScopeTable, chosen: &[String]) -> Result<(), ApiKeyError> {
    if chosen.is_empty() {
        return Err(ApiKeyError::NoScope);
    }
    match chosen.iter().find(|name| table.rights(name).is_none()) {
        Some(unknown) => Err(ApiKeyError::UnknownScope(unknown.clone())),
        None => Ok(()),
    }
}
