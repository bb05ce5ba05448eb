//! Earlier failed attempts, which no longer count after a complete sign-in or step-up.

use crate::accounts::{self, Account};
use crate::base::Actor;
use crate::db::{self, Tx, View};
use crate::sessions::LoginThrottle;

/// Clears the failed attempts of this browser, because its person signed in or confirmed who they are.
pub(super) fn clear_failures(tx: &mut Tx<'_>, actor: &Actor, person: &Account) -> Result<(), db::Error> {
    let names = sign_in_names(tx, person)?;
    LoginThrottle::clear(tx, actor, person.id, names.iter().map(String::as_str))
}

/// The names that the person can sign in with: verified addresses and the username.
pub(super) fn sign_in_names(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let proved = accounts::emails(view, person.id)?.into_iter().filter(|email| email.verified_at.is_some());
    Ok(proved.map(|email| email.address.as_str().to_owned()).chain([person.username.clone()]).collect())
}
