//! The section of connected accounts.

use crate::base::{AccountId, Problem};
use crate::config::Provider;
use crate::db::{self, View};
use crate::http::SignedIn;
use crate::http::page::TheApp;
use crate::signin::oauth::{self, pages::Mark};

/// A provider that the person is connected with.
pub struct Connected {
    /// For its form.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// Its picture.
    pub icon: &'static str,
    /// Who they are there.
    pub label: String,
    /// Since when, and when it was last used.
    pub details: String,
    /// Whether it is the only way in.
    pub is_last: bool,
}

/// The section. Without providers and connections it is left out.
pub struct Identities {
    /// What is connected.
    pub connected: Vec<Connected>,
    /// What can be.
    pub others: Vec<Mark>,
}

impl Identities {
    pub(super) fn new(app: &TheApp, who: &SignedIn) -> Result<Self, Problem> {
        let account = who.identity.account;
        Ok(app.read_inline(|view| Self::read(view, account))?)
    }

    fn read(view: &View<'_>, account: AccountId) -> Result<Self, db::Error> {
        let providers = &view.site().config.oauth;
        let identities = oauth::identities(view, account)?;
        let mut connected = Vec::new();
        for identity in &identities {
            let provider = providers.iter().find(|provider| provider.issuer == identity.issuer);
            connected.push(Connected {
                id: identity.id.to_string(),
                provider: provider.map_or(&identity.provider, |provider| &provider.label).clone(),
                icon: oauth::pages::icon_of(provider),
                label: identity.label.clone(),
                details: format!(
                    "Connected on {} · last used on {}",
                    identity.linked_at.day(),
                    identity.last_used_at.day()
                ),
                is_last: oauth::ways_in(view, account, Some(identity.id))? == 0,
            });
        }
        let is_new = |provider: &&Provider| !identities.iter().any(|identity| identity.issuer == provider.issuer);
        let others =
            providers.iter().filter(is_new).map(|provider| Mark::new(provider, "connect", "/settings/security"));
        Ok(Self { connected, others: others.collect() })
    }

    /// Whether there is anything to show.
    pub fn is_shown(&self) -> bool {
        !self.connected.is_empty() || !self.others.is_empty()
    }
}
