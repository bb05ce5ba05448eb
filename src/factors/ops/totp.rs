//! Authenticator apps.

use serde_json::json;

use super::super::error::FactorError;
use super::super::model::{NewCodes, SET_UP_LIFE, SetUp};
use super::super::totp::{Seed, accepted_step};
use super::super::{mails, store};
use super::recovery::first_codes;
use super::whole::{changed, is_required};
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::crypto::seal;
use crate::db::{Tx, View};

fn place(account: AccountId) -> String {
    format!("totp|sealed_secret|{account}")
}

pub(super) fn unsealed(view: &View<'_>, account: AccountId, sealed: &[u8]) -> Result<Seed, FactorError> {
    let bytes = seal::open(&view.site().keyring, &place(account), sealed).map_err(|_| FactorError::Damaged)?;
    Seed::from_bytes(bytes.expose()).ok_or(FactorError::Damaged)
}

/// Begins to set up an app: a new secret, in place of one that was not confirmed. An app in use stays in use until then.
///
/// # Errors
/// [`FactorError::NotFound`] when the account is not the actor's.
pub fn set_up(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), FactorError> {
    if !actor.can_manage(account) {
        return Err(FactorError::NotFound);
    }
    let seed = Seed::generate(tx.rng());
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &place(account), seed.expose());
    let expires_at = tx.now().plus(SET_UP_LIFE);
    Ok(store::insert_set_up(tx, account, &sealed, expires_at)?)
}

/// The secret that is being set up. `None`: none is, or it took longer than half an hour.
///
/// # Errors
/// [`FactorError::Damaged`], [`FactorError::Db`].
pub fn set_up_under_way(view: &View<'_>, account: AccountId) -> Result<Option<SetUp>, FactorError> {
    let sealed = store::find_set_up(view, account)?;
    sealed.map(|sealed| Ok(SetUp { seed: unsealed(view, account, &sealed)? })).transpose()
}

/// Takes the first code of the app: from now on it is asked for. Answers recovery codes for somebody who had none. The code's
/// step counts as used.
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
    let event = Event::new("auth.totp_enabled").target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"replaced": is_replaced})))?;
    let codes = first_codes(tx, actor, account)?;
    changed(tx, actor, account, mails::totp_enabled)?;
    Ok(codes)
}

/// Takes the app away; with the last factor go the recovery codes.
///
/// # Errors
/// [`FactorError::NotFound`]; [`FactorError::Required`] where it is the last factor of somebody who must have one.
pub fn remove_totp(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), FactorError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(FactorError::NotFound)?;
    let had = store::find_enrolled(tx, account)?;
    if !had.has_totp {
        return Err(FactorError::NotFound);
    }
    if had.count() == 1 && is_required(tx, &person) {
        return Err(FactorError::Required);
    }
    store::delete_totp(tx, account)?;
    if had.count() == 1 {
        store::delete_codes(tx, account)?;
    }
    audit::record(tx, actor, Event::new("auth.totp_disabled").target(account).subject(account))?;
    Ok(changed(tx, actor, account, mails::totp_disabled)?)
}
