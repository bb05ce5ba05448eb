//! What a key may do, and from where.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::{Role, Scopes, SharedText};

/// What many keys may do.
#[derive(PartialEq, Eq, Hash)]
pub(in crate::verification) struct Policy {
    /// Scope names, separated by spaces.
    pub scope: SharedText,
    /// The rights behind the scopes, before the owner's role limits them.
    pub rights: Scopes,
    /// Empty: every network is allowed.
    pub networks: Vec<IpNet>,
    /// Requests a minute, from the key itself or from the site. `None`: no limit.
    pub rate: Option<u32>,
    /// The key has a successor, and its end is the end of the overlap.
    pub is_retiring: bool,
}

impl Policy {
    /// Whether a request from this address is allowed. `None`: the address is unknown.
    pub(in crate::verification) fn allows_address(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| {
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.contains(&address))
            })
    }

    /// The rights of the key, limited by its owner's role in the workspace: the keys of a viewer can only read.
    /// `read_rights`: the rights of a viewer.
    pub(in crate::verification) fn rights_for_role(&self, role: Role, read_rights: Scopes) -> Scopes {
        match role {
            Role::Owner | Role::Admin | Role::Editor => self.rights,
            Role::Viewer => self.rights.intersection(read_rights),
        }
    }
}
