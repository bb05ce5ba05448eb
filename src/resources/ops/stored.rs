//! A resource by an id that is known to exist, or by the one that its service gave it.

use super::super::error::ResourceError;
use super::super::model::{ExternalId, Resource};
use super::super::store;
use crate::base::{ResourceId, ServiceId};
use crate::db::View;

/// A resource that exists: its id was read before, or it was just stored.
pub(super) fn stored(view: &View<'_>, id: ResourceId) -> Result<Resource, ResourceError> {
    store::find(view, id)?.ok_or(ResourceError::NotFound)
}

/// The resource to which the service gave this id. `None`: it gave it to none. Fails if that was deleted for good: then the id is
/// stored as a digest only.
pub(super) fn by_external(
    view: &View<'_>,
    service: ServiceId,
    id: &ExternalId,
) -> Result<Option<Resource>, ResourceError> {
    if let Some(found) = store::find_external(view, service, id.as_str())? {
        return Ok(Some(found));
    }
    match store::find_purged(view, service, id.as_str())? {
        Some(_) => Err(ResourceError::Deleted),
        None => Ok(None),
    }
}
