//! Stop, start, end, forget.

use super::super::error::ApiKeyError;
use super::super::mails;
use super::super::model::{ApiKey, Ended, KeyEvent, KeyState};
use super::super::store;
use super::super::uses;
use super::{end, event_about, find, next, owner_only, tell};
use crate::audit;
use crate::base::{AccountId, ApiKeyId, CredentialAdmin, Timestamp};
use crate::db::{Error, Tx};

/// Stops a key until it is enabled again. Doing it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's; [`ApiKeyError::NotNow`] unless it is active.
pub fn disable(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    if key.state == KeyState::Disabled {
        return Ok(key);
    }
    let state = next(&key, KeyEvent::Disable)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about("api_key.disabled", &key))?;
    find(tx, admin, id)
}

/// Starts a key that was disabled. Doing it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's, and when the person does not own the workspace any more;
/// [`ApiKeyError::NotNow`] unless it is disabled.
pub fn enable(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    owner_only(tx, admin, key.account, key.workspace)?;
    if key.state == KeyState::Active {
        return Ok(key);
    }
    let state = next(&key, KeyEvent::Enable)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about("api_key.enabled", &key))?;
    find(tx, admin, id)
}

/// Takes a key out of quarantine, back to where it was.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's, and when the person does not own the workspace any more;
/// [`ApiKeyError::NotNow`] unless it is in quarantine.
pub fn restore(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    owner_only(tx, admin, key.account, key.workspace)?;
    let state = next(&key, KeyEvent::Restore)?;
    store::update_state(tx, id, state, None, None)?;
    audit::record(tx, admin, event_about("api_key.restored", &key))?;
    find(tx, admin, id)
}

/// Ends a key for ever, from the very next request on. Revoking it twice is the same as once.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's.
pub fn revoke(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
    let key = find(tx, admin, id)?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    end(tx, admin, &key, Ended::Asked)?;
    let url = tx.site().config.public_url.clone();
    tell(tx, key.account, &mails::key_revoked(&key, &url))?;
    find(tx, admin, id)
}

/// Ends every key of the account that was made at `since` or later: whoever took the account over made it, as far as anybody
/// knows. Answers how many.
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
        end(tx, admin, key, Ended::Asked)?;
        tell(tx, account, &mails::key_revoked(key, &url))?;
    }
    Ok(keys.len())
}

/// Deletes every key of the account and what is known of their use. Answers how many keys.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    uses::store::delete_of_account(tx, account)?;
    store::delete_of_account(tx, account)
}
