//! Deleting for good: services are asked, and what they confirm is free.

use std::time::Duration;

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{Part, Resource, State};
use super::super::store;
use super::service_side::{self, Order};
use super::stored::stored;
use crate::audit::{self, Event};
use crate::base::{Actor, WorkspaceId, days};
use crate::db::{Error, Tx};
use crate::inbox::{AckHandler, AckOutcome, Acknowledgement, Command, CommandKind};

/// Commands that an operation sends itself; the job sends the others within a minute.
const SENT_AT_ONCE: u32 = 100;
/// When a service is asked again that could not delete something.
const RETRY_AFTER: Duration = days(1);
/// Resources that one call of [`purge_due`] or [`send_purges`] takes.
const BATCH_MAX: u32 = 200;

/// Marks what was in the trash for 30 days, a part at a time, to be deleted for good. Returns how many; the caller repeats it
/// until that is 0.
///
/// # Errors
/// [`ResourceError::Db`].
pub fn purge_due(tx: &mut Tx<'_>) -> Result<usize, ResourceError> {
    let mut part = Part::default();
    for id in store::list_due(tx, BATCH_MAX)? {
        let resource = stored(tx, id)?;
        // It may have gone with what is above it.
        if resource.purge_after.is_none() {
            continue;
        }
        part.add(id, store::update_purging(tx, id)?);
        let event = Event::new(ResourceEvent::Expired).workspace(resource.workspace).target(id);
        audit::record(tx, &Actor::System, event.data(json!({"type": resource.kind})))?;
        if part.is_full() {
            break;
        }
    }
    Ok(part.moved)
}

/// Sends the first commands of an operation that deletes.
pub(super) fn send_first(tx: &mut Tx<'_>) -> Result<(), ResourceError> {
    send_some(tx, SENT_AT_ONCE)?;
    Ok(())
}

/// Asks services to delete what is marked and was not asked for yet, a part at a time. Returns how many; the caller repeats it
/// until that is 0.
///
/// # Errors
/// [`ResourceError::Db`].
pub fn send_purges(tx: &mut Tx<'_>) -> Result<usize, ResourceError> {
    send_some(tx, BATCH_MAX)
}

fn send_some(tx: &mut Tx<'_>, limit: u32) -> Result<usize, ResourceError> {
    let resources = store::list_to_purge(tx, limit)?;
    for resource in &resources {
        match service_side::send(tx, Order::Purge, resource)? {
            Some(command) => store::update_ordered(tx, resource.id, &command.to_string())?,
            None => free_without_service(tx, resource)?,
        }
    }
    Ok(resources.len())
}

/// Frees what a service keeps that cannot be asked any more.
fn free_without_service(tx: &mut Tx<'_>, resource: &Resource) -> Result<(), Error> {
    let event = Event::new(ResourceEvent::FreedWithoutService).target(resource.id).detail(free(tx, resource)?);
    audit::record(tx, &Actor::System, event.data(json!({"service": resource.service.to_string()})))
}

/// Frees what services were asked to delete that were disconnected before they answered, a part at a time. Returns how many; the
/// caller repeats it until that is 0.
///
/// # Errors
/// [`Error`].
pub fn free_unanswerable(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let mut freed = 0;
    for service in store::list_purging_services(tx)? {
        if !service_side::is_connected(tx, service)? {
            let resources = store::list_purging(tx, service, BATCH_MAX)?;
            resources.iter().try_for_each(|resource| free_without_service(tx, resource))?;
            freed += resources.len();
        }
    }
    Ok(freed)
}

/// What `resource.purge` does when its service answers. If the service deleted the resource, its bytes and its place are free. If
/// it could not, the resource is in the trash again for a day, and then it is asked again. Twice is the same as once.
pub const PURGE_ACKNOWLEDGED: AckHandler =
    AckHandler { kind: CommandKind::ResourcePurge, handle: |tx, command, ack| confirm_purge(tx, command, ack) };

fn confirm_purge(tx: &mut Tx<'_>, command: &Command, ack: &Acknowledgement) -> Result<(), Error> {
    let Some(id) = service_side::resource_of(command) else { return Ok(()) };
    let own = |found: &Resource| found.service == command.service && found.state == State::Purging;
    let Some(resource) = store::find(tx, id)?.filter(own) else { return Ok(()) };
    let event = match ack.outcome {
        AckOutcome::Done => Event::new(ResourceEvent::Deleted).detail(free(tx, &resource)?),
        // Its kind allows no other outcome.
        AckOutcome::InProgress | AckOutcome::Retained => return Ok(()),
        AckOutcome::Failed | AckOutcome::Rejected => {
            let purge_after = tx.now().plus(RETRY_AFTER);
            store::update_back_in_trash(tx, id, purge_after)?;
            Event::new(ResourceEvent::DeletionFailed)
        }
    };
    let data = json!({"type": resource.kind, "service": resource.service.to_string()});
    audit::record(tx, &Actor::System, event.target(id).data(data))
}

/// Frees the bytes and the place of a resource. What its service called it stays as a digest only, so that it never comes back.
/// Returns what the journal needs for that: the service and the digest.
pub(super) fn free(tx: &mut Tx<'_>, resource: &Resource) -> Result<String, Error> {
    let digest = store::digest_of(tx, resource.service, &resource.external_id);
    store::insert_purged(tx, resource.service, &digest, resource.id)?;
    store::update_purged(tx, resource.id)?;
    Ok(format!("{} {}", resource.service, hex::encode(digest)))
}

/// Forgets what services called the things that an earlier version deleted for good, a part at a time: only a digest stays. Returns how
/// many; the caller repeats it until that is 0.
///
/// # Errors
/// [`Error`].
// No permission, no event: the system does it, and the deletion has an event.
pub fn forget_names_of_deleted(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let named = store::list_all_named_purged(tx, BATCH_MAX)?;
    named.iter().try_for_each(|resource| free(tx, resource).map(drop))?;
    Ok(named.len())
}

/// Frees what of an erased workspace no service can be asked for any more, and forgets what services called the things that they
/// deleted before.
pub(super) fn forget_ids(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    loop {
        let named = store::list_named_purged(tx, workspace, BATCH_MAX)?;
        if named.is_empty() {
            break;
        }
        named.iter().try_for_each(|resource| free(tx, resource).map(drop))?;
    }
    for service in store::list_purging_services_of(tx, workspace)? {
        while !service_side::is_connected(tx, service)? {
            let resources = store::list_purging_of(tx, service, workspace, BATCH_MAX)?;
            if resources.is_empty() {
                break;
            }
            resources.iter().try_for_each(|resource| free_without_service(tx, resource))?;
        }
    }
    Ok(())
}
