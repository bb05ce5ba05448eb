//! Pending sign-ins: the first factor was right, the second is still missing.

use super::super::model::{MFA_PENDING_LIFE, MFA_PENDING_TRIES_MAX, PendingSignIn};
use super::super::store;
use crate::accounts;
use crate::base::{AccountId, Secret};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Starts a pending sign-in and returns the cookie value, which is stored nowhere.
///
/// # Errors
/// [`Error`].
pub fn start_pending_sign_in(tx: &mut Tx<'_>, pending: &PendingSignIn) -> Result<Secret<String>, Error> {
    let token = tokens::random_token(tx.rng());
    let stamp = password_stamp(tx, pending.account)?;
    let expires_at = tx.now().plus(MFA_PENDING_LIFE);
    store::insert_pending(tx, &tokens::digest(token.expose()), pending, &stamp, expires_at)?;
    Ok(token)
}

/// The pending sign-in with this cookie value. `None`: it is unknown, has expired, or the password has changed since.
///
/// # Errors
/// [`Error`].
pub fn pending_sign_in(view: &View<'_>, token: &str) -> Result<Option<PendingSignIn>, Error> {
    let Some((pending, stamp)) = store::find_pending(view, &tokens::digest(token))? else { return Ok(None) };
    Ok((password_stamp(view, pending.account)? == stamp).then_some(pending))
}

/// Ends a pending sign-in: it became a session, or its person gave up. `false`: it had ended before.
///
/// # Errors
/// [`Error`].
pub fn end_pending_sign_in(tx: &mut Tx<'_>, token: &str) -> Result<bool, Error> {
    Ok(store::delete_pending(tx, &tokens::digest(token))? > 0)
}

/// Counts a wrong try. The fifth one ends the pending sign-in, so that a guesser has to repeat the first step. `true`:
/// it has ended.
///
/// # Errors
/// [`Error`].
pub fn count_wrong_try(tx: &mut Tx<'_>, token: &str) -> Result<bool, Error> {
    let digest = tokens::digest(token);
    let has_ended = store::count_pending_try(tx, &digest)?.is_none_or(|tries| tries >= MFA_PENDING_TRIES_MAX);
    if has_ended {
        store::delete_pending(tx, &digest)?;
    }
    Ok(has_ended)
}

/// A digest of the stored password hash. The hash has a salt, so the stamp changes whenever the password is set.
fn password_stamp(view: &View<'_>, account: AccountId) -> Result<[u8; 32], Error> {
    Ok(tokens::digest(&accounts::password_hash(view, account)?.unwrap_or_default()))
}
