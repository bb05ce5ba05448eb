//! Which gateways may ask, and about whom.

use std::net::IpAddr;

use crate::accounts;
use crate::base::{AccountId, EmailAddress, Role, WorkspaceId};
use crate::config::Config;
use crate::db::{Error, View};
use crate::workspaces::{self, Workspace};

/// Whether a gateway at this address may ask without a credential. A socket for both address families shows an IPv4 peer
/// mapped into IPv6 (RFC 4291 §2.5.5.2), which counts as the IPv4 peer.
pub(in crate::services) fn may_ask(config: &Config, peer: IpAddr) -> bool {
    config.forward_auth.allow.iter().any(|network| network.contains(&peer.to_canonical()))
}

/// Whether this hop between the program and us is one of the site's own gateways or proxies.
pub(in crate::services) fn is_own_hop(config: &Config, hop: IpAddr) -> bool {
    config.forward_auth.allow.iter().chain(&config.listen.trusted_proxies).any(|network| network.contains(&hop))
}

/// The person of a browser session, as a gateway tells other programs.
pub(in crate::services) struct SessionPerson {
    /// `None`: they have no address.
    pub email: Option<EmailAddress>,
    pub workspace: Workspace,
    pub role: Role,
    /// What they can do: everything that any of their keys can do.
    pub scope: &'static str,
}

/// The service that asks may not touch the workspace of the person.
pub(in crate::services) struct NotGranted;

/// The person of a session in their personal workspace, which they own. `None`: the workspace does not exist any more.
/// `granted`: the workspaces that the asking service may touch, in order; `None`: all.
pub(in crate::services) fn find_person(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
    granted: Option<&[WorkspaceId]>,
) -> Result<Option<Result<SessionPerson, NotGranted>>, Error> {
    let Some(workspace) = workspaces::find(view, workspace)? else { return Ok(None) };
    if granted.is_some_and(|granted| granted.binary_search(&workspace.id).is_err()) {
        return Ok(Some(Err(NotGranted)));
    }
    let email = accounts::primary_email(view, account)?;
    Ok(Some(Ok(SessionPerson { email, workspace, role: Role::Owner, scope: "admin" })))
}
