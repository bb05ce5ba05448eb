//! Known devices, the browsers that a person signed in with before. They have a bucket of their own while others guess,
//! and the person is told about every other browser.

use super::super::model::{DEVICES_MAX, SignInDevice};
use super::super::store;
use crate::base::{AccountId, Secret, Visitor};
use crate::crypto::{Keyring, tokens};
use crate::db::{Error, Tx, View};

/// The purpose of the MAC in a device cookie.
const COOKIE_PURPOSE: &str = "device";

/// The secret in a device cookie. `None`: the cookie is not one of ours, so an attacker cannot choose the secret of a
/// browser.
pub fn read_device(keyring: &Keyring, cookie: &str) -> Option<Secret<String>> {
    let (token, mac) = cookie.split_once('.')?;
    let is_ours = Secret::new(keyring.mac(COOKIE_PURPOSE, token)).matches(mac.as_bytes());
    is_ours.then(|| Secret::new(token.to_owned()))
}

/// The input of a device's digest. It differs by account, so two accounts with the same browser cannot be linked by it.
fn lookup_input(account: AccountId, token: &str) -> Vec<u8> {
    format!("device:{account}:{token}").into_bytes()
}

/// Whether the person signed in with the visitor's browser before, and it is still trusted.
///
/// # Errors
/// [`Error`].
pub fn is_known_device(view: &View<'_>, account: AccountId, visitor: &Visitor) -> Result<bool, Error> {
    let Some(token) = &visitor.device else { return Ok(false) };
    for digest in view.site().keyring.lookups(&lookup_input(account, token.expose())) {
        if store::is_trusted_device(view, &digest)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Stores that the person signed in with the visitor's browser. A browser without a device secret gets one; a browser
/// that has one, also from another person, keeps it.
///
/// # Errors
/// [`Error`].
pub fn note_device(tx: &mut Tx<'_>, account: AccountId, visitor: &Visitor) -> Result<SignInDevice, Error> {
    let is_known = is_known_device(tx, account, visitor)?;
    let is_new = !is_known && store::has_devices(tx, account)?;
    let token = visitor.device.clone().unwrap_or_else(|| tokens::random_token(tx.rng()));
    let keyring = &tx.site().keyring;
    let digest = keyring.lookup(&lookup_input(account, token.expose()));
    let cookie = Secret::new(format!("{}.{}", token.expose(), keyring.mac(COOKIE_PURPOSE, token.expose())));
    store::insert_device(tx, account, &digest)?;
    store::delete_devices_beyond(tx, account, DEVICES_MAX)?;
    Ok(SignInDevice { cookie, is_new })
}
