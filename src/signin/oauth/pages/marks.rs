//! The providers as buttons. They are links, because our pages' policy sends forms nowhere else (ui, section 3).

use crate::app::App;
use crate::base::AccountId;
use crate::config::{Provider, ProviderKind};
use crate::db::{self, View};
use crate::http::page;
use crate::signin::oauth;

/// A button that leads to a provider.
pub struct Mark {
    /// On the button.
    pub label: String,
    /// Which picture: `google`, `apple`, `github` or `oidc`.
    pub icon: &'static str,
    /// Where it leads.
    pub href: String,
}

impl Mark {
    /// A button to a provider for this purpose.
    pub fn new(provider: &Provider, purpose: &str, next: &str) -> Self {
        let next = if next.is_empty() { String::new() } else { page::safe_path(next).replace('&', "%26") };
        let query: Vec<String> = [("purpose", purpose), ("next", &next)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        Self {
            label: provider.label.clone(),
            icon: icon_of(Some(provider)),
            href: format!("/oauth/{}/start{mark}{}", provider.name, query.join("&")),
        }
    }
}

/// Which picture a provider has; one that left the settings has the plain one.
pub fn icon_of(provider: Option<&Provider>) -> &'static str {
    match provider.map(|provider| &provider.kind) {
        Some(ProviderKind::Google) => "google",
        Some(ProviderKind::Apple(_)) => "apple",
        Some(ProviderKind::GitHub) => "github",
        Some(ProviderKind::Oidc) | None => "oidc",
    }
}

/// The buttons of the sign-in and sign-up pages, for the configured providers.
pub fn marks(app: &App, next: &str) -> Vec<Mark> {
    app.config().oauth.iter().map(|provider| Mark::new(provider, "", next)).collect()
}

/// Where somebody can prove themselves once more: the providers that they are connected with.
///
/// # Errors
/// [`db::Error`].
pub fn step_up_marks(view: &View<'_>, account: AccountId, next: &str) -> Result<Vec<Mark>, db::Error> {
    let identities = oauth::identities(view, account)?;
    let is_connected = |provider: &&Provider| identities.iter().any(|one| one.issuer == provider.issuer);
    let providers = view.site().config.oauth.iter().filter(is_connected);
    Ok(providers.map(|provider| Mark::new(provider, "step-up", next)).collect())
}
