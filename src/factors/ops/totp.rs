//! Authenticator apps.

use serde_json::json;

use super::super::error::FactorError;
use super::super::events::FactorEvent;
use super::super::model::{NewCodes, SET_UP_LIFE, TotpSetup};
use super::super::totp::{Seed, accepted_step};
use super::super::{mails, store};
use super::enrolment::{after_change, is_required};
use super::recovery::first_codes;
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::crypto::seal;
use crate::db::{Tx, View};

fn seal_context(account: AccountId) -> String {
    format!("totp|sealed_secret|{account}")
}

pub(super) fn unsealed(view: &View<'_>, account: AccountId, sealed: &[u8]) -> Result<Seed, FactorError> {
    let bytes = seal::open(&view.site().keyring, &seal_context(account), sealed).map_err(|_| FactorError::Damaged)?;
    Seed::from_bytes(bytes.expose()).ok_or(FactorError::Damaged)
}

/// Starts to set up an app with a new secret, which replaces an unconfirmed one. An app in use stays in use until the
/// new one is confirmed.
///
/// # Errors
/// [`FactorError::NotFound`] when the account is not the actor's.
// No event: nothing has changed until the app is confirmed.
pub fn start_totp_setup(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), FactorError> {
    if !actor.can_manage(account) {
        return Err(FactorError::NotFound);
    }
    let seed = Seed::generate(tx.rng());
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &seal_context(account), seed.expose());
    let expires_at = tx.now().plus(SET_UP_LIFE);
    Ok(store::insert_set_up(tx, account, &sealed, expires_at)?)
}

/// The secret that is being set up. `None`: there is none, or the set-up expired after half an hour.
///
/// # Errors
/// [`FactorError::Damaged`], [`FactorError::Db`].
pub fn totp_setup(view: &View<'_>, account: AccountId) -> Result<Option<TotpSetup>, FactorError> {
    let sealed = store::find_set_up(view, account)?;
    sealed.map(|sealed| Ok(TotpSetup { seed: unsealed(view, account, &sealed)? })).transpose()
}

/// Confirms the app with its first code: from now on, sign-ins need a second step. The step of the code counts as used.
/// Returns recovery codes when the person had none.
///
/// # Errors
/// [`FactorError::CodeRefused`], [`FactorError::NoSetUp`], [`FactorError::NotFound`].
pub fn confirm_totp(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    typed: &str,
) -> Result<Option<NewCodes>, FactorError> {
    if !actor.can_manage(account) {
        return Err(FactorError::NotFound);
    }
    let sealed = store::find_set_up(tx, account)?.ok_or(FactorError::NoSetUp)?;
    let seed = unsealed(tx, account, &sealed)?;
    let step = accepted_step(&seed, typed, tx.now(), None).ok_or(FactorError::CodeRefused)?;
    let is_replaced = store::find_totp(tx, account)?.is_some();
    store::insert_totp(tx, account, &sealed, step)?;
    store::delete_set_up(tx, account)?;
    let mut event = Event::new(FactorEvent::TotpEnabled).target(account).subject(account);
    if is_replaced {
        // The codes of the old app are no longer accepted.
        event = event.ends_access();
    }
    audit::record(tx, actor, event.data(json!({"replaced": is_replaced})))?;
    let codes = first_codes(tx, actor, account)?;
    after_change(tx, actor, account, mails::totp_enabled)?;
    Ok(codes)
}

/// Removes the app; with the last factor, the recovery codes go too.
///
/// # Errors
/// [`FactorError::NotFound`]; [`FactorError::Required`] when it is the last factor of a person who must have one.
pub fn remove_totp(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), FactorError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(FactorError::NotFound)?;
    let had = store::find_enrolled(tx, account)?;
    if !had.has_totp {
        return Err(FactorError::NotFound);
    }
    if had.is_last() && is_required(tx, &person) {
        return Err(FactorError::Required);
    }
    store::delete_totp(tx, account)?;
    if had.is_last() {
        store::delete_codes(tx, account)?;
    }
    audit::record(tx, actor, Event::new(FactorEvent::TotpDisabled).target(account).subject(account))?;
    Ok(after_change(tx, actor, account, mails::totp_disabled)?)
}
