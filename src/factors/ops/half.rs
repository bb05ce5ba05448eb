//! Sign-ins that still owe their second factor.

use super::super::model::{HALF_LIFE, HALF_TRIES_MAX, Half};
use super::super::store;
use crate::accounts;
use crate::base::{AccountId, Secret};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Begins a half-session and answers the cookie's value, which is nowhere else.
///
/// # Errors
/// [`Error`].
pub fn owe(tx: &mut Tx<'_>, half: &Half) -> Result<Secret<String>, Error> {
    let token = tokens::random_token(tx.rng());
    let stamp = password_stamp(tx, half.account)?;
    let expires_at = tx.now().plus(HALF_LIFE);
    store::insert_half(tx, &tokens::digest(token.expose()), half, &stamp, expires_at)?;
    Ok(token)
}

/// The half-session behind a cookie. `None`: unknown, over, or the password is another one since.
///
/// # Errors
/// [`Error`].
pub fn half(view: &View<'_>, token: &str) -> Result<Option<Half>, Error> {
    let Some((half, stamp)) = store::find_half(view, &tokens::digest(token))? else { return Ok(None) };
    Ok((password_stamp(view, half.account)? == stamp).then_some(half))
}

/// Ends a half-session: it became a session, or its person gave up. `false`: it was over.
///
/// # Errors
/// [`Error`].
pub fn end_half(tx: &mut Tx<'_>, token: &str) -> Result<bool, Error> {
    Ok(store::delete_half(tx, &tokens::digest(token))? > 0)
}

/// Counts a wrong try, and ends the half-session with the fifth: whoever guesses needs the first step once more.
/// `true`: it is over.
///
/// # Errors
/// [`Error`].
pub fn count_wrong_try(tx: &mut Tx<'_>, token: &str) -> Result<bool, Error> {
    let digest = tokens::digest(token);
    let is_over = store::count_half_try(tx, &digest)?.is_none_or(|tries| tries >= HALF_TRIES_MAX);
    if is_over {
        store::delete_half(tx, &digest)?;
    }
    Ok(is_over)
}

/// A digest of the stored password, which is itself a hash with a salt: it changes whenever the password does.
fn password_stamp(view: &View<'_>, account: AccountId) -> Result<[u8; 32], Error> {
    Ok(tokens::digest(&accounts::password_hash(view, account)?.unwrap_or_default()))
}
