//! Creates services, gives them credentials and ends these, finds services, and decides which gateways may ask and about whom.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use super::error::ServiceError;
use super::events::ServiceEvent;
use super::model::{CREDENTIAL_PREFIX, IssuedCredential, Service, ServiceCredential, ServiceName};
use super::store;
use crate::accounts;
use crate::api_keys::{KeyText, OVERLAP_MAX};
use crate::audit::{self, Event, Part};
use crate::base::{
    AccountId, Actor, EmailAddress, Role, Secret, ServiceCredentialId, ServiceId, Timestamp, WorkspaceId,
};
use crate::config::Config;
use crate::db::{Error, Tx, View};
use crate::workspaces::{self, Workspace};

/// Creates a service. Returns its credential, which is not stored.
///
/// # Errors
/// [`ServiceError::NameTaken`].
// No permission: only the command line calls it; no page and no API creates a service.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, name: &ServiceName) -> Result<(Service, Secret<String>), ServiceError> {
    let now = tx.now();
    let service = Service { id: ServiceId::new(now, tx.rng()), name: name.as_str().to_owned(), created_at: now };
    if !store::insert(tx, &service)? {
        return Err(ServiceError::NameTaken);
    }
    let secret = issue(tx, service.id)?;
    audit::record(tx, actor, event_about(ServiceEvent::Registered, &service))?;
    Ok((service, secret))
}

/// Gives a service a new credential. The old ones stay valid for `overlap`, but never longer than without the rotation.
/// Also for a service without a valid credential.
///
/// # Errors
/// [`ServiceError::NotFound`]; [`ServiceError::Overlap`] for more than a week.
// No permission: only the command line calls it.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor, name: &str, overlap: Duration) -> Result<IssuedCredential, ServiceError> {
    let service = find(tx, name)?;
    if overlap > OVERLAP_MAX {
        return Err(ServiceError::Overlap);
    }
    let ends_at = tx.now().plus(overlap);
    let old = valid_credentials(tx, service.id)?;
    for credential in &old {
        end(tx, credential, ends_at)?;
    }
    let secret = issue(tx, service.id)?;
    let event = event_about(ServiceEvent::CredentialRotated, &service)
        .data(json!({"replaced": old.len(), "old_ends_at": ends_at.rfc3339()}))
        .detail(ends_at.millis());
    audit::record(tx, actor, event)?;
    let predecessor_ends_at = (!old.is_empty() && !overlap.is_zero()).then_some(ends_at);
    Ok(IssuedCredential { service, secret, predecessor_ends_at })
}

/// Revokes all credentials of a service, or one of them. They are refused from the next request on; the service stays,
/// and a rotation gives it a new credential. Returns how many were revoked.
///
/// # Errors
/// [`ServiceError::NotFound`]; [`ServiceError::NoCredential`] when none of them is valid.
// No permission: only the command line calls it.
pub fn revoke(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &str,
    only: Option<ServiceCredentialId>,
) -> Result<(Service, usize), ServiceError> {
    let service = find(tx, name)?;
    let mut valid = valid_credentials(tx, service.id)?;
    valid.retain(|credential| only.is_none_or(|id| credential.id == id));
    if valid.is_empty() {
        return Err(ServiceError::NoCredential);
    }
    for credential in &valid {
        store::update_revoked(tx, credential.id)?;
    }
    let revoked: Vec<_> = valid.iter().map(|credential| credential.id.to_string()).collect();
    let event = event_about(ServiceEvent::CredentialRevoked, &service).data(json!({"credentials": revoked}));
    let event = match only {
        Some(id) => event.detail(id),
        None => event,
    };
    audit::record(tx, actor, event)?;
    Ok((service, valid.len()))
}

/// The service with this name or id, in whatever case they are written.
///
/// # Errors
/// [`ServiceError::NotFound`].
pub fn find(view: &View<'_>, name: &str) -> Result<Service, ServiceError> {
    // Ids have no upper case letters either.
    store::find(view, &name.trim().to_ascii_lowercase())?.ok_or(ServiceError::NotFound)
}

fn event_about(kind: ServiceEvent, service: &Service) -> Event {
    Event::new(kind).target(service.id).private(Part::Text, json!({"name": service.name}))
}

/// Stores a new credential. Returns its text.
fn issue(tx: &mut Tx<'_>, service: ServiceId) -> Result<Secret<String>, Error> {
    let now = tx.now();
    let text = KeyText::generate(CREDENTIAL_PREFIX, tx.rng());
    let credential = ServiceCredential {
        id: ServiceCredentialId::new(now, tx.rng()),
        service,
        display: text.display(),
        created_at: now,
        ends_at: None,
        revoked_at: None,
    };
    let keyring = &tx.site().clone().keyring;
    store::insert_credential(tx, &credential, &keyring.lookup(text.expose().as_bytes()), keyring.pepper_id())?;
    Ok(text.into_secret())
}

/// The credentials with which the service can authenticate now.
pub(super) fn valid_credentials(view: &View<'_>, service: ServiceId) -> Result<Vec<ServiceCredential>, Error> {
    let (mut credentials, now) = (store::list_credentials(view, service)?, view.now());
    credentials.retain(|credential| credential.is_valid(now));
    Ok(credentials)
}

/// Ends a credential at this time, or at its own end if that is earlier. One that ends now is revoked, so that it stays
/// ended when the clock is set back.
pub(super) fn end(tx: &mut Tx<'_>, credential: &ServiceCredential, ends_at: Timestamp) -> Result<(), Error> {
    if ends_at <= tx.now() {
        return store::update_revoked(tx, credential.id);
    }
    match credential.ends_at {
        Some(own) if own <= ends_at => Ok(()),
        _ => store::update_end(tx, credential.id, ends_at),
    }
}

/// The service with this valid credential, and when the credential ends. `None`: no service has it. A text without the
/// form of a credential costs no statement.
///
/// # Errors
/// [`Error`].
pub fn find_by_credential(view: &View<'_>, credential: &str) -> Result<Option<(Service, Option<Timestamp>)>, Error> {
    if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
        return Ok(None);
    }
    for lookup in view.site().keyring.lookups(credential.as_bytes()) {
        if let Some(found) = store::find_by_lookup(view, &lookup)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether a gateway at this address may ask without a credential. A socket for both address families shows an IPv4 peer
/// mapped into IPv6 (RFC 4291 §2.5.5.2), which counts as the IPv4 peer.
pub(super) fn may_ask(config: &Config, peer: IpAddr) -> bool {
    config.forward_auth.allow.iter().any(|network| network.contains(&peer.to_canonical()))
}

/// Whether this hop between the program and us is one of the site's own gateways or proxies.
pub(super) fn is_own_hop(config: &Config, hop: IpAddr) -> bool {
    config.forward_auth.allow.iter().chain(&config.listen.trusted_proxies).any(|network| network.contains(&hop))
}

/// The person of a browser session, as a gateway tells other programs.
pub(super) struct SessionPerson {
    /// `None`: they have no address.
    pub email: Option<EmailAddress>,
    pub workspace: Workspace,
    pub role: Role,
    /// What they can do: everything that any of their keys can do.
    pub scope: &'static str,
}

/// The person of a session in their personal workspace, which they own. `None`: the workspace does not exist any more.
pub(super) fn find_person(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<Option<SessionPerson>, Error> {
    let email = accounts::primary_email(view, account)?;
    let workspace = workspaces::find(view, workspace)?;
    Ok(workspace.map(|workspace| SessionPerson { email, workspace, role: Role::Owner, scope: "admin" }))
}
