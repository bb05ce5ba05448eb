//! Sign-up with an account at another provider.

use super::super::super::SigninError;
use super::super::super::model::{Proof, SignInOutcome, SignUpGate};
use super::super::super::ops::{clear_name, open_wallet, sign_in, void_other_claims, welcome};
use super::super::error::OauthError;
use super::super::model::{ExternalIdentity, ExternalSignUp};
use super::super::store;
use super::connect::{link, pending_identity};
use crate::accounts::{self, AccountError, DisplayName, NewAccount, Username};
use crate::base::{Actor, EmailAddress};
use crate::crypto::tokens;
use crate::db::Tx;
use crate::workspaces;

/// Creates an account for the external identity that waits in this browser. An authoritative address counts as
/// verified. For any other address a code is mailed first, and nothing reveals whether the address already had an
/// account. Returns how the sign-in continues, and the path to continue at.
///
/// # Errors
/// [`OauthError::NoPendingIdentity`], [`OauthError::Taken`]; [`OauthError::EmailHasAccount`] for an authoritative
/// address that an account here verified; [`OauthError::Signin`] for invalid input, and when sign-up is closed.
// No permission: sign-up is open to visitors whom the provider has identified, as far as the settings say so.
pub fn sign_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    state_cookie: &str,
    typed: &ExternalSignUp,
) -> Result<(SignInOutcome, String), OauthError> {
    let (external, next) = pending_identity(tx, state_cookie)?.ok_or(OauthError::NoPendingIdentity)?;
    if store::find(tx, &external.issuer, &external.subject)?.is_some() {
        return Err(OauthError::Taken);
    }
    let username = Username::parse(&typed.username).map_err(AccountError::Username)?;
    let (email, is_verified) = address(&external, typed)?;
    if !SignUpGate::new(&tx.site().config).admits(&email) {
        return Err(SigninError::Closed.into());
    }
    if is_verified && accounts::is_email_taken(tx, &email)? {
        return Err(OauthError::EmailHasAccount);
    }
    let new = NewAccount { username, email: email.clone(), is_verified, password: None, is_operator: false };
    clear_name(tx, actor, &new.username, None)?;
    let account = accounts::create(tx, actor, &new)?;
    workspaces::create_personal(tx, actor, &account)?;
    if let Some(name) = DisplayName::parse(&external.name) {
        accounts::set_display_name(tx, account.id, &name)?;
    }
    link(tx, actor, account.id, &external)?;
    if is_verified {
        void_other_claims(tx, actor, account.id, &email)?;
        open_wallet(tx, &account)?;
        welcome(tx, &account)?;
    }
    store::delete_external(tx, &tokens::digest(state_cookie))?;
    Ok((sign_in(tx, actor, &account, &Proof::provider(&external.provider), false)?, next))
}

/// The address of the new account, and whether it counts as verified.
fn address(external: &ExternalIdentity, typed: &ExternalSignUp) -> Result<(EmailAddress, bool), OauthError> {
    match &external.email {
        Some(email) if external.is_authoritative => Ok((email.clone(), true)),
        _ => Ok((EmailAddress::parse(&typed.email).map_err(|_| AccountError::EmailAddress)?, false)),
    }
}
