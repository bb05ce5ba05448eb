//! Creates services, gives them credentials and ends these.

use std::time::Duration;

use serde_json::json;

use super::super::error::ServiceError;
use super::super::events::ServiceEvent;
use super::super::model::{CREDENTIAL_PREFIX, Grant, IssuedCredential, Service, ServiceCredential, ServiceName};
use super::super::store;
use super::queries::{
    check_workspaces, event_about, find, find_connected, grant_data, require_operator, valid_credentials,
};
use crate::api_keys::{KeyText, OVERLAP_MAX};
use crate::audit;
use crate::base::{Actor, Secret, ServiceCredentialId, ServiceId, Timestamp};
use crate::db::{Error, Tx};

/// Creates a service that may do what the grant says. Returns its credential, which is not stored.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::NameTaken`]. [`ServiceError::Workspace`].
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &ServiceName,
    grant: Grant,
) -> Result<(Service, Secret<String>), ServiceError> {
    let service = register(tx, actor, name, grant)?;
    let secret = issue(tx, service.id)?;
    Ok((service, secret))
}

/// Creates a service without a credential.
pub(super) fn register(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &ServiceName,
    grant: Grant,
) -> Result<Service, ServiceError> {
    require_operator(tx, actor)?;
    check_workspaces(tx, &grant)?;
    let now = tx.now();
    let (id, name) = (ServiceId::new(now, tx.rng()), name.as_str().to_owned());
    let service = Service { id, name, grant, created_at: now, disconnected_at: None };
    if !store::insert(tx, &service)? {
        return Err(ServiceError::NameTaken);
    }
    let event = event_about(ServiceEvent::Registered, &service).data(grant_data(&service.grant));
    audit::record(tx, actor, event)?;
    Ok(service)
}

/// Gives a service a new credential. The old ones stay valid for `overlap`, but never longer than without the rotation.
/// Also for a service without a valid credential.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::NotFound`]; [`ServiceError::Disconnected`];
/// [`ServiceError::Overlap`] for more than a week.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor, name: &str, overlap: Duration) -> Result<IssuedCredential, ServiceError> {
    require_operator(tx, actor)?;
    let service = find_connected(tx, name)?;
    if overlap > OVERLAP_MAX {
        return Err(ServiceError::Overlap);
    }
    let ends_at = tx.now().plus(overlap);
    let old = valid_credentials(tx, service.id)?;
    for credential in &old {
        end(tx, credential, ends_at)?;
    }
    let secret = issue(tx, service.id)?;
    let event = event_about(ServiceEvent::CredentialRotated, &service)
        .data(json!({"replaced": old.len(), "old_ends_at": ends_at.rfc3339()}))
        .detail(ends_at.millis());
    audit::record(tx, actor, event)?;
    let predecessor_ends_at = (!old.is_empty() && !overlap.is_zero()).then_some(ends_at);
    Ok(IssuedCredential { service, secret, predecessor_ends_at })
}

/// Revokes all credentials of a service, or one of them. They are refused from the next request on; the service stays,
/// and a rotation gives it a new credential. Returns how many were revoked.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::NotFound`]; [`ServiceError::NoCredential`] when
/// none of them is valid.
pub fn revoke(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &str,
    only: Option<ServiceCredentialId>,
) -> Result<(Service, usize), ServiceError> {
    require_operator(tx, actor)?;
    let service = find(tx, name)?;
    let mut valid = valid_credentials(tx, service.id)?;
    valid.retain(|credential| only.is_none_or(|id| credential.id == id));
    if valid.is_empty() {
        return Err(ServiceError::NoCredential);
    }
    for credential in &valid {
        store::update_revoked(tx, credential.id)?;
    }
    let revoked: Vec<_> = valid.iter().map(|credential| credential.id.to_string()).collect();
    let event = event_about(ServiceEvent::CredentialRevoked, &service).data(json!({"credentials": revoked}));
    let event = match only {
        Some(id) => event.detail(id),
        None => event,
    };
    audit::record(tx, actor, event)?;
    Ok((service, valid.len()))
}

/// Stores a new credential. Returns its text.
pub(super) fn issue(tx: &mut Tx<'_>, service: ServiceId) -> Result<Secret<String>, Error> {
    let now = tx.now();
    let text = KeyText::generate(CREDENTIAL_PREFIX, tx.rng());
    let credential = ServiceCredential {
        id: ServiceCredentialId::new(now, tx.rng()),
        service,
        display: text.display(),
        created_at: now,
        ends_at: None,
        revoked_at: None,
    };
    let keyring = &tx.site().clone().keyring;
    store::insert_credential(tx, &credential, &keyring.lookup(text.expose().as_bytes()), keyring.pepper_id())?;
    Ok(text.into_secret())
}

/// Ends a credential at this time, or at its own end if that is earlier. One that ends now is revoked, so that it stays
/// ended when the clock is set back.
pub(in crate::services) fn end(
    tx: &mut Tx<'_>,
    credential: &ServiceCredential,
    ends_at: Timestamp,
) -> Result<(), Error> {
    if ends_at <= tx.now() {
        return store::update_revoked(tx, credential.id);
    }
    match credential.ends_at {
        Some(own) if own <= ends_at => Ok(()),
        _ => store::update_end(tx, credential.id, ends_at),
    }
}
