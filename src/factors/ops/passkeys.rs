//! Passkeys: given out challenges, what is kept of an answer, and the list.

use serde_json::json;

use super::super::ceremony;
use super::super::error::FactorError;
use super::super::mails;
use super::super::model::{CHALLENGE_LIFE, ChallengeFor, Challenged, NewCodes, PASSKEYS_MAX, Passkey, PasskeyName};
use super::super::store::{self, Credential};
use super::recovery::first_codes;
use super::whole::{changed, is_required};
use crate::accounts;
use crate::audit::{self, Event, Outcome, Part};
use crate::base::{AccountId, Actor, PasskeyId};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Gives out a challenge: five minutes, one answer.
///
/// # Errors
/// [`FactorError::NoPasskeysHere`]; [`FactorError::NotFound`] for somebody who has none to sign with;
/// [`FactorError::TooManyPasskeys`].
pub fn challenge(tx: &mut Tx<'_>, purpose: ChallengeFor) -> Result<Challenged, FactorError> {
    let config = &tx.site().clone().config;
    let (options, state) = match purpose {
        ChallengeFor::SignIn => ceremony::start_asserting(config, &[])?,
        ChallengeFor::Factor(account) | ChallengeFor::StepUp(account) => {
            let known = store::list_credential_ids(tx, account)?;
            if known.is_empty() {
                return Err(FactorError::NotFound);
            }
            ceremony::start_asserting(config, &known)?
        }
        ChallengeFor::Adding(account) => {
            let person = accounts::find(tx, account)?.ok_or(FactorError::NotFound)?;
            let known = store::list_credential_ids(tx, account)?;
            if known.len() >= PASSKEYS_MAX as usize {
                return Err(FactorError::TooManyPasskeys);
            }
            let handle = handle_of(tx, account)?;
            ceremony::start_adding(config, handle, &person.username, &person.display_name, known)?
        }
    };
    let ticket = tokens::random_token(tx.rng());
    let expires_at = tx.now().plus(CHALLENGE_LIFE);
    store::insert_challenge(tx, &tokens::digest(ticket.expose()), purpose.parts(), &state, expires_at)?;
    Ok(Challenged { ticket, options })
}

/// The random name by which authenticators know the person, made when it is first needed.
fn handle_of(tx: &mut Tx<'_>, account: AccountId) -> Result<[u8; 16], FactorError> {
    let new = tx.rng().bytes();
    store::insert_handle(tx, account, &new)?;
    store::find_handle(tx, account)?.ok_or(FactorError::NotFound)
}

/// Takes a challenge away, whatever becomes of its answer. Answers the state to check with.
pub(in crate::factors) fn take_challenge(
    tx: &mut Tx<'_>,
    purpose: ChallengeFor,
    ticket: &str,
) -> Result<Option<String>, Error> {
    let Some(given) = store::take_challenge(tx, &tokens::digest(ticket))? else { return Ok(None) };
    let is_good = (given.purpose.as_str(), given.account) == purpose.parts() && given.expires_at > tx.now();
    Ok(is_good.then_some(given.state_json))
}

pub(in crate::factors) fn find_credential(view: &View<'_>, id: &[u8]) -> Result<Option<Credential>, Error> {
    store::find_credential(view, id)
}

/// Notes an answer that was refused. `known`: the passkey that it names, where it names one of ours.
pub(in crate::factors) fn refuse_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    known: Option<(PasskeyId, AccountId)>,
    why: &FactorError,
) -> Result<(), Error> {
    let is_copied = matches!(why, FactorError::PasskeyCopied);
    let mut event = Event::new("auth.passkey_refused")
        .outcome(if is_copied { Outcome::Denied } else { Outcome::Failure })
        .data(json!({"counter_went_back": is_copied}));
    // Somebody who was erased meanwhile must not get a key for private parts again.
    let known = known.map(|(id, account)| Ok::<_, Error>(accounts::find(tx, account)?.map(|found| (id, found.id))));
    if let Some((id, account)) = known.transpose()?.flatten() {
        event = event.target(id).subject(account);
    }
    audit::record(tx, actor, event)?;
    Ok(())
}

/// Keeps a passkey that the person just made. Answers recovery codes for somebody who had none.
///
/// # Errors
/// [`FactorError::PasskeyKnown`]: the credential is somebody's already, theirs or another's; [`FactorError::NotFound`].
pub fn add_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    name: &PasskeyName,
    made: &super::super::flows::MadePasskey,
) -> Result<(PasskeyId, Option<NewCodes>), FactorError> {
    if !actor.can_manage(account) {
        return Err(FactorError::NotFound);
    }
    if store::find_enrolled(tx, account)?.passkeys >= PASSKEYS_MAX {
        return Err(FactorError::TooManyPasskeys);
    }
    let id = PasskeyId::new(tx.now(), tx.rng());
    let made = made.parts();
    let new = store::NewPasskey {
        account,
        credential_id: &made.credential_id,
        credential_json: &made.credential_json,
        name: name.as_str(),
        sign_count: made.sign_count,
        is_backed_up: made.is_backed_up,
    };
    if store::insert_passkey(tx, id, &new)? == 0 {
        return Err(FactorError::PasskeyKnown);
    }
    let event = Event::new("auth.passkey_added").target(id).subject(account);
    let event = event.data(json!({"backed_up": made.is_backed_up})).private(Part::Text, json!({"name": name.as_str()}));
    audit::record(tx, actor, event)?;
    let codes = first_codes(tx, actor, account)?;
    changed(tx, actor, account, |person, site| mails::passkey_added(person, name.as_str(), site))?;
    Ok((id, codes))
}

/// The person's passkeys, the oldest first.
///
/// # Errors
/// [`Error`].
pub fn passkeys(view: &View<'_>, account: AccountId) -> Result<Vec<Passkey>, Error> {
    store::list_passkeys(view, account)
}

/// Calls a passkey something else.
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
    let event = Event::new("auth.passkey_renamed").target(id).subject(account);
    Ok(audit::record(tx, actor, event.private(Part::Text, json!({"name": name.as_str()})))?)
}

/// Takes a passkey away; with the last factor go the recovery codes. `has_other_way_in`: whether the person can come in
/// without any passkey, by a password or a provider.
///
/// # Errors
/// [`FactorError::NotFound`]; [`FactorError::LastWayIn`]; [`FactorError::Required`] where it is the last factor of somebody
/// who must have one.
pub fn remove_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    id: PasskeyId,
    has_other_way_in: bool,
) -> Result<(), FactorError> {
    let person = accounts::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(FactorError::NotFound)?;
    let had = store::find_enrolled(tx, account)?;
    let removed = store::list_passkeys(tx, account)?.into_iter().find(|passkey| passkey.id == id);
    let removed = removed.ok_or(FactorError::NotFound)?;
    if had.passkeys == 1 && !has_other_way_in {
        return Err(FactorError::LastWayIn);
    }
    if had.count() == 1 && is_required(tx, &person) {
        return Err(FactorError::Required);
    }
    store::delete_passkey(tx, account, id)?;
    if had.count() == 1 {
        store::delete_codes(tx, account)?;
    }
    let event = Event::new("auth.passkey_removed").target(id).subject(account);
    audit::record(tx, actor, event.private(Part::Text, json!({"name": removed.name})))?;
    Ok(changed(tx, actor, account, |person, site| mails::passkey_removed(person, &removed.name, site))?)
}
