//! Finds services, what they may do and what they can register.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::error::ServiceError;
use super::super::events::ServiceEvent;
use super::super::model::{CREDENTIAL_PREFIX, Grant, ResourceType, Service, ServiceCredential, ServiceScope};
use super::super::store;
use crate::accounts;
use crate::api_keys::KeyText;
use crate::audit::{Event, Part};
use crate::base::{Actor, ServiceId, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::workspaces;

/// The service with this name or id, in whatever case they are written. Of several with this name, the connected one, or else
/// the one that was disconnected last.
///
/// # Errors
/// [`ServiceError::NotFound`].
pub fn find(view: &View<'_>, name: &str) -> Result<Service, ServiceError> {
    // Ids have no upper case letters either.
    store::find(view, &name.trim().to_ascii_lowercase())?.ok_or(ServiceError::NotFound)
}

/// As [`find`], for what only a connected service can have.
///
/// # Errors
/// [`ServiceError::NotFound`]; [`ServiceError::Disconnected`].
pub(super) fn find_connected(view: &View<'_>, name: &str) -> Result<Service, ServiceError> {
    let service = find(view, name)?;
    if service.disconnected_at.is_some() { Err(ServiceError::Disconnected) } else { Ok(service) }
}

pub(super) fn event_about(kind: ServiceEvent, service: &Service) -> Event {
    Event::new(kind).target(service.id).private(Part::Text, json!({"name": service.name}))
}

/// The service with this valid credential, and when the credential ends. `None`: no service has it. A text without the
/// form of a credential costs no statement.
///
/// # Errors
/// [`Error`].
pub fn find_by_credential(view: &View<'_>, credential: &str) -> Result<Option<(Service, Option<Timestamp>)>, Error> {
    if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
        return Ok(None);
    }
    for lookup in view.site().keyring.lookups(credential.as_bytes()) {
        if let Some(found) = store::find_by_lookup(view, &lookup)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The credentials with which the service can authenticate now.
pub(in crate::services) fn valid_credentials(
    view: &View<'_>,
    service: ServiceId,
) -> Result<Vec<ServiceCredential>, Error> {
    let (mut credentials, now) = (store::list_credentials(view, service)?, view.now());
    credentials.retain(|credential| credential.is_valid(now));
    Ok(credentials)
}

/// Whether the workspace exists and the service may touch it. If not, answer as for a workspace that does not exist.
///
/// # Errors
/// [`Error`].
pub fn may_touch(view: &View<'_>, service: ServiceId, workspace: WorkspaceId) -> Result<bool, Error> {
    Ok(store::is_granted(view, service, workspace)? && workspaces::find(view, workspace)?.is_some())
}

/// The type of resources with this name that the service can register: a built-in one, or one of its manifest. `None`: it has
/// no such type.
///
/// # Errors
/// [`Error`].
pub fn resource_type(view: &View<'_>, service: ServiceId, name: &str) -> Result<Option<ResourceType>, Error> {
    match ResourceType::built_in().find(|known| known.name == name) {
        Some(built_in) => Ok(Some(built_in)),
        None => store::find_resource_type(view, service, name),
    }
}

/// All types of resources that the service can register: the built-in ones, then those of its manifest by name.
///
/// # Errors
/// [`Error`].
pub fn resource_types(view: &View<'_>, service: ServiceId) -> Result<Vec<ResourceType>, Error> {
    let mut types: Vec<_> = ResourceType::built_in().collect();
    types.extend(store::list_resource_types(view, service)?);
    Ok(types)
}

/// Notes that these services sent a request in the last minute.
///
/// # Errors
/// [`Error`].
pub(in crate::services) fn record_seen(tx: &mut Tx<'_>, services: &BTreeSet<ServiceId>) -> Result<(), Error> {
    services.iter().try_for_each(|service| store::upsert_last_seen(tx, *service))
}

/// Fails unless the actor is the admin at the command line, or an operator in a session.
pub(super) fn require_operator(view: &View<'_>, actor: &Actor) -> Result<(), ServiceError> {
    if accounts::is_operator(view, actor)? { Ok(()) } else { Err(ServiceError::NotAllowed) }
}

/// Fails if a listed workspace does not exist.
pub(super) fn check_workspaces(view: &View<'_>, grant: &Grant) -> Result<(), ServiceError> {
    for workspace in grant.workspaces.listed().unwrap_or_default() {
        workspaces::find(view, *workspace)?.ok_or(ServiceError::Workspace)?;
    }
    Ok(())
}

/// The grant as evidence.
pub(super) fn grant_data(grant: &Grant) -> Value {
    let scopes: Vec<_> = grant.scopes.iter().map(ServiceScope::as_str).collect();
    let listed = grant.workspaces.listed();
    let workspaces = listed.map(|listed| listed.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({"scopes": scopes, "workspaces": workspaces})
}
