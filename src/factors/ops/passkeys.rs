//! Passkeys: challenges, registrations and the list.

use serde_json::json;

use super::super::ceremony;
use super::super::error::FactorError;
use super::super::events::FactorEvent;
use super::super::mails;
use super::super::model::{CHALLENGE_LIFE, ChallengePurpose, NewCodes, PASSKEYS_MAX, PasskeyChallenge, PasskeyName};
use super::super::store::{self};
use super::enrolment::{after_change, is_required};
use super::recovery::first_codes;
use crate::accounts;
use crate::audit::{self, Event, Outcome, Part};
use crate::base::{AccountId, Actor, PasskeyId};
use crate::crypto::tokens;
use crate::db::{Error, Tx};

/// Creates a challenge. It is valid for five minutes and can be answered once.
///
/// # Errors
/// [`FactorError::NoPasskeysHere`]; [`FactorError::NotFound`] when the person has no passkey to sign with;
/// [`FactorError::TooManyPasskeys`].
pub fn challenge(tx: &mut Tx<'_>, purpose: ChallengePurpose) -> Result<PasskeyChallenge, FactorError> {
    let config = &tx.site().clone().config;
    let (options, state) = match purpose {
        ChallengePurpose::SignIn => ceremony::start_assertion(config, &[])?,
        ChallengePurpose::Factor(account) | ChallengePurpose::StepUp(account) => {
            let known = store::list_credential_ids(tx, account)?;
            if known.is_empty() {
                return Err(FactorError::NotFound);
            }
            ceremony::start_assertion(config, &known)?
        }
        ChallengePurpose::Registration(account) => {
            let person = accounts::find(tx, account)?.ok_or(FactorError::NotFound)?;
            let known = store::list_credential_ids(tx, account)?;
            if known.len() >= PASSKEYS_MAX as usize {
                return Err(FactorError::TooManyPasskeys);
            }
            let handle = user_handle(tx, account)?;
            ceremony::start_registration(config, handle, &person.username, &person.display_name, known)?
        }
    };
    let ticket = tokens::random_token(tx.rng());
    let expires_at = tx.now().plus(CHALLENGE_LIFE);
    store::insert_challenge(tx, &tokens::digest(ticket.expose()), purpose.parts(), &state, expires_at)?;
    Ok(PasskeyChallenge { ticket, options })
}

/// The user handle (WebAuthn §5.4.3): 16 random bytes by which authenticators know the person. It is created when it is
/// first needed.
fn user_handle(tx: &mut Tx<'_>, account: AccountId) -> Result<[u8; 16], FactorError> {
    let new = tx.rng().bytes();
    store::insert_handle(tx, account, &new)?;
    store::find_handle(tx, account)?.ok_or(FactorError::NotFound)
}

/// Deletes a challenge, whether or not its answer is right. Returns the state to check the answer with. `None`: the
/// challenge is unknown, has expired, or has another purpose.
pub(in crate::factors) fn take_challenge(
    tx: &mut Tx<'_>,
    purpose: ChallengePurpose,
    ticket: &str,
) -> Result<Option<String>, Error> {
    let Some(challenge) = store::take_challenge(tx, &tokens::digest(ticket))? else { return Ok(None) };
    let is_valid =
        (challenge.purpose.as_str(), challenge.account) == purpose.parts() && challenge.expires_at > tx.now();
    Ok(is_valid.then_some(challenge.state_json))
}

/// Records a refused response. `known`: the passkey that it names and its account. `None`: it names none of ours.
// No permission: it only records a refusal.
pub(in crate::factors) fn refuse_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    known: Option<(PasskeyId, AccountId)>,
    why: &FactorError,
) -> Result<(), Error> {
    let is_copied = matches!(why, FactorError::PasskeyCopied);
    let mut event = Event::new(FactorEvent::PasskeyRefused)
        .outcome(if is_copied { Outcome::Denied } else { Outcome::Failure })
        .data(json!({"counter_went_back": is_copied}));
    // A person who was erased meanwhile must not get a new key for the private parts of events.
    let known = known.map(|(id, account)| Ok::<_, Error>(accounts::find(tx, account)?.map(|person| (id, person.id))));
    if let Some((id, account)) = known.transpose()?.flatten() {
        event = event.target(id).subject(account);
    }
    audit::record(tx, actor, event)?;
    Ok(())
}

