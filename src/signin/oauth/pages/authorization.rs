//! The redirect to a provider, and its callback.

use actix_web::web::{Bytes, Path, Query};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Deserialize;

use super::super::super::flashes::SigninFlash;
use super::super::super::pages::{continue_sign_in, next_path, show_sign_in_with};
use super::super::error::OauthError;
use super::super::flows;
use super::super::model::{AuthorizationResponse, CallbackOutcome, Purpose};
use super::{STATE_COOKIE, STATE_COOKIE_MAX_AGE, state_cookie_of};
use crate::base::{Actor, Problem, Rng};
use crate::crypto::tokens;
use crate::http::page::AppData;
use crate::http::{
    Answer, Identity, RenewedCookie, VisitorOf, cookie, decode_form_owned, redirect, redirect_with_flash,
};

/// The query of a link to a provider.
#[derive(Deserialize)]
pub struct StartParams {
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    next: String,
}

/// The identity of the browser's session. `None`: it has no session.
fn identity_of(request: &HttpRequest) -> Option<Identity> {
    request.extensions().get::<Identity>().cloned()
}

/// `GET /oauth/{name}/start`: a link and not a form, because the content security policy of our pages allows no forms
/// to other sites.
pub async fn start(app: AppData, request: HttpRequest, name: Path<String>, params: Query<StartParams>) -> Answer {
    flows::provider(&app, &name)?;
    let purpose = Purpose::parse(&params.purpose).ok_or_else(Problem::not_found)?;
    let identity = identity_of(&request);
    if purpose.needs_session() && identity.is_none() {
        return Err(Problem::new(401, "signed_out", "Sign in to see this page.").into());
    }
    // One browser may start several requests at once, so an existing cookie is kept.
    let state_cookie =
        state_cookie_of(&request).unwrap_or_else(|| tokens::random_token(&mut Rng::system()).expose().clone());
    let account = identity.map(|identity| identity.account);
    match flows::start(&app, &name, purpose, account, next_path(&params.next), &state_cookie).await {
        Ok(url) => {
            let mut response = redirect(&url);
            let _ = response.add_cookie(&cookie(STATE_COOKIE, state_cookie, Some(STATE_COOKIE_MAX_AGE)));
            Ok(response)
        }
        Err(error) => show_failure(&app, &request, error),
    }
}

/// The query of a callback (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize)]
pub struct CallbackParams {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
    iss: Option<String>,
}

/// `GET /oauth/{name}/callback`.
pub async fn callback(
    app: AppData,
    request: HttpRequest,
    visitor: VisitorOf,
    name: Path<String>,
    params: Query<CallbackParams>,
) -> Answer {
    let CallbackParams { state, code, error, iss } = params.into_inner();
    let response = AuthorizationResponse { state, code, error, issuer: iss, user: String::new() };
    complete(&app, &request, visitor, &name, response).await
}

/// `POST /oauth/{name}/callback`: Apple's response is a form from another site. The browser sends no cookie with it
/// (ours are `SameSite=Lax`) and no CSRF token, so nothing is decided here. The response is stored for a minute in the
/// row of its state, and the browser is redirected to [`finish`] with a GET, which carries its cookies.
pub async fn posted_callback(app: AppData, name: Path<String>, body: Bytes) -> Answer {
    flows::provider(&app, &name)?;
    let fields = decode_form_owned(&body)?;
    let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let text = |name: &str| field(name).unwrap_or_default();
    let response = AuthorizationResponse {
        state: text("state"),
        code: text("code"),
        error: text("error"),
        issuer: field("iss"),
        user: text("user"),
    };
    let is_state = response.state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let state = if is_state { response.state.clone() } else { String::new() };
    flows::keep_posted(&app, &name, response).await?;
    Ok(redirect(&format!("/oauth/{name}/finish?state={state}")))
}

/// `GET /oauth/{name}/finish`: takes the response that was posted.
pub async fn finish(
    app: AppData,
    request: HttpRequest,
    visitor: VisitorOf,
    name: Path<String>,
    params: Query<CallbackParams>,
) -> Answer {
    let posted = flows::fetch_posted(&app, &name, &params.state).await?;
    complete(&app, &request, visitor, &name, posted).await
}

async fn complete(
    app: &AppData,
    request: &HttpRequest,
    visitor: VisitorOf,
    name: &str,
    response: AuthorizationResponse,
) -> Answer {
    let identity = identity_of(request);
    let actor = match &identity {
        None => Actor::Anonymous(visitor.0),
        Some(who) => {
            Actor::SignedIn { account: who.account, workspace: who.workspace, session: who.session, visitor: visitor.0 }
        }
    };
    let session = identity.map(|who| (who.account, who.session));
    match flows::finish(app, actor, name, response, state_cookie_of(request), session).await {
        Ok((outcome, next)) => Ok(continue_with(app, request, outcome, &next)),
        Err(error) => show_failure(app, request, error),
    }
}

fn continue_with(app: &AppData, request: &HttpRequest, outcome: CallbackOutcome, next: &str) -> HttpResponse {
    match outcome {
        CallbackOutcome::SignedIn(started) => continue_sign_in(app, started, next),
        CallbackOutcome::UsernameRequired | CallbackOutcome::SignInRequired => redirect("/oauth/sign-up"),
        CallbackOutcome::ConfirmationRequired => redirect("/oauth/connect"),
        CallbackOutcome::AlreadyConnected => {
            redirect_with_flash("/settings/security#identities-card", SigninFlash::Connected)
        }
        CallbackOutcome::SteppedUp(renewed) => {
            request.extensions_mut().insert(RenewedCookie { token: renewed.token, keep: renewed.keep });
            redirect(next_path(next))
        }
    }
}

/// A signed-in person sees the problem itself. Others see it on the sign-in page, with the other sign-in methods.
fn show_failure(app: &AppData, request: &HttpRequest, error: OauthError) -> Answer {
    match &error {
        OauthError::Misconfigured { cause, .. } => {
            tracing::warn!(cause, "A provider cannot be used with these settings.");
        }
        OauthError::Unavailable { cause, .. } => tracing::warn!(%cause, "A provider could not be reached."),
        _ => {}
    }
    let problem = Problem::from(error);
    if problem.status == 404 || identity_of(request).is_some() {
        return Err(problem.into());
    }
    show_sign_in_with(app, request, &problem)
}
