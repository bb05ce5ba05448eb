//! Sign-in with another provider: two transactions, with the slow requests to the provider between them.

use std::sync::Arc;
use std::time::Duration;

use super::super::ops::step_up_options;
use super::error::OauthError;
use super::model::{AuthorizationRequest, AuthorizationResponse, CallbackOutcome, ExternalIdentity, Purpose};
use super::{client, ops};
use crate::app::App;
use crate::base::{AccountId, Actor, SessionId, seconds};
use crate::config::Provider;
use crate::outbound::CallError;

/// The limit for all requests to a provider during one page, because a person waits for it.
const PROVIDER_TIMEOUT: Duration = seconds(9);

/// The provider of this name from the settings.
///
/// # Errors
/// [`OauthError::NotFound`].
pub fn provider(app: &App, name: &str) -> Result<Provider, OauthError> {
    app.config().oauth.iter().find(|provider| provider.name == name).cloned().ok_or(OauthError::NotFound)
}

/// Runs `work` within [`PROVIDER_TIMEOUT`], else fails with [`OauthError::Unavailable`].
async fn in_time<T>(provider: &Provider, work: impl Future<Output = Result<T, OauthError>>) -> Result<T, OauthError> {
    let slow = || OauthError::Unavailable { provider: provider.label.clone(), cause: CallError::TooSlow };
    tokio::time::timeout(PROVIDER_TIMEOUT, work).await.unwrap_or_else(|_| Err(slow()))
}

/// Starts an authorization request for the browser that holds `state_cookie`, and returns the URL of the provider.
/// `signed_in`: the account of the session, if there is one.
///
/// # Errors
/// [`OauthError::NotFound`]; [`OauthError::Unavailable`], [`OauthError::Misconfigured`];
/// [`OauthError::StrongerProofRequired`] for a step-up by a
/// person who has a password or a second factor.
pub async fn start(
    app: &Arc<App>,
    name: &str,
    purpose: Purpose,
    signed_in: Option<AccountId>,
    next: &str,
    state_cookie: &str,
) -> Result<String, OauthError> {
    let provider = provider(app, name)?;
    if let (Purpose::StepUp, Some(account)) = (purpose, signed_in) {
        let open = app.read_offloaded(move |view| Ok::<_, OauthError>(step_up_options(view, account)?)).await?;
        if !open.provider {
            return Err(OauthError::StrongerProofRequired);
        }
    }
    in_time(&provider, client::check_available(app, &provider)).await?;
    // A sign-in belongs to no account yet, even when the browser has a session.
    let account = signed_in.filter(|_| purpose != Purpose::SignIn);
    let (name, next, state_cookie) = (provider.name.clone(), next.to_owned(), state_cookie.to_owned());
    let started = app
        .write(move |tx| Ok::<_, OauthError>(ops::begin(tx, &name, purpose, account, &next, &state_cookie)?))
        .await?;
    in_time(&provider, client::authorize_url(app, &provider, &started, purpose)).await
}

/// Stores a response that a provider sent as a form, for [`fetch_posted`].
///
/// # Errors
/// [`OauthError::NotFound`] for a provider that sends no forms: only Apple does.
pub async fn keep_posted(app: &Arc<App>, name: &str, response: AuthorizationResponse) -> Result<(), OauthError> {
    let provider = provider(app, name)?;
    if !matches!(provider.kind, crate::config::ProviderKind::Apple(_)) {
        return Err(OauthError::NotFound);
    }
    app.write(move |tx| Ok(ops::keep_posted(tx, &provider.name, &response)?)).await
}

/// The response that was posted for a state. Without one: an empty response, which matches no request.
///
/// # Errors
/// [`OauthError::NotFound`], [`OauthError::Signin`].
pub async fn fetch_posted(app: &Arc<App>, name: &str, state: &str) -> Result<AuthorizationResponse, OauthError> {
    let (name, state) = (provider(app, name)?.name, state.to_owned());
    app.read_offloaded(move |view| Ok(ops::find_posted(view, &name, &state)?.unwrap_or_default())).await
}

/// Checks the response of a provider, exchanges its code, and completes the request. Returns the outcome and the path
/// to continue at.
///
/// # Errors
/// [`OauthError`]; then no session, connection or account was created.
pub async fn finish(
    app: &Arc<App>,
    actor: Actor,
    name: &str,
    response: AuthorizationResponse,
    state_cookie: Option<String>,
    session: Option<(AccountId, SessionId)>,
) -> Result<(CallbackOutcome, String), OauthError> {
    let provider = provider(app, name)?;
    let request = {
        let (actor, provider, response) = (actor.clone(), provider.clone(), response.clone());
        app.write_deciding(move |tx| ops::consume(tx, &actor, &provider, &response, state_cookie.as_deref())).await
    }
    .inspect_err(|error| client::log_refused_response(&provider, error))?;
    if response.code.is_empty() {
        client::log_declined(&provider, &response);
        return Err(OauthError::Declined { provider: provider.label });
    }
    match in_time(&provider, client::fetch_identity(app, &provider, &request, &response)).await {
        Ok(external) => complete(app, actor, provider, request, external, session).await,
        Err(OauthError::Refused(refusal)) => {
            app.write_deciding(move |tx| ops::refuse(tx, &actor, &provider, Some(&request), refusal)).await
        }
        Err(error) => Err(error),
    }
}

async fn complete(
    app: &Arc<App>,
    actor: Actor,
    provider: Provider,
    request: AuthorizationRequest,
    external: ExternalIdentity,
    session: Option<(AccountId, SessionId)>,
) -> Result<(CallbackOutcome, String), OauthError> {
    app.write_deciding(move |tx| {
        let outcome = ops::complete(tx, &actor, &provider, &request, &external, session)?;
        Ok(outcome.map(|outcome| (outcome, request.next)))
    })
    .await
}
