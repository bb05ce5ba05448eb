//! The client for providers: metadata, the authorization URL, the token exchange, and the identity of the person.
//!
//! ```text
//! metadata (cached 1 h) ── issuer = the configured one ── token endpoint: code + PKCE verifier
//!    ├─ OpenID: the ID token is checked against the key set (cached 1 h); claims that it lacks come from userinfo
//!    └─ GitHub: /user and /user/emails
//! ```
//!
//! It is strict where an answer decides who somebody is: issuer, subject, audience, authorized party, nonce, times and
//! signature. Everything else is optional: a member that is missing or has a type of its own is as if it was not sent.

mod claims;
mod exchange;
mod github;
mod metadata;
mod openid;

use super::error::{OauthError, Refusal};
use super::model::{AuthorizationParams, AuthorizationRequest, AuthorizationResponse, ExternalIdentity, Purpose};
use crate::app::App;
use crate::base::EmailAddress;
use crate::config::{Provider, ProviderKind};
use crate::outbound::CallError;

/// The calls that fail until somebody changes the settings are not the provider's fault.
fn unavailable(provider: &Provider, cause: CallError) -> OauthError {
    match cause {
        CallError::Address(_)
        | CallError::Undeclared(_)
        | CallError::NotForWebhooks(_)
        | CallError::Private { .. }
        | CallError::PrivateForWebhooks { .. }
        | CallError::Authorities(_) => misconfigured(provider, cause.to_string()),
        CallError::TooSlow | CallError::TooLong(_) | CallError::Failed(_) => {
            OauthError::Unavailable { provider: provider.label.clone(), cause }
        }
    }
}

fn misconfigured(provider: &Provider, cause: String) -> OauthError {
    OauthError::Misconfigured { provider: provider.label.clone(), cause }
}

/// The letters of an error code (RFC 6749 §5.2). It is text of the provider, so nothing else of it is logged.
fn error_code(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect()
}

/// Our callback URL for a provider.
fn callback(app: &App, provider: &Provider) -> String {
    format!("{}/oauth/{}/callback", app.config().public_url, provider.name)
}

/// Checks that the provider answers. Its metadata is in the cache afterwards.
pub(super) async fn check_available(app: &App, provider: &Provider) -> Result<(), OauthError> {
    metadata::endpoints(app, provider).await.map(|_| ())
}

