//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event and send no mail, because both happened the first time. Each answers whether it changed something, and
//! doing it twice is the same as once.

use super::store;
use crate::base::{AccountId, PasskeyId, Timestamp};
use crate::db::{Error, Tx};

/// Removes the authenticator app; with the last factor, the recovery codes go too.
///
/// # Errors
/// [`Error`].
pub fn remove_totp(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    let is_changed = store::delete_totp(tx, account)? > 0;
    end_codes_without_factor(tx, account)?;
    Ok(is_changed)
}

/// Removes a passkey; with the last factor, the recovery codes go too.
///
/// # Errors
/// [`Error`].
pub fn remove_passkey(tx: &mut Tx<'_>, account: AccountId, passkey: PasskeyId) -> Result<bool, Error> {
    let is_changed = store::delete_passkey(tx, account, passkey)? > 0;
    end_codes_without_factor(tx, account)?;
    Ok(is_changed)
}

/// Deletes all recovery codes, because later ones took their place.
///
/// # Errors
/// [`Error`].
pub fn end_codes(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    Ok(store::delete_codes(tx, account)? > 0)
}

/// Uses a recovery code up. `detail` is that of the event: its look-up digest. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn use_code(tx: &mut Tx<'_>, account: AccountId, detail: &str) -> Result<Option<bool>, Error> {
    let mut lookup = [0; 32];
    if hex::decode_to_slice(detail, &mut lookup).is_err() {
        return Ok(None);
    }
    Ok(Some(store::update_code_used(tx, account, &lookup)? > 0))
}

/// Removes all factors.
///
/// # Errors
/// [`Error`].
pub fn remove_all(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    let had = store::find_enrolled(tx, account)?.is_any();
    store::delete_all(tx, account)?;
    Ok(had)
}

/// Stops a pending removal of all factors.
///
/// # Errors
/// [`Error`].
pub fn cancel_reset(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    Ok(store::delete_reset(tx, account)? > 0)
}

/// Removes what was added at `since` or later, and stops a removal that was requested since then.
///
/// # Errors
/// [`Error`].
pub fn remove_since(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<bool, Error> {
    let (totp, codes) = store::delete_since(tx, account, since)?;
    let passkeys = store::list_passkeys_since(tx, account, since)?;
    for passkey in &passkeys {
        store::delete_passkey(tx, account, *passkey)?;
    }
    if store::find_reset(tx, account)?.is_some_and(|reset| reset.asked_at >= since) {
        store::delete_reset(tx, account)?;
    }
    end_codes_without_factor(tx, account)?;
    Ok(totp + codes + passkeys.len() > 0)
}

fn end_codes_without_factor(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if !store::find_enrolled(tx, account)?.is_any() {
        store::delete_codes(tx, account)?;
    }
    Ok(())
}
