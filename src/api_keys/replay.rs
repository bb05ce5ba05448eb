//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event and send no mail, because both happened the first time. Each answers whether it changed something, and
//! doing it twice is the same as once.

use super::model::{ApiKey, KeyEvent, KeyState, RevokeReason};
use super::{ops, store};
use crate::base::{ApiKeyId, Timestamp};
use crate::db::{Error, Tx};

/// Revokes a key. `detail` is that of the event: the reason.
///
/// # Errors
/// [`Error`].
pub fn revoke(tx: &mut Tx<'_>, id: ApiKeyId, detail: &str) -> Result<bool, Error> {
    let Some(key) = live(tx, id)? else { return Ok(false) };
    let reason = RevokeReason::parse(detail).unwrap_or(RevokeReason::Requested);
    ops::end_without_event(tx, &key, reason)?;
    Ok(true)
}

/// Disables, enables, quarantines or restores a key, if its state allows it.
///
/// # Errors
/// [`Error`].
pub fn change_state(tx: &mut Tx<'_>, id: ApiKeyId, event: KeyEvent) -> Result<bool, Error> {
    let Some(key) = live(tx, id)? else { return Ok(false) };
    let Some(state) = key.state.after(event, key.state_before) else { return Ok(false) };
    let before = (state == KeyState::Quarantined).then_some(key.state);
    store::update_state(tx, id, state, before, None)?;
    Ok(true)
}

/// Ends the key at the time that its rotation gave it. The backup does not have its successor. `detail` is that of the
/// event: the time in milliseconds. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn rotate(tx: &mut Tx<'_>, id: ApiKeyId, detail: &str) -> Result<Option<bool>, Error> {
    let Ok(retire_at) = detail.parse().map(Timestamp::from_millis) else { return Ok(None) };
    let Some(key) = live(tx, id)? else { return Ok(Some(false)) };
    let Some(state) = key.state.after(KeyEvent::Rotate, key.state_before) else { return Ok(Some(false)) };
    store::update_state(tx, id, state, None, Some(retire_at))?;
    Ok(Some(true))
}

/// Takes scopes away from a key. `detail` is that of the event: the scopes that it keeps.
///
/// # Errors
/// [`Error`].
pub fn reduce_scopes(tx: &mut Tx<'_>, id: ApiKeyId, detail: &str) -> Result<bool, Error> {
    let Some(key) = live(tx, id)? else { return Ok(false) };
    let site = tx.site().clone();
    let rights = |scopes: &str| site.config.scopes.rights_of(scopes);
    // The names are compared, because a scope that the settings lack at the moment has no right that could be compared.
    if detail.is_empty() || key.scopes == detail || !rights(&key.scopes).contains(rights(detail)) {
        return Ok(false);
    }
    store::update_scopes(tx, id, detail)?;
    Ok(true)
}

/// Blocks a key whose networks were narrowed: the journal does not contain networks, because they can be personal data.
/// Its owner sets them again and enables the key. A key that cannot be disabled, because it ends soon, is revoked.
///
/// # Errors
/// [`Error`].
pub fn narrow(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<bool, Error> {
    let Some(key) = live(tx, id)? else { return Ok(false) };
    match key.state {
        KeyState::Active => store::update_state(tx, id, KeyState::Disabled, None, None)?,
        KeyState::Quarantined => {
            store::update_state(tx, id, KeyState::Quarantined, Some(KeyState::Disabled), None)?;
        }
        KeyState::Retiring => ops::end_without_event(tx, &key, RevokeReason::Requested)?,
        KeyState::Disabled | KeyState::Expired | KeyState::Revoked => return Ok(false),
    }
    Ok(true)
}

/// The key, if it was not revoked.
fn live(tx: &Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    Ok(store::find(tx, id)?.filter(|key| key.revoked_at.is_none()))
}
