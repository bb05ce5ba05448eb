//! What resources need to know of the services that keep them, and what is sent to these.

use std::time::Duration;

use serde_json::json;

use super::super::model::{Resource, ResourceType};
use crate::base::{Actor, CommandId, ResourceId, ServiceId, WorkspaceId, days};
use crate::db::{Error, Tx, View};
use crate::inbox::{self, Command, CommandKind, NewCommand};
use crate::services::{self, ServiceError};

use super::super::error::ResourceError;

/// What a service is asked to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Delete it for good, and say so.
    Purge,
    /// A person moved it to the trash.
    Trash,
    /// A person restored it.
    Restore,
}

/// The service that acts.
pub(super) fn service_of(actor: &Actor) -> Result<ServiceId, ResourceError> {
    let Actor::Service { service, .. } = actor else { return Err(ResourceError::NotAService) };
    Ok(*service)
}

/// The type with this name. `None`: the service has none.
pub(super) fn resource_type(view: &View<'_>, service: ServiceId, name: &str) -> Result<Option<ResourceType>, Error> {
    services::resource_type(view, service, name)
}

/// Whether the service may use this workspace.
pub(super) fn may_touch(view: &View<'_>, service: ServiceId, workspace: WorkspaceId) -> Result<bool, Error> {
    services::may_touch(view, service, workspace)
}

/// How long a service may take to delete something before operators are told.
const PURGE_WITHIN: Duration = days(7);
/// How long a service may take to notice what a person did with the trash.
const NOTICE_WITHIN: Duration = days(1);

/// Sends an order to the service of a resource. Returns the id of the command. `None`: the service is disconnected.
pub(super) fn send(tx: &mut Tx<'_>, order: Order, resource: &Resource) -> Result<Option<CommandId>, Error> {
    if !is_connected(tx, resource.service)? {
        return Ok(None);
    }
    let (kind, within) = match order {
        Order::Purge => (CommandKind::ResourcePurge, PURGE_WITHIN),
        Order::Trash => (CommandKind::ResourceTrash, NOTICE_WITHIN),
        Order::Restore => (CommandKind::ResourceRestore, NOTICE_WITHIN),
    };
    let deadline = Some(tx.now().plus(within));
    // Only ids: the command may outlive the person.
    let data = json!({"resource": resource.external_id, "type": resource.kind, ID: resource.id.to_string()});
    let new = NewCommand { kind, workspace: Some(resource.workspace), subject: None, data, deadline };
    inbox::send(tx, resource.service, &new).map(Some)
}

/// The member of a command with our id of the resource. The member `resource` is the id that the service gave it.
const ID: &str = "resource_id";

/// The resource of a command of [`send`].
pub(super) fn resource_of(command: &Command) -> Option<ResourceId> {
    ResourceId::parse(command.data.get(ID)?.as_str()?)
}

/// The name of a service, also of one that was disconnected.
pub(super) fn name_of(view: &View<'_>, service: ServiceId) -> Result<String, Error> {
    match services::find(view, &service.to_string()) {
        Ok(found) => Ok(found.name),
        Err(ServiceError::Db(error)) => Err(error),
        Err(other) => Err(Error::Damaged(other.to_string())),
    }
}

/// Whether the service can be asked for something.
pub(super) fn is_connected(view: &View<'_>, service: ServiceId) -> Result<bool, Error> {
    match services::find(view, &service.to_string()) {
        Ok(found) => Ok(found.disconnected_at.is_none()),
        Err(ServiceError::NotFound) => Ok(false),
        Err(ServiceError::Db(error)) => Err(error),
        Err(other) => Err(Error::Damaged(other.to_string())),
    }
}

/// Fails unless there is such a service, and it is disconnected.
pub(super) fn require_disconnected(view: &View<'_>, service: ServiceId) -> Result<(), ResourceError> {
    match services::find(view, &service.to_string()) {
        Ok(found) if found.disconnected_at.is_some() => Ok(()),
        Ok(_) | Err(ServiceError::NotFound) => Err(ResourceError::NotFound),
        Err(ServiceError::Db(error)) => Err(error.into()),
        Err(other) => Err(Error::Damaged(other.to_string()).into()),
    }
}
