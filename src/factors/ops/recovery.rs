//! Recovery codes.
//!
//! A code has 75 random bits: enough against guessing at the door, too few for a plain hash that somebody with a copy of the
//! database could search (NIST SP 800-63B-4 asks for 112 then, or for a password hash). What is stored is neither: it is an
//! HMAC-SHA-256 under the pepper, 256 random bits in the keyring, which is never in the database. A copy alone cannot even
//! test a guess; with a copy and the keyring, a person's ten codes still stand behind 2^75 tries. Argon2id would cost
//! everybody who mistypes ten hashes, for nothing that the key does not give.

use serde_json::json;

use super::super::error::FactorError;
use super::super::model::{CODES, NewCodes, RecoveryCode};
use super::super::{mails, store};
use super::whole::changed;
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::db::{Error, Tx};
use crate::mail;

/// What a look-up is made of: bound to its person, so that a row moved to another account opens nothing.
fn message(account: AccountId, code: &RecoveryCode) -> Vec<u8> {
    format!("recovery-code:{account}:{}", code.letters()).into_bytes()
}

/// Ten new codes in place of all others. They are shown once.
///
/// # Errors
/// [`FactorError::NotFound`] when the account is not the actor's, or has no factor that a code could stand in for.
pub fn generate_codes(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<NewCodes, FactorError> {
    if !actor.can_manage(account) || !store::find_enrolled(tx, account)?.is_any() {
        return Err(FactorError::NotFound);
    }
    let codes = make(tx, actor, account)?;
    changed(tx, actor, account, mails::codes_generated)?;
    Ok(codes)
}

/// Codes for somebody whose first factor this is. `None`: there are some already.
pub(super) fn first_codes(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Option<NewCodes>, Error> {
    if store::find_enrolled(tx, account)?.codes_left > 0 {
        return Ok(None);
    }
    make(tx, actor, account).map(Some)
}

fn make(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<NewCodes, Error> {
    store::delete_codes(tx, account)?;
    let codes: Vec<_> = (0..CODES).map(|_| RecoveryCode::generate(tx.rng())).collect();
    for code in &codes {
        let lookup = tx.site().keyring.lookup(&message(account, code));
        store::insert_code(tx, account, &lookup)?;
    }
    let event = Event::new("auth.recovery_codes_generated").target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"codes": CODES})))?;
    Ok(NewCodes(codes))
}

/// Uses a code up and tells the person. `false`: it is not good.
pub(super) fn use_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, code: &RecoveryCode) -> Result<bool, Error> {
    let site = tx.site().clone();
    let mut used = 0;
    for lookup in site.keyring.lookups(&message(account, code)) {
        used += store::update_code_used(tx, account, &lookup)?;
    }
    if used == 0 {
        return Ok(false);
    }
    let left = store::find_enrolled(tx, account)?.codes_left;
    let event = Event::new("auth.recovery_code_used").target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"left": left})))?;
    if let (Some(person), Some(address)) = (accounts::find(tx, account)?, accounts::primary_email(tx, account)?) {
        let message = mails::recovery_code_used(&person, left, &site.config.public_url);
        mail::enqueue(tx, Some(account), address, &message)?;
    }
    Ok(true)
}
