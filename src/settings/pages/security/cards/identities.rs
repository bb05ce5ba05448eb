//! The card of the connected accounts.

use crate::config::Provider;
use crate::http::{Moment, TimeFormat};
use crate::signin::oauth::pages::{ProviderButton, icon_of};
use crate::signin::oauth::{Connection, Connections};

/// A row of the list.
pub(in super::super) struct ConnectedAccount {
    pub id: String,
    pub provider: String,
    pub icon: &'static str,
    pub label: String,
    pub linked: Moment,
    pub used: Moment,
    /// Whether it is the only sign-in method, so that it cannot be removed.
    pub is_last: bool,
}

impl ConnectedAccount {
    fn new(connection: &Connection, times: TimeFormat<'_>, providers: &[Provider]) -> Self {
        let identity = &connection.identity;
        let provider = providers.iter().find(|provider| provider.issuer == identity.issuer);
        Self {
            id: identity.id.to_string(),
            provider: provider.map_or(&identity.provider, |provider| &provider.label).clone(),
            icon: icon_of(provider),
            label: identity.label.clone(),
            linked: times.moment(identity.linked_at),
            used: times.moment(identity.last_used_at),
            is_last: !connection.can_be_disconnected,
        }
    }
}

/// The card. It is left out if there are no providers and no connected accounts.
pub(in super::super) struct IdentitiesCard {
    pub connected: Vec<ConnectedAccount>,
    /// The providers that can be connected.
    pub others: Vec<ProviderButton>,
}

impl IdentitiesCard {
    pub fn new(connections: &Connections, times: TimeFormat<'_>, providers: &[Provider]) -> Self {
        let is_connectable = |provider: &&Provider| connections.connectable.contains(&provider.name);
        let button = |provider: &Provider| ProviderButton::new(provider, "connect", "/settings/security");
        Self {
            connected: connections.connected.iter().map(|one| ConnectedAccount::new(one, times, providers)).collect(),
            others: providers.iter().filter(is_connectable).map(button).collect(),
        }
    }

    /// Whether the card has any content.
    pub const fn is_shown(&self) -> bool {
        !self.connected.is_empty() || !self.others.is_empty()
    }
}
