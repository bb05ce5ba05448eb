//! A resource by an id that is known to exist.

use super::super::error::ResourceError;
use super::super::model::Resource;
use super::super::store;
use crate::base::ResourceId;
use crate::db::View;

/// A resource that exists: its id was read before, or it was just stored.
pub(super) fn stored(view: &View<'_>, id: ResourceId) -> Result<Resource, ResourceError> {
    store::find(view, id)?.ok_or(ResourceError::NotFound)
}
