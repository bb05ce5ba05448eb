//! The page for an identity that no account is connected to: choose a username, or sign in to connect.

use actix_web::HttpRequest;
use askama::Template;

use super::super::super::model::SignUpGate;
use super::super::super::pages::continue_sign_in;
use super::super::error::OauthError;
use super::super::model::{ExternalIdentity, ExternalSignUp};
use super::super::ops;
use super::{ProviderButton, STATE_COOKIE, state_cookie_of};
use crate::accounts;
use crate::base::{Actor, EmailAddress, Problem};
use crate::config::Sibling;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, VisitorOf, forget};

#[derive(Template)]
#[template(path = "signin/oauth_sign_up.html")]
struct SignUpPage {
    context: PageContext,
    fault: Option<FormFault>,
    button: ProviderButton,
    who: String,
    /// The authoritative address of the provider. It is shown and cannot be changed.
    proved_email: Option<String>,
    email: String,
    /// The provider gave no address that can be used.
    gave_no_email: bool,
    username: String,
    region: String,
    siblings: Vec<Sibling>,
    /// An account here has the address, or sign-up is closed: the person can only connect.
    must_sign_in: bool,
    is_known: bool,
}

async fn page_for(
    app: &AppData,
    request: &HttpRequest,
    typed: Option<(&ExternalSignUp, &Problem)>,
) -> Result<SignUpPage, Problem> {
    let state_cookie = state_cookie_of(request).ok_or(OauthError::NoPendingIdentity)?;
    let (external, is_known) = app
        .read_offloaded(move |view| {
            let (external, _) = ops::pending_identity(view, &state_cookie)?.ok_or(OauthError::NoPendingIdentity)?;
            let is_known = match &external.email {
                Some(email) if external.is_verified => accounts::is_email_taken(view, email)?,
                _ => false,
            };
            Ok::<_, OauthError>((external, is_known))
        })
        .await?;
    let is_closed = !SignUpGate::new(app.config()).is_open();
    let provider = app.config().oauth.iter().find(|provider| provider.name == external.provider);
    let provider = provider.ok_or(OauthError::NoPendingIdentity)?;
    let address = external.email.as_ref().map(EmailAddress::as_str).unwrap_or_default().to_owned();
    Ok(SignUpPage {
        context: PageContext::new(
            app,
            request,
            if is_known || is_closed { "Connect your account" } else { "Create your account" },
        ),
        fault: typed.map(|(_, problem)| FormFault::from(problem)),
        button: ProviderButton::new(provider, "", ""),
        who: external.label(),
        email: typed.map_or(address.clone(), |(typed, _)| typed.email.clone()),
        gave_no_email: external.email.is_none(),
        proved_email: external.is_authoritative.then_some(address),
        username: username(&external, typed),
        region: app.config().region.clone(),
        siblings: app.config().regions.clone(),
        must_sign_in: is_known || is_closed,
        is_known,
    })
}

fn username(external: &ExternalIdentity, typed: Option<(&ExternalSignUp, &Problem)>) -> String {
    typed.map_or_else(|| external.suggestion(), |(typed, _)| typed.username.clone())
}

/// `GET /oauth/sign-up`.
pub async fn sign_up_form(app: AppData, request: HttpRequest) -> Answer {
    page::render(&page_for(&app, &request, None).await?)
}

/// `POST /oauth/sign-up`.
pub async fn sign_up(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = ExternalSignUp { username: form.text("username").to_owned(), email: form.text("email").to_owned() };
    let state_cookie = state_cookie_of(&request).ok_or(OauthError::NoPendingIdentity)?;
    let input = typed.clone();
    let signed_up = app.write(move |tx| ops::sign_up(tx, &Actor::Anonymous(visitor.0), &state_cookie, &input)).await;
    match signed_up {
        Ok((started, next)) => {
            let mut response = continue_sign_in(&app, started, &next);
            let _ = response.add_cookie(&forget(STATE_COOKIE));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let page = page_for(&app, &request, Some((&typed, &problem))).await?;
            page::render_form_error(&problem, &page)
        }
    }
}
