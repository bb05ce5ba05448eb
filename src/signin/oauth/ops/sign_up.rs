//! Somebody who came back from a provider becomes somebody here.

use super::super::super::model::{Proof, Started};
use super::super::super::ops::{enter, open_wallet, void_other_claims};
use super::super::super::{SigninError, mails};
use super::super::error::OauthError;
use super::super::model::{Found, Typed};
use super::super::store;
use super::connect::{link, waiting};
use crate::accounts::{self, AccountError, DisplayName, NewAccount, Username};
use crate::base::{Actor, EmailAddress};
use crate::config::SignupMode;
use crate::crypto::tokens;
use crate::db::Tx;
use crate::{mail, workspaces};

/// Makes an account for who waits in this browser. Its address counts as proved where the provider's word is as good as a
/// code; else a code goes out first, and nothing tells whether the address was new here. Answers how it goes on, and where.
///
/// # Errors
/// [`OauthError::NothingWaits`], [`OauthError::Taken`]; [`OauthError::HasAccount`] for a proved address that somebody here
/// verified; [`OauthError::Signin`] for what was typed wrong, and when sign-up is closed.
pub fn sign_up(tx: &mut Tx<'_>, actor: &Actor, binder: &str, typed: &Typed) -> Result<(Started, String), OauthError> {
    let (found, next) = waiting(tx, binder)?.ok_or(OauthError::NothingWaits)?;
    if store::find(tx, &found.issuer, &found.subject)?.is_some() {
        return Err(OauthError::Taken);
    }
    let username = Username::parse(&typed.username).map_err(AccountError::Username)?;
    let (email, is_verified) = address(&found, typed)?;
    let signup = &tx.site().config.signup;
    let is_open = match signup.mode {
        SignupMode::Open => true,
        SignupMode::Domains => signup.domains.contains(&email.domain()),
        SignupMode::Invite | SignupMode::Closed => false,
    };
    if !is_open {
        return Err(SigninError::Closed.into());
    }
    if is_verified && accounts::is_email_taken(tx, &email)? {
        return Err(OauthError::HasAccount);
    }
    let new = NewAccount { username, email: email.clone(), is_verified, password: None, is_operator: false };
    let account = accounts::create(tx, actor, &new)?;
    workspaces::create_personal(tx, actor, &account)?;
    if let Some(name) = DisplayName::parse(&found.name) {
        accounts::set_display_name(tx, account.id, &name)?;
    }
    link(tx, actor, account.id, &found)?;
    if is_verified {
        void_other_claims(tx, actor, account.id, &email)?;
        open_wallet(tx, &account)?;
        let site = tx.site().config.public_url.clone();
        mail::enqueue(tx, Some(account.id), email, &mails::welcome(&account, &site))?;
    }
    store::delete_found(tx, &tokens::digest(binder))?;
    Ok((enter(tx, actor, &account, &Proof::provider(&found.provider), false)?, next))
}

/// Where they can be written to, and whether that is proved.
fn address(found: &Found, typed: &Typed) -> Result<(EmailAddress, bool), OauthError> {
    match &found.email {
        Some(email) if found.is_authoritative => Ok((email.clone(), true)),
        _ => Ok((EmailAddress::parse(&typed.email).map_err(|_| AccountError::EmailAddress)?, false)),
    }
}
