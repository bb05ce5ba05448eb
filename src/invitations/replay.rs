//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made.

use super::store;
use crate::base::InvitationId;
use crate::db::{Error, Tx};

/// Deletes an invitation that was withdrawn or accepted. Answers whether it was there. Doing it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn end(tx: &mut Tx<'_>, invitation: InvitationId) -> Result<bool, Error> {
    Ok(store::delete(tx, invitation)? > 0)
}