/// The URL at the provider that the browser is redirected to.
pub(super) async fn authorize_url(
    app: &App,
    provider: &Provider,
    started: &AuthorizationParams,
    purpose: Purpose,
) -> Result<String, OauthError> {
    let endpoints = metadata::endpoints(app, provider).await?;
    let callback = callback(app, provider);
    let usual = match provider.kind {
        ProviderKind::Google | ProviderKind::Oidc => "openid email profile",
        ProviderKind::GitHub => "read:user user:email",
        ProviderKind::Apple(_) => "name email",
    };
    let scopes = if provider.scopes.is_empty() { usual.to_owned() } else { provider.scopes.join(" ") };
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", callback.as_str()),
        ("scope", scopes.as_str()),
        ("state", started.state.expose().as_str()),
        ("code_challenge", started.challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if provider.kind != ProviderKind::GitHub {
        query.push(("nonce", started.nonce.expose().as_str()));
    }
    match (&provider.kind, purpose) {
        // Apple sends name and address only in this mode.
        (ProviderKind::Apple(_), _) => query.push(("response_mode", "form_post")),
        (ProviderKind::Oidc, Purpose::StepUp) => query.extend([("prompt", "login"), ("max_age", "0")]),
        (ProviderKind::Google | ProviderKind::GitHub, Purpose::StepUp | Purpose::Connect) => {
            query.push(("prompt", "select_account"));
        }
        (_, _) => {}
    }
    // Only a hint for the account chooser. The domain is checked in the token.
    if let (ProviderKind::Google, [domain]) = (&provider.kind, provider.allowed_domains.as_slice()) {
        query.push(("hd", domain));
    }
    let url = reqwest::Url::parse_with_params(&endpoints.authorize, &query).ok();
    let is_safe = |url: &reqwest::Url| {
        url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
    };
    let unusable = || misconfigured(provider, "the authorization_endpoint is not an https URL".to_owned());
    url.filter(is_safe).map(String::from).ok_or_else(unusable)
}

/// Logs why a provider sent the browser back without a code. Most people have cancelled there.
pub(super) fn log_declined(provider: &Provider, response: &AuthorizationResponse) {
    let error = error_code(&response.error);
    match error.as_str() {
        "access_denied" => tracing::info!(provider = provider.name, error, "A provider declined a sign-in."),
        _ => tracing::warn!(provider = provider.name, error, "A provider declined a sign-in."),
    }
}

/// Logs why a response of the right browser was refused. What anybody can send without having begun is not logged here.
pub(super) fn log_refused_response(provider: &Provider, error: &OauthError) {
    let provider = provider.name.as_str();
    match error {
        OauthError::Refused(Refusal::Issuer) => {
            tracing::warn!(provider, member = "iss", "A response was refused: it comes from another issuer.");
        }
        OauthError::Refused(Refusal::Answer) => {
            tracing::warn!(provider, member = "error", "A response was refused: it has a code and an error.");
        }
        _ => {}
    }
}

/// Exchanges the code and returns the identity that it stands for. The issuer is checked before the first request.
pub(super) async fn fetch_identity(
    app: &App,
    provider: &Provider,
    request: &AuthorizationRequest,
    response: &AuthorizationResponse,
) -> Result<ExternalIdentity, OauthError> {
    let endpoints = metadata::endpoints(app, provider).await?;
    if endpoints.always_names_issuer && response.issuer.is_none() {
        tracing::warn!(
            provider = provider.name,
            member = "iss",
            "A response was refused: it does not name its issuer, although the metadata promise it."
        );
        return Err(OauthError::Refused(Refusal::Issuer));
    }
    let tokens = exchange::exchange(app, provider, &endpoints, request, &response.code).await?;
    match &provider.kind {
        ProviderKind::GitHub => github::identity(app, provider, &tokens.access_token).await,
        _ => openid::identity(app, provider, &endpoints, request, response, &tokens).await,
    }
}

/// Refuses people outside the domains that the settings name (`allowed_domains`; empty: everybody is allowed). It is
/// decided by what the provider vouches for: for Google by its organization claim (`hd`), for others by the domain of a
/// verified address.
fn check_allowed_domain(
    provider: &Provider,
    email: Option<&EmailAddress>,
    is_verified: bool,
    hd: Option<&str>,
) -> Result<(), OauthError> {
    let allowed = &provider.allowed_domains;
    let domain = match provider.kind {
        ProviderKind::Google => hd.map(str::to_ascii_lowercase),
        _ => email.map(EmailAddress::domain),
    };
    if allowed.is_empty() {
        return Ok(());
    }
    let is_allowed = domain.as_ref().is_some_and(|domain| allowed.contains(domain));
    let provider_name = provider.name.as_str();
    let refusal = match (&provider.kind, &domain) {
        (ProviderKind::Google, _) if is_allowed => return Ok(()),
        (_, Some(_)) if is_allowed && is_verified => return Ok(()),
        (_, Some(_)) if is_allowed => {
            tracing::warn!(
                provider = provider_name,
                member = "email_verified",
                "A person was refused: allowed_domains is set, and the provider does not say that the address is \
                 verified. If its admins alone set addresses, set trust_emails = true for it."
            );
            Refusal::Unverified
        }
        (ProviderKind::Google, _) | (_, Some(_)) => {
            tracing::info!(
                provider = provider_name,
                member = if provider.kind == ProviderKind::Google { "hd" } else { "email" },
                "A person was refused: they do not belong to one of the allowed_domains of the provider."
            );
            Refusal::Domain
        }
        (_, None) => {
            tracing::warn!(
                provider = provider_name,
                member = "email",
                "A person was refused: allowed_domains is set, and the provider gave no address. Let it release \
                 the address to this client (scope email)."
            );
            Refusal::NoAddress
        }
    };
    Err(OauthError::Refused(refusal))
}
