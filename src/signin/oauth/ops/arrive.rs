//! Somebody came back from a provider, and every check was right: what that means here.

use serde_json::json;

use super::super::super::model::Proof;
use super::super::super::ops::{enter, step_up_by_provider};
use super::super::error::{OauthError, Refusal};
use super::super::model::{Arrived, FOUND_LIFE, Found, Identity, Purpose, SKEW, Way};
use super::super::store;
use super::way::{place, refuse};
use crate::accounts::{self, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, SessionId};
use crate::config::{Provider, ProviderKind, SignupMode};
use crate::crypto::seal;
use crate::db::{self, Tx};
use crate::signin::SigninError;

/// Goes on with `found`. `who`: the person in the browser's session, if there is one. A refusal is the inner result,
/// because its event must be committed.
///
/// # Errors
/// [`OauthError::Signin`] for the store and the door.
pub fn arrive(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    way: &Way,
    found: &Found,
    who: Option<(AccountId, SessionId)>,
) -> Result<Result<Arrived, OauthError>, OauthError> {
    let identity = store::find(tx, &found.issuer, &found.subject)?;
    match (way.purpose, who) {
        (Purpose::StepUp, who) => step_up(tx, actor, provider, way, found, identity.as_ref(), who),
        (Purpose::Connect, Some((account, _))) if way.account == Some(account) => match identity {
            Some(identity) if identity.account == account => Ok(Ok(Arrived::Connected)),
            Some(_) => Ok(Err(link_refused(tx, actor, account, found)?)),
            None => keep(tx, way, found).map(|()| Ok(Arrived::MustConfirm)),
        },
        // They signed out, or are somebody else by now.
        (Purpose::Connect, _) => refuse(tx, actor, provider, Some(way), Refusal::Browser).map(Err),
        (Purpose::SignIn, who) => match identity {
            Some(identity) => sign_in(tx, actor, &identity, found),
            None => keep(tx, way, found).and_then(|()| newcomer(tx, found, who)),
        },
    }
}

fn sign_in(
    tx: &mut Tx<'_>,
    actor: &Actor,
    identity: &Identity,
    found: &Found,
) -> Result<Result<Arrived, OauthError>, OauthError> {
    let person = accounts::find(tx, identity.account)?.ok_or(OauthError::NotFound)?;
    let proof = Proof::provider(&found.provider);
    if person.state == AccountState::Suspended {
        let data = json!({"method": proof.as_str(), "reason": "suspended"});
        let event = Event::new("auth.signin_failed").outcome(Outcome::Denied).target(person.id).subject(person.id);
        audit::record(tx, actor, event.data(data))?;
        return Ok(Err(OauthError::Suspended));
    }
    store::update_used(tx, identity.id, found)?;
    Ok(Ok(Arrived::Entered(enter(tx, actor, &person, &proof, false)?)))
}

/// Nobody here is connected with who came back. Whether somebody here has the address is told only where the provider says
/// that it was proved: else it would tell anybody about anybody.
fn newcomer(
    tx: &mut Tx<'_>,
    found: &Found,
    who: Option<(AccountId, SessionId)>,
) -> Result<Result<Arrived, OauthError>, OauthError> {
    if who.is_some() {
        return Ok(Ok(Arrived::MustConfirm));
    }
    let is_known = match &found.email {
        Some(email) if found.is_verified => accounts::is_email_taken(tx, email)?,
        _ => false,
    };
    if is_known {
        return Ok(Ok(Arrived::MustSignIn));
    }
    match tx.site().config.signup.mode {
        // There may be an account here to connect with.
        SignupMode::Invite | SignupMode::Closed => Ok(Ok(Arrived::MustSignIn)),
        SignupMode::Open | SignupMode::Domains => Ok(Ok(Arrived::MustChoose)),
    }
}

/// Keeps who came back until they chose a username or signed in.
fn keep(tx: &mut Tx<'_>, way: &Way, found: &Found) -> Result<(), OauthError> {
    let kept = json!({"found": found.to_json(), "next": way.next}).to_string();
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &place("found", &way.digest), kept.as_bytes());
    let until = tx.now().plus(FOUND_LIFE);
    Ok(store::update_found(tx, &way.digest, &sealed, until)?)
}

fn step_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    way: &Way,
    found: &Found,
    identity: Option<&Identity>,
    who: Option<(AccountId, SessionId)>,
) -> Result<Result<Arrived, OauthError>, OauthError> {
    let Some((account, session)) = who.filter(|(account, _)| way.account == Some(*account)) else {
        return refuse(tx, actor, provider, Some(way), Refusal::Browser).map(Err);
    };
    if identity.is_none_or(|identity| identity.account != account) {
        return refuse(tx, actor, provider, Some(way), Refusal::OtherIdentity).map(Err);
    }
    if !is_fresh(tx, provider, way, found) {
        return refuse(tx, actor, provider, Some(way), Refusal::OldProof).map(Err);
    }
    // Somebody who has a password or a second factor by now proves themselves with that.
    match step_up_by_provider(tx, actor, account, session, &Proof::provider(&found.provider)) {
        Ok(renewed) => Ok(Ok(Arrived::Proved(renewed))),
        Err(SigninError::NotProved) => Ok(Err(OauthError::HasBetterProof)),
        Err(error) => Err(error.into()),
    }
}

/// Whether the person proved themselves at the provider just now. An OpenID issuer was asked to ask again, so it says that it
/// did, and on this way (OpenID Connect Core §3.1.2.1, `max_age`); the others are asked in their own way and may say nothing.
fn is_fresh(tx: &Tx<'_>, provider: &Provider, way: &Way, found: &Found) -> bool {
    let proved_at = match provider.kind {
        ProviderKind::Oidc => found.proved_at.filter(|at| *at >= way.began_at.minus(SKEW)),
        _ => found.proved_at.or(Some(way.began_at)),
    };
    let good_for = tx.site().config.session.step_up_after;
    proved_at.is_some_and(|at| tx.now().since(at) < good_for + SKEW)
}

fn link_refused(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, found: &Found) -> Result<OauthError, db::Error> {
    let data = json!({"method": Proof::provider(&found.provider).as_str(), "reason": "taken"});
    let event = Event::new("auth.identity_link_refused").outcome(Outcome::Denied).target(account).subject(account);
    audit::record(tx, actor, event.data(data))?;
    Ok(OauthError::Taken)
}
