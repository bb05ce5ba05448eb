//! Recovery codes.
//!
//! A code has 75 random bits: enough against online guesses, too few for a plain hash, which an attacker with a copy of
//! the database could search (NIST SP 800-63B-4 then requires 112 bits or a password hash). We store neither, but an
//! HMAC-SHA-256 under the pepper, 256 random bits in the keyring, which is never in the database. With a copy of the
//! database alone, an attacker cannot even test a guess; with the keyring too, a code still takes 2^75 tries. Argon2id
//! would cost ten hashes for each mistyped code and add nothing to the protection by the key.

use serde_json::json;

use super::super::error::FactorError;
use super::super::events::FactorEvent;
use super::super::model::{CODES, NewCodes, RecoveryCode};
use super::super::{mails, store};
use super::enrolment::after_change;
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::db::{Error, Tx};
use crate::mail;

/// The input of the look-up digest. It contains the account, so a row that is moved to another account is useless.
fn lookup_input(account: AccountId, code: &RecoveryCode) -> Vec<u8> {
    format!("recovery-code:{account}:{}", code.letters()).into_bytes()
}

/// Creates ten new codes and deletes all others. The new ones can be shown only now.
///
/// # Errors
/// [`FactorError::NotFound`] when the account is not the actor's, or has no factor that a code could replace.
pub fn generate_codes(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<NewCodes, FactorError> {
    if !actor.can_manage(account) || !store::find_enrolled(tx, account)?.is_any() {
        return Err(FactorError::NotFound);
    }
    let codes = create(tx, actor, account)?;
    after_change(tx, actor, account, mails::codes_generated)?;
    Ok(codes)
}

/// Creates codes for a person who adds the first factor. `None`: there are unused codes already.
pub(super) fn first_codes(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Option<NewCodes>, Error> {
    if store::find_enrolled(tx, account)?.codes_left > 0 {
        return Ok(None);
    }
    create(tx, actor, account).map(Some)
}

fn create(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<NewCodes, Error> {
    store::delete_codes(tx, account)?;
    let codes: Vec<_> = (0..CODES).map(|_| RecoveryCode::generate(tx.rng())).collect();
    for code in &codes {
        let lookup = tx.site().keyring.lookup(&lookup_input(account, code));
        store::insert_code(tx, account, &lookup)?;
    }
    let event = Event::new(FactorEvent::RecoveryCodesGenerated).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"codes": CODES})))?;
    Ok(NewCodes(codes))
}

/// Uses a code up and tells the person. `false`: the code is wrong, or was used before.
pub(super) fn use_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, code: &RecoveryCode) -> Result<bool, Error> {
    let site = tx.site().clone();
    let mut used = None;
    for lookup in site.keyring.lookups(&lookup_input(account, code)) {
        if store::update_code_used(tx, account, &lookup)? > 0 {
            used = Some(lookup);
        }
    }
    let Some(used) = used else { return Ok(false) };
    let left = store::find_enrolled(tx, account)?.codes_left;
    let event = Event::new(FactorEvent::RecoveryCodeUsed).target(account).subject(account).detail(hex::encode(used));
    audit::record(tx, actor, event.data(json!({"left": left})))?;
    if let (Some(person), Some(address)) = (accounts::find(tx, account)?, accounts::primary_email(tx, account)?) {
        let message = mails::recovery_code_used(&person, left, &site.config.public_url);
        mail::enqueue(tx, Some(account), address, &message)?;
    }
    Ok(true)
}
