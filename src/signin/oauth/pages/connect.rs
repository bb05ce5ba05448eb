//! Connecting a provider after a form of ours confirmed it.

use actix_web::HttpRequest;
use askama::Template;

use super::super::super::flashes::SigninFlash;
use super::super::error::OauthError;
use super::super::ops;
use super::{ProviderButton, STATE_COOKIE, state_cookie_of};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, SignedIn, forget, redirect_with_flash};

const SECURITY: &str = "/settings/security";

#[derive(Template)]
#[template(path = "signin/oauth_connect.html")]
struct ConnectPage {
    context: PageContext,
    button: ProviderButton,
    who: String,
    username: String,
}

/// `GET /oauth/connect`: asks whether to connect the identity that waits. Without this form an attacker could send a
/// person here with the attacker's identity, and could then sign in to the person's account.
pub async fn confirm_connect(app: AppData, request: HttpRequest, person: SignedIn) -> Answer {
    let state_cookie = state_cookie_of(&request).ok_or(OauthError::NoPendingIdentity)?;
    let pending =
        app.read_offloaded(move |view| Ok::<_, OauthError>(ops::pending_identity(view, &state_cookie)?)).await?;
    let (external, _) = pending.ok_or(OauthError::NoPendingIdentity)?;
    let provider = app.config().oauth.iter().find(|provider| provider.name == external.provider);
    let button = ProviderButton::new(provider.ok_or(OauthError::NoPendingIdentity)?, "", "");
    let context = PageContext::new(&app, &request, &format!("Connect {}", button.label));
    let username = person.identity.username.clone();
    page::render(&ConnectPage { context, button, who: external.label(), username })
}

/// `POST /oauth/connect`.
pub async fn connect(app: AppData, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let state_cookie = state_cookie_of(&request).ok_or(OauthError::NoPendingIdentity)?;
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| ops::connect(tx, &actor, account, session, &state_cookie)).await?;
    let mut response = redirect_with_flash(&format!("{SECURITY}#identities-card"), SigninFlash::Connected);
    let _ = response.add_cookie(&forget(STATE_COOKIE));
    Ok(response)
}
