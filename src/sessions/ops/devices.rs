//! Known devices, the browsers that a person signed in with before. They have a bucket of their own while others guess,
//! and the person is told about every other browser.

use super::super::model::{DEVICES_MAX, SignInDevice, of_browser};
use super::super::store;
use super::counters::forget;
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
    Ok(find_device(view, account, visitor)?.is_some())
}

/// Whether the person completed a sign-in with the visitor's browser before, with every factor, and it is still trusted.
///
/// # Errors
/// [`Error`].
pub(super) fn is_proved_device(view: &View<'_>, account: AccountId, visitor: &Visitor) -> Result<bool, Error> {
    Ok(find_device(view, account, visitor)? == Some(true))
}

/// The visitor's browser, if it is trusted: whether a sign-in was completed with it.
fn find_device(view: &View<'_>, account: AccountId, visitor: &Visitor) -> Result<Option<bool>, Error> {
    let Some(token) = &visitor.device else { return Ok(None) };
    for digest in view.site().keyring.lookups(&lookup_input(account, token.expose())) {
        if let Some(has_signed_in) = store::find_trusted_device(view, &digest)? {
            return Ok(Some(has_signed_in));
        }
    }
    Ok(None)
}

/// Stores that the person signed in with the visitor's browser, with every factor. A browser without a device secret gets one; a browser
/// that has one, also from another person, keeps it.
///
/// # Errors
/// [`Error`].
pub fn note_device(tx: &mut Tx<'_>, account: AccountId, visitor: &Visitor) -> Result<SignInDevice, Error> {
    store_device(tx, account, visitor, true)
}

/// As [`note_device`], for a browser that a mailed link makes known. It gets all tries at the password, and no new ones at
/// second factors.
///
/// # Errors
/// [`Error`].
pub fn note_device_by_link(tx: &mut Tx<'_>, account: AccountId, visitor: &Visitor) -> Result<SignInDevice, Error> {
    store_device(tx, account, visitor, false)
}

fn store_device(
    tx: &mut Tx<'_>,
    account: AccountId,
    visitor: &Visitor,
    has_signed_in: bool,
) -> Result<SignInDevice, Error> {
    let is_known = is_known_device(tx, account, visitor)?;
    let is_new = !is_known && store::has_devices(tx, account)?;
    let token = visitor.device.clone().unwrap_or_else(|| tokens::random_token(tx.rng()));
    let keyring = &tx.site().keyring;
    let digest = keyring.lookup(&lookup_input(account, token.expose()));
    let cookie = Secret::new(format!("{}.{}", token.expose(), keyring.mac(COOKIE_PURPOSE, token.expose())));
    store::insert_device(tx, account, &digest, has_signed_in)?;
    if !has_signed_in {
        forget(tx, &of_browser(account, token.expose()))?;
    }
    store::delete_devices_beyond(tx, account, DEVICES_MAX)?;
    Ok(SignInDevice { cookie, is_new })
}
