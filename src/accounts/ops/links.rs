//! One-time links that are mailed to a person.

use super::super::error::AccountError;
use super::super::model::{Account, LinkPurpose};
use super::super::store;
use crate::base::{AccountId, Secret};
use crate::crypto::tokens;
use crate::db::{self, Tx, View};

/// Creates a one-time link and returns its secret; only a digest is stored.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: Option<AccountId>,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, account, None)?;
    Ok(token)
}

/// As [`issue_link`], for a link that refers to something of the account by its id.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link_about(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: AccountId,
    about: &str,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, Some(account), Some(about))?;
    Ok(token)
}

/// The account of a one-time link, which is not used up. `None`: the link is unknown, used or expired, or has no
/// account.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_link(view: &View<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<Account>, db::Error> {
    let account = store::find_link(view, &tokens::digest(token), purpose)?.and_then(|link| link.account);
    account.map_or(Ok(None), |account| store::find(view, account))
}

/// Whether a one-time link is valid; it is not used up.
///
/// # Errors
/// [`db::Error`].
pub fn is_link_valid(view: &View<'_>, purpose: LinkPurpose, token: &str) -> Result<bool, db::Error> {
    Ok(store::find_link(view, &tokens::digest(token), purpose)?.is_some())
}

/// The account of a one-time link and the id that it refers to; the link is not used up. `None`: it is unknown, used or
/// expired.
///
/// # Errors
/// [`db::Error`].
pub fn find_link_about(
    view: &View<'_>,
    purpose: LinkPurpose,
    token: &str,
) -> Result<Option<(AccountId, Option<String>)>, db::Error> {
    let link = store::find_link(view, &tokens::digest(token), purpose)?;
    Ok(link.and_then(|link| Some((link.account?, link.about))))
}

/// Uses a one-time link up and returns its account. `None`: the link has no account.
///
/// # Errors
/// [`AccountError::LinkRefused`] for one that is unknown, used or expired. The answer does not tell which.
pub fn use_link(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<AccountId>, AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?;
    link.map(|link| link.account).ok_or(AccountError::LinkRefused)
}

/// Uses up a link of [`issue_link_about`] and returns its account and the id that it refers to.
///
/// # Errors
/// [`AccountError::LinkRefused`].
pub fn use_link_about(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<(AccountId, String), AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?.ok_or(AccountError::LinkRefused)?;
    link.account.zip(link.about).ok_or(AccountError::LinkRefused)
}