/// Stores a passkey whose registration was checked. Returns its id, and recovery codes when the person had none.
///
/// # Errors
/// [`FactorError::PasskeyKnown`]: this or another account has the credential already; [`FactorError::TooManyPasskeys`];
/// [`FactorError::NotFound`] when the account is not the actor's.
pub fn add_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    name: &PasskeyName,
    registered: &super::super::flows::RegisteredPasskey,
) -> Result<(PasskeyId, Option<NewCodes>), FactorError> {
    if !actor.can_manage(account) {
        return Err(FactorError::NotFound);
    }
    if store::find_enrolled(tx, account)?.passkeys >= PASSKEYS_MAX {
        return Err(FactorError::TooManyPasskeys);
    }
    let id = PasskeyId::new(tx.now(), tx.rng());
    let credential = registered.credential();
    let new = store::NewPasskey {
        account,
        credential_id: &credential.credential_id,
        credential_json: &credential.credential_json,
        name: name.as_str(),
        sign_count: credential.sign_count,
        is_backed_up: credential.is_backed_up,
    };
    if store::insert_passkey(tx, id, &new)? == 0 {
        return Err(FactorError::PasskeyKnown);
    }
    let event = Event::new(FactorEvent::PasskeyAdded).target(id).subject(account);
    let event =
        event.data(json!({"backed_up": credential.is_backed_up})).private(Part::Text, json!({"name": name.as_str()}));
    audit::record(tx, actor, event)?;
    let codes = first_codes(tx, actor, account)?;
    after_change(tx, actor, account, |person, site| mails::passkey_added(person, name.as_str(), site))?;
    Ok((id, codes))
}

/// Renames a passkey.
///
/// # Errors
/// [`FactorError::NotFound`].
pub fn rename_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    id: PasskeyId,
    name: &PasskeyName,
) -> Result<(), FactorError> {
    if !actor.can_manage(account) || store::update_name(tx, account, id, name.as_str())? == 0 {
        return Err(FactorError::NotFound);
    }
    let event = Event::new(FactorEvent::PasskeyRenamed).target(id).subject(account);
    Ok(audit::record(tx, actor, event.private(Part::Text, json!({"name": name.as_str()})))?)
}

/// Removes a passkey; with the last factor, the recovery codes go too. `has_other_sign_in_method`: whether the person
/// can sign in without a passkey, by a password or a provider.
///
/// # Errors
/// [`FactorError::NotFound`]; [`FactorError::LastSignInMethod`]; [`FactorError::Required`] when it is the last factor
/// of a person who must have one.
pub fn remove_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    id: PasskeyId,
    has_other_sign_in_method: bool,
) -> Result<(), FactorError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(FactorError::NotFound)?;
    let had = store::find_enrolled(tx, account)?;
    let removed = store::list_passkeys(tx, account)?.into_iter().find(|passkey| passkey.id == id);
    let removed = removed.ok_or(FactorError::NotFound)?;
    if had.passkeys == 1 && !has_other_sign_in_method {
        return Err(FactorError::LastSignInMethod);
    }
    if had.is_last() && is_required(tx, &person) {
        return Err(FactorError::Required);
    }
    store::delete_passkey(tx, account, id)?;
    if had.is_last() {
        store::delete_codes(tx, account)?;
    }
    let event = Event::new(FactorEvent::PasskeyRemoved).target(id).subject(account);
    audit::record(tx, actor, event.private(Part::Text, json!({"name": removed.name})))?;
    Ok(after_change(tx, actor, account, |person, site| mails::passkey_removed(person, &removed.name, site))?)
}
