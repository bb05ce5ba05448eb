//! Browsers that a person signed in with before: news about others, and a lane of their own while strangers guess.

use super::super::model::{DEVICES_MAX, NotedDevice};
use super::super::store;
use crate::base::{AccountId, Secret, Visitor};
use crate::crypto::{Keyring, tokens};
use crate::db::{Error, Tx, View};

/// What the mark of a cookie is made for.
const MARK: &str = "device";

/// The secret in a device cookie. `None`: the cookie is not one of ours, so that nobody chooses the secret of a browser.
pub fn read_device(keyring: &Keyring, cookie: &str) -> Option<Secret<String>> {
    let (token, mark) = cookie.split_once('.')?;
    let is_ours = Secret::new(keyring.mark(MARK, token)).matches(mark.as_bytes());
    is_ours.then(|| Secret::new(token.to_owned()))
}

/// What a device is known by to one account; another account that uses the same browser knows it by something else.
fn named(account: AccountId, token: &str) -> Vec<u8> {
    format!("device:{account}:{token}").into_bytes()
}

/// Whether the person signed in with the visitor's browser before, and trusts it.
///
/// # Errors
/// [`Error`].
pub fn is_known_device(view: &View<'_>, account: AccountId, visitor: &Visitor) -> Result<bool, Error> {
    let Some(token) = &visitor.device else { return Ok(false) };
    for digest in view.site().keyring.lookups(&named(account, token.expose())) {
        if store::is_trusted_device(view, &digest)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes that the person signed in with the visitor's browser. A browser without the secret of a device gets one; one that
/// has it from another person keeps it.
///
/// # Errors
/// [`Error`].
pub fn note_device(tx: &mut Tx<'_>, account: AccountId, visitor: &Visitor) -> Result<NotedDevice, Error> {
    let is_known = is_known_device(tx, account, visitor)?;
    let is_news = !is_known && store::has_devices(tx, account)?;
    let token = visitor.device.clone().unwrap_or_else(|| tokens::random_token(tx.rng()));
    let keyring = &tx.site().keyring;
    let digest = keyring.lookup(&named(account, token.expose()));
    let cookie = Secret::new(format!("{}.{}", token.expose(), keyring.mark(MARK, token.expose())));
    store::insert_device(tx, account, &digest)?;
    store::delete_devices_beyond(tx, account, DEVICES_MAX)?;
    Ok(NotedDevice { cookie, is_news })
}

/// Stops trusting every browser of the account: one of them was somebody else's. The next sign-in with any of them is news.
///
/// # Errors
/// [`Error`].
pub fn distrust_devices(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    store::distrust_devices(tx, account)
}
