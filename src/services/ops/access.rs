//! What a service may do, and the end of it.

use serde_json::json;

use super::super::error::ServiceError;
use super::super::events::ServiceEvent;
use super::super::model::{Service, ServiceScopes, WorkspaceGrant};
use super::super::store;
use super::queries::{check_workspaces, event_about, find_connected, grant_data, require_operator, valid_credentials};
use crate::audit;
use crate::base::Actor;
use crate::db::{Error, Tx};
use crate::inbox;

/// Changes what a service may do. It is in force at its next request. `None`: as it is. Returns the service, and whether
/// anything changed.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::NotFound`]; [`ServiceError::Disconnected`];
/// [`ServiceError::Workspace`].
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &str,
    scopes: Option<ServiceScopes>,
    workspaces: Option<WorkspaceGrant>,
) -> Result<(Service, bool), ServiceError> {
    require_operator(tx, actor)?;
    let mut service = find_connected(tx, name)?;
    let grant = service.grant.clone().with(scopes, workspaces);
    if grant == service.grant {
        return Ok((service, false));
    }
    check_workspaces(tx, &grant)?;
    store::update_grant(tx, service.id, &grant)?;
    let event = event_about(ServiceEvent::Changed, &service).data(grant_data(&grant));
    // What it may still do, so that a restored backup takes the rest away again.
    let event = if grant.includes(&service.grant) { event } else { event.ends_access().detail(grant.to_text()) };
    audit::record(tx, actor, event)?;
    service.grant = grant;
    Ok((service, true))
}

/// Disconnects a service for good: its credentials and its code are refused from the next request on. What it reported stays,
/// and its name is free again.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::NotFound`]; [`ServiceError::Disconnected`].
pub fn disconnect(tx: &mut Tx<'_>, actor: &Actor, name: &str) -> Result<Service, ServiceError> {
    require_operator(tx, actor)?;
    let mut service = find_connected(tx, name)?;
    let revoked = end_without_event(tx, &service)?;
    service.disconnected_at = Some(tx.now());
    let event = event_about(ServiceEvent::Disconnected, &service).data(json!({"credentials": revoked}));
    audit::record(tx, actor, event)?;
    Ok(service)
}

/// Disconnects a service. Returns the credentials that were valid.
pub(in crate::services) fn end_without_event(tx: &mut Tx<'_>, service: &Service) -> Result<Vec<String>, Error> {
    let valid = valid_credentials(tx, service.id)?;
    for credential in &valid {
        store::update_revoked(tx, credential.id)?;
    }
    store::delete_enrolments(tx, service.id)?;
    // It can acknowledge nothing any more.
    inbox::cancel_open(tx, service.id)?;
    store::update_disconnected(tx, service.id)?;
    Ok(valid.iter().map(|credential| credential.id.to_string()).collect())
}
