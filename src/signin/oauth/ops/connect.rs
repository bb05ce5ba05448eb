//! Connecting an account elsewhere with the one here, and taking it off again.

use serde_json::{Value, json};

use super::super::super::model::Proof;
use super::super::error::OauthError;
use super::super::model::{Found, Identity};
use super::super::{mails, store};
use super::way::opened;
use crate::accounts;
use crate::audit::{self, Event, Outcome, Part};
use crate::base::{AccountId, Actor, EmailAddress, IdentityId, SessionId, Timestamp};
use crate::crypto::tokens;
use crate::db::{self, Tx, View};
use crate::factors;
use crate::mail::{self, PlainMessage};
use crate::sessions;

/// What the account is connected with, the oldest first.
///
/// # Errors
/// [`db::Error`].
pub fn identities(view: &View<'_>, account: AccountId) -> Result<Vec<Identity>, db::Error> {
    store::list(view, account)
}

/// Who came back to this browser and waits to be connected, and where they were going. `None`: nobody.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin::oauth) fn waiting(view: &View<'_>, binder: &str) -> Result<Option<(Found, String)>, db::Error> {
    let Some((digest, sealed)) = store::find_found(view, &tokens::digest(binder))? else { return Ok(None) };
    let kept = opened(view, "found", &digest, &sealed)?;
    let next = kept.get("next").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(kept.get("found").and_then(Found::from_json).map(|found| (found, next)))
}

/// Connects who waits in this browser with the person who is signed in. Their other sessions end, and they are told.
///
/// # Errors
/// [`OauthError::NothingWaits`], [`OauthError::Taken`]; [`OauthError::NotFound`] for anybody but the person.
pub fn connect(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    binder: &str,
) -> Result<Found, OauthError> {
    if !actor.can_manage(account) {
        return Err(OauthError::NotFound);
    }
    let (found, _) = waiting(tx, binder)?.ok_or(OauthError::NothingWaits)?;
    match store::find(tx, &found.issuer, &found.subject)? {
        Some(identity) if identity.account == account => {}
        Some(_) => return Err(OauthError::Taken),
        None => {
            link(tx, actor, account, &found)?;
            sessions::end_all(tx, actor, account, Some(session))?;
            let provider = label_of(tx, &found.provider);
            tell(tx, account, |name, site| mails::linked(name, &provider, &found.label(), site))?;
        }
    }
    store::delete_found(tx, &tokens::digest(binder))?;
    Ok(found)
}

/// Writes the connection down.
pub(super) fn link(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, found: &Found) -> Result<(), OauthError> {
    let id = IdentityId::new(tx.now(), tx.rng());
    store::insert(tx, id, account, found).map_err(|error| match error {
        error if error.is_duplicate() => OauthError::Taken,
        error => error.into(),
    })?;
    let event = Event::new("auth.identity_linked")
        .target(id)
        .subject(account)
        .data(json!({"method": Proof::provider(&found.provider).as_str()}))
        .private(Part::Contact, json!({"label": found.label(), "issuer": found.issuer}));
    Ok(audit::record(tx, actor, event)?)
}

/// How many ways into the account there are beside the identity `except`: what may not become none. Whatever else opens an
/// account without another proof is counted here.
///
/// # Errors
/// [`db::Error`].
pub fn ways_in(view: &View<'_>, account: AccountId, except: Option<IdentityId>) -> Result<usize, db::Error> {
    let passwords = usize::from(accounts::password_hash(view, account)?.is_some());
    // A passkey is both factors in one.
    let passkeys = usize::try_from(factors::enrolled(view, account)?.passkeys).unwrap_or(usize::MAX);
    Ok(passwords.saturating_add(passkeys).saturating_add(open_identities(view, account, except)?))
}

/// How many connected accounts open this one beside the identity `except`: those of providers that the settings have.
///
/// # Errors
/// [`db::Error`].
pub fn open_identities(view: &View<'_>, account: AccountId, except: Option<IdentityId>) -> Result<usize, db::Error> {
    let providers = &view.site().config.oauth;
    let opens = |identity: &Identity| providers.iter().any(|provider| provider.issuer == identity.issuer);
    let identities = store::list(view, account)?;
    Ok(identities.iter().filter(|identity| Some(identity.id) != except && opens(identity)).count())
}

/// Takes a connection off. The person's other sessions end, and they are told. The last way in stays: that refusal is the
/// inner result, because its event must be committed.
///
/// # Errors
/// [`OauthError::NotFound`] where it is not the person's.
pub fn disconnect(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    id: IdentityId,
) -> Result<Result<(), OauthError>, OauthError> {
    let mine = store::list(tx, account)?.into_iter().find(|identity| identity.id == id);
    let identity = mine.filter(|_| actor.can_manage(account)).ok_or(OauthError::NotFound)?;
    let data = json!({"method": Proof::provider(&identity.provider).as_str()});
    if ways_in(tx, account, Some(id))? == 0 {
        let event = Event::new("auth.identity_unlinked").outcome(Outcome::Denied).target(id).subject(account);
        audit::record(tx, actor, event.data(data))?;
        return Ok(Err(OauthError::LastWayIn));
    }
    store::delete(tx, account, id)?;
    audit::record(tx, actor, Event::new("auth.identity_unlinked").target(id).subject(account).data(data))?;
    sessions::end_all(tx, actor, account, Some(session))?;
    let provider = label_of(tx, &identity.provider);
    tell(tx, account, |name, site| mails::unlinked(name, &provider, &identity.label, site))?;
    Ok(Ok(()))
}

/// Takes off what was connected at or after `since`: what a thief connected goes with the thief. Answers how many.
///
/// # Errors
/// [`db::Error`].
pub fn unlink_since(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, since: Timestamp) -> Result<usize, db::Error> {
    let gone = store::delete_since(tx, account, since)?;
    if gone > 0 {
        let event = Event::new("auth.identity_unlinked").target(account).subject(account).data(json!({"count": gone}));
        audit::record(tx, actor, event)?;
    }
    Ok(gone)
}

/// Deletes everything that is connected with the account, without a word: what it is part of is the event.
///
/// # Errors
/// [`db::Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, db::Error> {
    store::delete_all(tx, account)
}

/// What people call a provider; one that left the settings is called by its name there.
fn label_of(view: &View<'_>, name: &str) -> String {
    let provider = view.site().config.oauth.iter().find(|provider| provider.name == name);
    provider.map_or(name, |provider| &provider.label).to_owned()
}

/// Writes to the person's primary address.
fn tell(
    tx: &mut Tx<'_>,
    account: AccountId,
    message: impl FnOnce(&str, &str) -> PlainMessage,
) -> Result<(), OauthError> {
    let person = accounts::find(tx, account)?.ok_or(OauthError::NotFound)?;
    let site = tx.site().config.public_url.clone();
    let address: Option<EmailAddress> = accounts::primary_email(tx, account)?;
    if let Some(address) = address {
        mail::enqueue(tx, Some(account), address, &message(&person.display_name, &site))?;
    }
    Ok(())
}
