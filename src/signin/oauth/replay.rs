//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event and send no mail, because both happened the first time. Each answers whether it changed something, and
//! doing it twice is the same as once.

use super::store;
use crate::base::{AccountId, IdentityId, Timestamp};
use crate::db::{Error, Tx};

/// Disconnects an identity.
///
/// # Errors
/// [`Error`].
pub fn disconnect(tx: &mut Tx<'_>, account: AccountId, id: IdentityId) -> Result<bool, Error> {
    Ok(store::delete(tx, account, id)? > 0)
}

/// Disconnects the identities that were connected at `since` or later.
///
/// # Errors
/// [`Error`].
pub fn disconnect_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<bool, Error> {
    Ok(store::delete_since(tx, account, since)? > 0)
}
