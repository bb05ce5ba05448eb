//! Leases: places and bytes that are reserved before something is created.

use std::time::Duration;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{
    Change, CountKey, LEASE_KEPT, LEASE_MAX, LEASE_QUANTITY_MAX, Lease, LeaseState, NewLease, NewResource, Resource,
};
use super::super::store;
use super::limits::{require_place, reservable, workspace_of};
use super::register::{event_about, register};
use super::service_side::service_of;
use super::stored::by_external;
use crate::audit;
use crate::base::{Actor, LeaseId};
use crate::db::{Error, Tx};

/// Leases that one call of [`expire_leases`] ends or deletes.
const EXPIRE_BATCH_MAX: u32 = 1000;

/// Reserves places and bytes. Of many that ask at once, as many get a lease as have a place.
///
/// # Errors
/// [`ResourceError::LimitReached`], [`ResourceError::UploadTooLarge`]; [`ResourceError::Bad`] for a number out of its range;
/// [`ResourceError::NotAService`], [`ResourceError::NoWorkspace`], [`ResourceError::UnknownType`], [`ResourceError::Db`].
// No event: a lease changes nothing that people have; what is created with it has one.
pub fn grant_lease(tx: &mut Tx<'_>, actor: &Actor, new: &NewLease) -> Result<Lease, ResourceError> {
    let service = service_of(actor)?;
    let workspace = workspace_of(tx, service, new.workspace)?;
    let thing = reservable(tx, service, &new.kind)?;
    if !(1..=LEASE_QUANTITY_MAX).contains(&new.quantity) {
        return Err(ResourceError::bad_quantity());
    }
    require_duration(new.lasts)?;
    store::expire_of_workspace(tx, workspace.id)?;
    require_place(tx, &workspace, &thing, new.quantity, new.size_bytes)?;
    let now = tx.now();
    let lease = Lease {
        id: LeaseId::new(now, tx.rng()),
        service,
        workspace: workspace.id,
        kind: new.kind.clone(),
        quantity: new.quantity,
        size_bytes: new.size_bytes,
        created_at: now,
        expires_at: now.plus(new.lasts),
        state: LeaseState::Open,
    };
    let key = thing.count_key().unwrap_or_else(|| CountKey::Type(new.kind.clone()));
    store::insert_lease(tx, &lease, &key.as_text(), &thing)?;
    Ok(lease)
}

fn require_duration(lasts: Duration) -> Result<(), ResourceError> {
    if lasts.is_zero() || lasts > LEASE_MAX {
        let rule = "a whole number of seconds from 1 to 86400";
        return Err(ResourceError::Bad { member: "seconds", code: "bad_seconds", rule });
    }
    Ok(())
}

/// The lease of the service that acts, if it is open at this time.
fn open_lease(tx: &mut Tx<'_>, actor: &Actor, id: LeaseId) -> Result<Lease, ResourceError> {
    let service = service_of(actor)?;
    let lease = store::find_lease(tx, service, id)?.ok_or(ResourceError::NoLease)?;
    let is_open = lease.state == LeaseState::Open && tx.now() < lease.expires_at;
    if is_open { Ok(lease) } else { Err(ResourceError::LeaseEnded) }
}

/// Lets a lease last so long from now on: also the sign of life of a training.
///
/// # Errors
/// [`ResourceError::NoLease`], [`ResourceError::LeaseEnded`], [`ResourceError::Bad`], [`ResourceError::NotAService`],
/// [`ResourceError::NoWorkspace`] if the service may not touch its workspace any more; [`ResourceError::Db`].
// No event: as for `grant_lease`.
pub fn renew(tx: &mut Tx<'_>, actor: &Actor, id: LeaseId, lasts: Duration) -> Result<Lease, ResourceError> {
    require_duration(lasts)?;
    let lease = open_lease(tx, actor, id)?;
    workspace_of(tx, lease.service, lease.workspace)?;
    let expires_at = tx.now().plus(lasts);
    store::update_expires(tx, id, expires_at)?;
    Ok(Lease { expires_at, ..lease })
}

/// Gives a lease back. Of one that has ended, too, so that it can be repeated.
///
/// # Errors
/// [`ResourceError::NoLease`], [`ResourceError::NotAService`], [`ResourceError::Db`].
// No event: as for `grant_lease`.
pub fn release(tx: &mut Tx<'_>, actor: &Actor, id: LeaseId) -> Result<(), ResourceError> {
    let service = service_of(actor)?;
    store::find_lease(tx, service, id)?.ok_or(ResourceError::NoLease)?;
    Ok(store::update_lease_ended(tx, id, LeaseState::Released)?)
}

/// Creates what a lease reserved, and ends it: at most as many resources, all in its workspace and of its type. Places that are
/// left are free again. If one of them is refused, none is created and the lease stays. A repeated commit with the same
/// resources answers the same.
///
/// # Errors
/// [`ResourceError::NoLease`], [`ResourceError::LeaseEnded`], [`ResourceError::OtherLease`], and those of
/// [`put`](super::put).
pub fn commit(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: LeaseId,
    resources: &[NewResource],
) -> Result<Vec<Resource>, ResourceError> {
    let service = service_of(actor)?;
    let lease = store::find_lease(tx, service, id)?.ok_or(ResourceError::NoLease)?;
    let is_repeated = lease.state == LeaseState::Committed;
    if !is_repeated {
        open_lease(tx, actor, id)?;
    }
    let fits = |new: &NewResource| new.workspace == lease.workspace && new.kind == lease.kind;
    if !resources.iter().all(fits) || i64::try_from(resources.len()).is_ok_and(|count| count > lease.quantity) {
        return Err(ResourceError::OtherLease);
    }
    store::update_lease_ended(tx, id, LeaseState::Committed)?;
    let (mut bytes, mut created) = (lease.size_bytes, Vec::with_capacity(resources.len()));
    for new in resources {
        let leased = (!is_repeated).then_some(bytes);
        if is_repeated && by_external(tx, service, &new.external_id)?.is_none() {
            return Err(ResourceError::LeaseEnded);
        }
        let (resource, change) = register(tx, service, new, None, leased)?;
        bytes = (bytes - new.size_bytes).max(0);
        if change == Change::Created {
            audit::record(tx, actor, event_about(tx, ResourceEvent::Registered, &resource)?)?;
        }
        created.push(resource);
    }
    Ok(created)
}

/// Ends leases whose time is over, and deletes those that ended a month ago. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn expire_leases(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(LEASE_KEPT);
    Ok(store::expire(tx, EXPIRE_BATCH_MAX)? + store::delete_old_leases(tx, before, EXPIRE_BATCH_MAX)?)
}
