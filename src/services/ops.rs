//! Creates services, finds them by credential, and decides which gateways may ask and about whom.

use std::net::IpAddr;

use super::error::ServiceError;
use super::events::ServiceEvent;
use super::model::{CREDENTIAL_PREFIX, Service, ServiceName};
use super::store;
use crate::accounts;
use crate::api_keys::KeyText;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, EmailAddress, Role, Secret, ServiceId, WorkspaceId};
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
    let service = Service { id: ServiceId::new(now, tx.rng()), name: name.as_str().to_owned() };
    let credential = KeyText::generate(CREDENTIAL_PREFIX, tx.rng());
    let site = tx.site().clone();
    let lookup = site.keyring.lookup(credential.expose().as_bytes());
    if !store::insert(tx, &service, &lookup, site.keyring.pepper_id())? {
        return Err(ServiceError::NameTaken);
    }
    let event = Event::new(ServiceEvent::Registered)
        .target(service.id)
        .private(Part::Text, serde_json::json!({"name": service.name}));
    audit::record(tx, actor, event)?;
    Ok((service, credential.into_secret()))
}

/// The service with this credential. `None`: no service has it. A text without the form of a credential costs no
/// statement.
///
/// # Errors
/// [`Error`].
pub fn find_by_credential(view: &View<'_>, credential: &str) -> Result<Option<Service>, Error> {
    if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
        return Ok(None);
    }
    for lookup in view.site().keyring.lookups(credential.as_bytes()) {
        if let Some(service) = store::find_by_lookup(view, &lookup)? {
            return Ok(Some(service));
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
