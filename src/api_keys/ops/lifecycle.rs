//! Disables, enables, restores, revokes and deletes keys.

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::mails;
use super::super::model::{ApiKey, KeyEvent, KeyState, RevokeReason};
use super::super::store;
use super::super::uses;
use super::{end_key, event_about, find, mail_owner, next_state, require_owner};
use crate::audit;
use crate::base::{AccountId, ApiKeyId, CredentialAdmin, Timestamp};
use crate::db::{Error, Tx};

/// Disables a key. Disabling it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person; [`ApiKeyError::InvalidState`] unless it is active.
pub fn disable(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    if key.state == KeyState::Disabled {
        return Ok(key);
    }
    let state = next_state(&key, KeyEvent::Disable)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about(ApiKeyEvent::Disabled, &key))?;
    find(tx, admin, id)
}

/// Enables a disabled key. Enabling it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person, and when the person does not own the workspace any more;
/// [`ApiKeyError::InvalidState`] unless it is disabled.
pub fn enable(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    require_owner(tx, admin, key.account, key.workspace)?;
    if key.state == KeyState::Active {
        return Ok(key);
    }
    let state = next_state(&key, KeyEvent::Enable)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about(ApiKeyEvent::Enabled, &key))?;
    find(tx, admin, id)
}

/// Takes a key out of quarantine, back to the state before.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person, and when the person does not own the workspace any more;
/// [`ApiKeyError::InvalidState`] unless it is in quarantine.
pub fn restore(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    require_owner(tx, admin, key.account, key.workspace)?;
    let state = next_state(&key, KeyEvent::Restore)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about(ApiKeyEvent::Restored, &key))?;
    find(tx, admin, id)
}

/// Revokes a key: the next request with it is refused. Revoking it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person.
pub fn revoke(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    end_key(tx, admin, &key, RevokeReason::Requested)?;
    let url = tx.site().config.public_url.clone();
    mail_owner(tx, key.account, &mails::key_revoked(&key, &url))?;
    find(tx, admin, id)
}

/// Revokes every key of the account that was created at `since` or later, because the person who took over the account
/// may have created it. Returns the number of keys.
///
/// # Errors
/// [`Error`].
pub fn revoke_since(
    tx: &mut Tx<'_>,
    admin: &CredentialAdmin,
    account: AccountId,
    since: Timestamp,
) -> Result<usize, Error> {
    let keys = store::list_live_since(tx, account, since)?;
    let url = tx.site().config.public_url.clone();
    for key in &keys {
        end_key(tx, admin, key, RevokeReason::Requested)?;
        mail_owner(tx, account, &mails::key_revoked(key, &url))?;
    }
    Ok(keys.len())
}

/// Deletes every key of the account and the records of their use. Returns the number of keys.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    uses::store::delete_of_account(tx, account)?;
    store::delete_of_account(tx, account)
}
