//! Connecting an account at a provider to an account here, and disconnecting it.

use serde_json::{Value, json};

use super::super::super::model::Proof;
use super::super::error::OauthError;
use super::super::events::IdentityEvent;
use super::super::model::{ExternalIdentity, LinkedIdentity};
use super::super::{mails, store};
use super::authorization::unseal;
use crate::accounts;
use crate::audit::{self, Event, Outcome, Part};
use crate::base::{AccountId, Actor, EmailAddress, IdentityId, SessionId, Timestamp};
use crate::crypto::tokens;
use crate::db::{self, Decided, Decision, Tx, View};
use crate::factors;
use crate::mail::{self, PlainMessage};

/// The external identity that waits in this browser to be connected, and the path to continue at. `None`: none waits.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin::oauth) fn pending_identity(
    view: &View<'_>,
    state_cookie: &str,
) -> Result<Option<(ExternalIdentity, String)>, db::Error> {
    let Some((digest, sealed)) = store::find_external(view, &tokens::digest(state_cookie))? else { return Ok(None) };
    let kept = unseal(view, "found", &digest, &sealed)?;
    let next = kept.get("next").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(kept.get("found").and_then(ExternalIdentity::from_json).map(|external| (external, next)))
}

/// Connects the identity that waits in this browser to the account that is signed in. The other sessions of the account
/// end, and its person gets a mail. Connecting an identity that is already connected to the account changes nothing.
///
/// # Errors
/// [`OauthError::NoPendingIdentity`], [`OauthError::Taken`]; [`OauthError::NotFound`] for the account of another
/// person.
pub fn connect(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    state_cookie: &str,
) -> Result<ExternalIdentity, OauthError> {
    if !actor.can_manage(account) {
        return Err(OauthError::NotFound);
    }
    let (external, _) = pending_identity(tx, state_cookie)?.ok_or(OauthError::NoPendingIdentity)?;
    match store::find(tx, &external.issuer, &external.subject)? {
        Some(identity) if identity.account == account => {}
        Some(_) => return Err(OauthError::Taken),
        None => {
            link(tx, actor, account, &external)?;
            factors::end_other_access(tx, actor, account, Some(session))?;
            let provider = label_of(tx, &external.provider);
            notify(tx, account, |name, site| mails::linked(name, &provider, &external.label(), site))?;
        }
    }
    store::delete_external(tx, &tokens::digest(state_cookie))?;
    Ok(external)
}

/// Stores and records the connection.
pub(super) fn link(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    external: &ExternalIdentity,
) -> Result<(), OauthError> {
    let id = IdentityId::new(tx.now(), tx.rng());
    store::insert(tx, id, account, external).map_err(|error| match error {
        error if error.is_duplicate() => OauthError::Taken,
        error => error.into(),
    })?;
    let event = Event::new(IdentityEvent::Linked)
        .target(id)
        .subject(account)
        .data(json!({"method": Proof::provider(&external.provider).as_str()}))
        .private(Part::Contact, json!({"label": external.label(), "issuer": external.issuer}));
    Ok(audit::record(tx, actor, event)?)
}

/// How many sign-in methods the account has besides the identity `except`. An account must keep at least one. A new
/// method that needs no other proof must be counted here.
///
/// # Errors
/// [`db::Error`].
fn sign_in_methods(view: &View<'_>, account: AccountId, except: Option<IdentityId>) -> Result<usize, db::Error> {
    let passwords = usize::from(accounts::password_hash(view, account)?.is_some());
    // A passkey alone signs in: it is both factors in one.
    let passkeys = usize::try_from(factors::enrolled(view, account)?.passkeys).unwrap_or(usize::MAX);
    Ok(passwords.saturating_add(passkeys).saturating_add(usable_identities(view, account, except)?))
}

/// Whether the identity can be disconnected: the account keeps another sign-in method.
///
/// # Errors
/// [`db::Error`].
pub(super) fn can_disconnect(view: &View<'_>, account: AccountId, id: IdentityId) -> Result<bool, db::Error> {
    Ok(sign_in_methods(view, account, Some(id))? > 0)
}

/// How many linked identities besides `except` can sign in: those whose provider is in the settings.
///
/// # Errors
/// [`db::Error`].
pub fn usable_identities(view: &View<'_>, account: AccountId, except: Option<IdentityId>) -> Result<usize, db::Error> {
    let providers = &view.site().config.oauth;
    let is_usable = |identity: &LinkedIdentity| providers.iter().any(|provider| provider.issuer == identity.issuer);
    let identities = store::list(view, account)?;
    Ok(identities.iter().filter(|identity| Some(identity.id) != except && is_usable(identity)).count())
}

/// Disconnects an identity. The other sessions of the account end, and its person gets a mail. The last sign-in method
/// cannot be removed: that refusal is recorded, so it is committed.
///
/// # Errors
/// [`OauthError::NotFound`] if it does not belong to the account; [`OauthError::LastSignInMethod`].
pub fn disconnect(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    id: IdentityId,
) -> Decided<(), OauthError> {
    let own = store::list(tx, account)?.into_iter().find(|identity| identity.id == id);
    let identity = own.filter(|_| actor.can_manage(account)).ok_or(OauthError::NotFound)?;
    let data = json!({"method": Proof::provider(&identity.provider).as_str()});
    if !can_disconnect(tx, account, id)? {
        let event = Event::new(IdentityEvent::Unlinked).outcome(Outcome::Denied).target(id).subject(account);
        audit::record(tx, actor, event.data(data))?;
        return Ok(Decision::Refused(OauthError::LastSignInMethod));
    }
    store::delete(tx, account, id)?;
    audit::record(tx, actor, Event::new(IdentityEvent::Unlinked).target(id).subject(account).data(data))?;
    factors::end_other_access(tx, actor, account, Some(session))?;
    let provider = label_of(tx, &identity.provider);
    notify(tx, account, |name, site| mails::unlinked(name, &provider, &identity.label, site))?;
    Ok(Decision::Done(()))
}

/// Disconnects every identity that was connected at or after `since`, for example by a thief. Returns how many.
///
/// # Errors
/// [`db::Error`].
// No permission: the caller has checked a link that was mailed to the person.
pub fn unlink_since(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, since: Timestamp) -> Result<usize, db::Error> {
    let removed = store::delete_since(tx, account, since)?;
    if removed > 0 {
        let event =
            Event::new(IdentityEvent::Unlinked).target(account).subject(account).data(json!({"count": removed}));
        audit::record(tx, actor, event.detail(since.millis()))?;
    }
    Ok(removed)
}

/// The label of a provider. One that is no longer in the settings has its name as the label.
fn label_of(view: &View<'_>, name: &str) -> String {
    let provider = view.site().config.oauth.iter().find(|provider| provider.name == name);
    provider.map_or(name, |provider| &provider.label).to_owned()
}

/// Queues a mail to the primary address of the account.
fn notify(
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
