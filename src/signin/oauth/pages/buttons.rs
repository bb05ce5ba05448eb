//! The buttons for providers. They are links, because the content security policy of our pages allows no forms to other
//! sites (ui, section 3).

use crate::app::App;
use crate::base::AccountId;
use crate::config::{Provider, ProviderKind};
use crate::db::{self, View};
use crate::signin::oauth;
use crate::signin::pages::next_path;

/// A button that starts an authorization request.
pub struct ProviderButton {
    /// The label of the provider.
    pub label: String,
    /// The logo: `google`, `apple`, `github` or `oidc`.
    pub icon: &'static str,
    /// The path of the link, with its query.
    pub href: String,
}

impl ProviderButton {
    /// A button for a provider. `purpose`: as [`Purpose::parse`](super::super::model::Purpose::parse) reads it. `next`:
    /// the path to continue at; empty: the default.
    pub fn new(provider: &Provider, purpose: &str, next: &str) -> Self {
        let next = if next.is_empty() { String::new() } else { next_path(next).replace('&', "%26") };
        let query: Vec<String> = [("purpose", purpose), ("next", &next)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let separator = if query.is_empty() { "" } else { "?" };
        Self {
            label: provider.label.clone(),
            icon: icon_of(Some(provider)),
            href: format!("/oauth/{}/start{separator}{}", provider.name, query.join("&")),
        }
    }
}

/// The logo of a provider. `None`, for one that is no longer in the settings, gives the generic one.
pub fn icon_of(provider: Option<&Provider>) -> &'static str {
    match provider.map(|provider| &provider.kind) {
        Some(ProviderKind::Google) => "google",
        Some(ProviderKind::Apple(_)) => "apple",
        Some(ProviderKind::GitHub) => "github",
        Some(ProviderKind::Oidc) | None => "oidc",
    }
}

/// The buttons of the sign-in and sign-up pages: one for each configured provider.
pub fn provider_buttons(app: &App, next: &str) -> Vec<ProviderButton> {
    app.config().oauth.iter().map(|provider| ProviderButton::new(provider, "", next)).collect()
}

/// The buttons for step-up: one for each configured provider that the account is connected to.
///
/// # Errors
/// [`db::Error`].
pub fn step_up_buttons(view: &View<'_>, account: AccountId, next: &str) -> Result<Vec<ProviderButton>, db::Error> {
    let identities = oauth::identities(view, account)?;
    let is_connected = |provider: &&Provider| identities.iter().any(|one| one.issuer == provider.issuer);
    let providers = view.site().config.oauth.iter().filter(is_connected);
    Ok(providers.map(|provider| ProviderButton::new(provider, "step-up", next)).collect())
}
