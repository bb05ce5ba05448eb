//! The erasure of what a workspace has.

use super::super::error::ResourceError;
use super::super::store;
use super::purge;
use crate::base::WorkspaceId;
use crate::db::{Error, Tx};

/// Empties the names of all resources of a workspace that is erased, asks the services to delete them for good, and deletes its
/// counts and leases. The id that a service gave to something stays until the service has confirmed; what stays for ever are our
/// opaque ids and digests, so that what was deleted does not come back.
///
/// # Errors
/// [`Error`].
// No event: the erasure has one.
pub fn forget(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    store::delete_leases(tx, workspace)?;
    store::update_erased(tx, workspace)?;
    store::delete_counts(tx, workspace)?;
    purge::forget_ids(tx, workspace)?;
    purge::send_first(tx).map_err(|error| match error {
        ResourceError::Db(error) => error,
        other => Error::Damaged(other.to_string()),
    })
}
