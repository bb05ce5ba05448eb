//! To a provider and back: two transactions, with the slow talk between them.

use std::sync::Arc;
use std::time::Duration;

use super::super::ops::proofs_open;
use super::error::{OauthError, Refusal};
use super::model::{Answered, Arrived, Found, Purpose, Way};
use super::{client, ops};
use crate::app::App;
use crate::base::{AccountId, Actor, SessionId, seconds};
use crate::config::Provider;
use crate::outbound::CallError;

/// All that is asked of a provider for one page: people wait for it.
const TALK_MAX: Duration = seconds(9);

/// A provider of the settings.
///
/// # Errors
/// [`OauthError::NotFound`].
pub fn provider(app: &App, name: &str) -> Result<Provider, OauthError> {
    app.config().oauth.iter().find(|provider| provider.name == name).cloned().ok_or(OauthError::NotFound)
}

/// Whether to believe in waiting: `work`, or that the provider is too slow.
async fn in_time<T>(provider: &Provider, work: impl Future<Output = Result<T, OauthError>>) -> Result<T, OauthError> {
    let slow = || OauthError::Down { provider: provider.label.clone(), cause: CallError::TooSlow };
    tokio::time::timeout(TALK_MAX, work).await.unwrap_or_else(|_| Err(slow()))
}

/// Opens a way to the provider for the browser that holds `binder`; answers where the browser goes. `who`: the person in
/// its session.
///
/// # Errors
/// [`OauthError::NotFound`]; [`OauthError::Down`]; [`OauthError::HasBetterProof`] for a proof by somebody who has one.
pub async fn start(
    app: &Arc<App>,
    name: &str,
    purpose: Purpose,
    who: Option<AccountId>,
    next: &str,
    binder: &str,
) -> Result<String, OauthError> {
    let provider = provider(app, name)?;
    if let (Purpose::StepUp, Some(account)) = (purpose, who) {
        let open = app.read_offloaded(move |view| Ok::<_, OauthError>(proofs_open(view, account)?)).await?;
        if !open.provider {
            return Err(OauthError::HasBetterProof);
        }
    }
    in_time(&provider, client::is_there(app, &provider)).await?;
    // What comes in by this way belongs to nobody yet, whoever leaves.
    let account = who.filter(|_| purpose != Purpose::SignIn);
    let (name, next, binder) = (provider.name.clone(), next.to_owned(), binder.to_owned());
    let started =
        app.write(move |tx| Ok::<_, OauthError>(ops::begin(tx, &name, purpose, account, &next, &binder)?)).await?;
    in_time(&provider, client::authorize_url(app, &provider, &started, purpose)).await
}

/// Keeps an answer that a provider sent as a form, for [`fetch_posted`].
///
/// # Errors
/// [`OauthError::NotFound`] for a provider that does not.
pub async fn post(app: &Arc<App>, name: &str, answered: Answered) -> Result<(), OauthError> {
    let provider = provider(app, name)?;
    if !matches!(provider.kind, crate::config::ProviderKind::Apple(_)) {
        return Err(OauthError::NotFound);
    }
    app.write(move |tx| Ok(ops::post(tx, &provider.name, &answered)?)).await
}

/// What was posted for a state; an answer that fits nothing where there is none.
///
/// # Errors
/// [`OauthError::NotFound`], [`OauthError::Signin`].
pub async fn fetch_posted(app: &Arc<App>, name: &str, state: &str) -> Result<Answered, OauthError> {
    let (name, state) = (provider(app, name)?.name, state.to_owned());
    app.read_offloaded(move |view| Ok(ops::posted(view, &name, &state)?.unwrap_or_default())).await
}

/// Takes the answer of a provider. Answers how it goes on, and where.
///
/// # Errors
/// [`OauthError`]; nobody is signed in, connected or made then.
pub async fn finish(
    app: &Arc<App>,
    actor: Actor,
    name: &str,
    answered: Answered,
    binder: Option<String>,
    who: Option<(AccountId, SessionId)>,
) -> Result<(Arrived, String), OauthError> {
    let provider = provider(app, name)?;
    let way = {
        let (actor, provider, answered) = (actor.clone(), provider.clone(), answered.clone());
        app.write(move |tx| ops::take(tx, &actor, &provider, &answered, binder.as_deref())).await??
    };
    if answered.code.is_empty() {
        return Err(OauthError::Declined { provider: provider.label });
    }
    match in_time(&provider, client::find(app, &provider, &way, &answered)).await {
        Ok(found) => arrive(app, actor, provider, way, found, who).await,
        Err(OauthError::Refused(refusal)) => Err(refused(app, actor, provider, way, refusal).await?),
        Err(error) => Err(error),
    }
}

async fn arrive(
    app: &Arc<App>,
    actor: Actor,
    provider: Provider,
    way: Way,
    found: Found,
    who: Option<(AccountId, SessionId)>,
) -> Result<(Arrived, String), OauthError> {
    app.write(move |tx| {
        let arrived = ops::arrive(tx, &actor, &provider, &way, &found, who)?;
        Ok::<_, OauthError>(arrived.map(|arrived| (arrived, way.next)))
    })
    .await?
}

async fn refused(
    app: &Arc<App>,
    actor: Actor,
    provider: Provider,
    way: Way,
    refusal: Refusal,
) -> Result<OauthError, OauthError> {
    app.write(move |tx| ops::refuse(tx, &actor, &provider, Some(&way), refusal)).await
}
