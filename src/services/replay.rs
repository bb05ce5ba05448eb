//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::model::Grant;
use super::ops::{end, end_without_event, valid_credentials};
use super::store;
use crate::base::{ServiceCredentialId, Timestamp};
use crate::db::{Error, Tx};

/// Ends the credentials of the service at the time that a rotation gave them. The backup does not have their successor.
/// `detail` is that of the event: the time in milliseconds. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn rotate(tx: &mut Tx<'_>, service: &str, detail: &str) -> Result<Option<bool>, Error> {
    let Ok(ends_at) = detail.parse().map(Timestamp::from_millis) else { return Ok(None) };
    let Some(service) = store::find(tx, service)? else { return Ok(Some(false)) };
    let valid = valid_credentials(tx, service.id)?;
    for credential in &valid {
        end(tx, credential, ends_at)?;
    }
    Ok(Some(!valid.is_empty()))
}

/// Revokes the credentials of the service, or the one that `detail` names.
///
/// # Errors
/// [`Error`].
pub fn revoke(tx: &mut Tx<'_>, service: &str, detail: &str) -> Result<bool, Error> {
    let Some(service) = store::find(tx, service)? else { return Ok(false) };
    let one = ServiceCredentialId::parse(detail);
    let mut valid = valid_credentials(tx, service.id)?;
    valid.retain(|credential| one.is_none_or(|id| credential.id == id));
    for credential in &valid {
        store::update_revoked(tx, credential.id)?;
    }
    Ok(!valid.is_empty())
}

/// Takes scopes and workspaces away from the service. `detail` is that of the event: what it may still do. `None`: it cannot be
/// read.
///
/// # Errors
/// [`Error`].
pub fn narrow(tx: &mut Tx<'_>, service: &str, detail: &str) -> Result<Option<bool>, Error> {
    let Some(kept) = Grant::parse(detail) else { return Ok(None) };
    let Some(service) = store::find(tx, service)? else { return Ok(Some(false)) };
    let grant = service.grant.intersection(&kept);
    if grant == service.grant {
        return Ok(Some(false));
    }
    store::update_grant(tx, service.id, &grant)?;
    Ok(Some(true))
}

/// Disconnects the service.
///
/// # Errors
/// [`Error`].
pub fn disconnect(tx: &mut Tx<'_>, service: &str) -> Result<bool, Error> {
    let Some(service) = store::find(tx, service)?.filter(|service| service.disconnected_at.is_none()) else {
        return Ok(false);
    };
    end_without_event(tx, &service)?;
    Ok(true)
}
