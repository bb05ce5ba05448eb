//! The section "Connected accounts".

use crate::base::{AccountId, Problem};
use crate::config::Provider;
use crate::db::{self, View};
use crate::http::SignedIn;
use crate::http::page::AppData;
use crate::signin::oauth::{self, pages::ProviderButton};

/// A row of the list.
#[allow(missing_docs)]
pub struct ConnectedAccount {
    pub id: String,
    pub provider: String,
    pub icon: &'static str,
    pub label: String,
    pub details: String,
    /// Whether it is the only sign-in method, so that it cannot be removed.
    pub is_last: bool,
}

/// The section. It is left out if there are no providers and no connected accounts.
#[allow(missing_docs)]
pub struct IdentitiesCard {
    pub connected: Vec<ConnectedAccount>,
    /// The providers that can be connected.
    pub others: Vec<ProviderButton>,
}

impl IdentitiesCard {
    pub(super) fn new(app: &AppData, who: &SignedIn) -> Result<Self, Problem> {
        let account = who.identity.account;
        Ok(app.read_inline(|view| Self::read(view, account))?)
    }

    fn read(view: &View<'_>, account: AccountId) -> Result<Self, db::Error> {
        let providers = &view.site().config.oauth;
        let identities = oauth::identities(view, account)?;
        let mut connected = Vec::new();
        for identity in &identities {
            let provider = providers.iter().find(|provider| provider.issuer == identity.issuer);
            connected.push(ConnectedAccount {
                id: identity.id.to_string(),
                provider: provider.map_or(&identity.provider, |provider| &provider.label).clone(),
                icon: oauth::pages::icon_of(provider),
                label: identity.label.clone(),
                details: format!(
                    "Connected on {} · last used on {}",
                    identity.linked_at.day(),
                    identity.last_used_at.day()
                ),
                is_last: oauth::sign_in_methods(view, account, Some(identity.id))? == 0,
            });
        }
        let is_new = |provider: &&Provider| !identities.iter().any(|identity| identity.issuer == provider.issuer);
        let others = providers
            .iter()
            .filter(is_new)
            .map(|provider| ProviderButton::new(provider, "connect", "/settings/security"));
        Ok(Self { connected, others: others.collect() })
    }

    /// Whether the section has any content.
    pub fn is_shown(&self) -> bool {
        !self.connected.is_empty() || !self.others.is_empty()
    }
}
