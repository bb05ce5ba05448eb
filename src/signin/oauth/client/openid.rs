//! Who somebody is at an OpenID provider.

use std::time::Duration;

use serde_json::Value;

use super::super::error::{OauthError, Refusal};
use super::super::id_token::{self, TokenError};
use super::super::json::{object, text};
use super::super::model::{AuthorizationRequest, AuthorizationResponse, ExternalIdentity, is_authoritative};
use super::claims::{Claims, SentClaims};
use super::exchange::Tokens;
use super::metadata::Endpoints;
use super::{check_allowed_domain, unavailable};
use crate::app::App;
use crate::base::seconds;
use crate::config::{Provider, ProviderKind};
use crate::outbound::{CallError, Freshness};

/// How long userinfo may take. It only adds to what is known, so a slow one must not use up the time of the sign-in.
const USERINFO_TIMEOUT: Duration = seconds(3);

pub(super) async fn identity(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    request: &AuthorizationRequest,
    response: &AuthorizationResponse,
    tokens: &Tokens,
) -> Result<ExternalIdentity, OauthError> {
    let now = app.now();
    let check = |keys: &[u8]| id_token::check(provider, request, &tokens.id_token, keys, now);
    let fetch = |wanted| app.http_client().document(&endpoints.jwks, now, wanted);
    let keys = fetch(Freshness::Cached).await.map_err(|error| unavailable(provider, error))?;
    let checked = match check(&keys) {
        // A key that is not in the cached set may be new. The client limits how often the set is fetched, so a sender
        // of tokens with unknown keys cannot cause many requests.
        Err(TokenError { needs_new_keys: true, .. }) => {
            check(&fetch(Freshness::Reload).await.map_err(|error| unavailable(provider, error))?)
        }
        checked => checked,
    };
    let checked = checked.map_err(|TokenError { member, what, .. }| {
        tracing::warn!(provider = provider.name, member, "An ID token was refused: {what}.");
        OauthError::Refused(Refusal::Token(member))
    })?;
    let mut claims = Claims::read(provider, &object::<SentClaims>(&checked.payload).unwrap_or_default());
    if claims.lacks_something()
        && let Some(url) = &endpoints.userinfo
        && !tokens.access_token.is_empty()
    {
        claims = claims.completed_by(userinfo(app, provider, url, &tokens.access_token, &checked.subject).await?);
    }
    let is_verified = claims.email.is_some() && (provider.trust_emails || claims.is_verified == Some(true));
    check_allowed_domain(provider, claims.email.as_ref(), is_verified, claims.hd.as_deref())?;
    Ok(ExternalIdentity {
        provider: provider.name.clone(),
        issuer: provider.issuer.clone(),
        subject: checked.subject,
        is_authoritative: claims
            .email
            .as_ref()
            .is_some_and(|email| is_authoritative(provider, email, is_verified, claims.hd.as_deref())),
        is_verified,
        email: claims.email,
        name: claims.name.unwrap_or_else(|| apple_name(provider, &response.user)),
        login: claims.login.unwrap_or_default(),
        proved_at: checked.proved_at,
    })
}

/// Fetches the claims that the ID token lacks. If it fails, they are missing, and the person is who the ID token says.
/// Claims about another subject refuse the sign-in (OpenID Connect Core §5.3.2).
async fn userinfo(
    app: &App,
    provider: &Provider,
    url: &str,
    access_token: &str,
    subject: &str,
) -> Result<Claims, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let headers = [("Authorization", bearer.as_str())];
    let call = tokio::time::timeout(USERINFO_TIMEOUT, app.http_client().get(url, &headers));
    let sent: Option<SentClaims> = match call.await.unwrap_or(Err(CallError::TooSlow)) {
        Ok(reply) if reply.status == 200 => object(&reply.body),
        Ok(reply) => {
            tracing::warn!(provider = provider.name, status = reply.status, "{NO_USERINFO}");
            return Ok(Claims::default());
        }
        // A choice of the admin, and nothing is wrong.
        Err(cause @ CallError::Undeclared(_)) => {
            tracing::info!(provider = provider.name, %cause, "{NO_USERINFO}");
            return Ok(Claims::default());
        }
        Err(cause) => {
            tracing::warn!(provider = provider.name, %cause, "{NO_USERINFO}");
            return Ok(Claims::default());
        }
    };
    match sent {
        Some(sent) if text(sent.sub.as_ref()) == Some(subject) => Ok(Claims::read(provider, &sent)),
        Some(SentClaims { sub: Some(Value::String(_)), .. }) => {
            let member = "sub";
            tracing::warn!(provider = provider.name, member, "A provider's userinfo is about another person.");
            Err(OauthError::Refused(Refusal::Answer))
        }
        Some(_) => {
            tracing::warn!(provider = provider.name, member = "sub", "{NO_USERINFO}");
            Ok(Claims::default())
        }
        None => {
            tracing::warn!(provider = provider.name, "{NO_USERINFO} It is not a JSON object.");
            Ok(Claims::default())
        }
    }
}

const NO_USERINFO: &str = "A provider's userinfo cannot be used, so what the ID token lacks stays unknown.";

/// The name in Apple's form. It is not trusted for identification, because the form came through the browser.
fn apple_name(provider: &Provider, user: &str) -> String {
    let form: Option<Value> =
        matches!(provider.kind, ProviderKind::Apple(_)).then(|| serde_json::from_str(user).ok()).flatten();
    let part = |key: &str| form.as_ref().and_then(|form| form.get("name")?.get(key)?.as_str()).unwrap_or_default();
    format!("{} {}", part("firstName"), part("lastName")).trim().to_owned()
}
