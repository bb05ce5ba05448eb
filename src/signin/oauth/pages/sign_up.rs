//! Somebody came back whom nobody here knows: they choose a username, or sign in to connect.

use actix_web::HttpRequest;
use askama::Template;

use super::super::super::pages::let_in;
use super::super::error::OauthError;
use super::super::model::{Found, Typed};
use super::super::ops;
use super::{BINDER, Mark, binder_of};
use crate::accounts;
use crate::base::{Actor, EmailAddress, Problem};
use crate::config::{Sibling, SignupMode};
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, VisitorOf, forget};

#[derive(Template)]
#[template(path = "signin/oauth_sign_up.html")]
struct SignUpPage {
    context: PageContext,
    fault: Option<FormFault>,
    mark: Mark,
    who: String,
    /// The address is proved: it is shown and not asked for.
    proved_email: Option<String>,
    email: String,
    username: String,
    region: String,
    siblings: Vec<Sibling>,
    /// Somebody here has the address, or nobody new may come: only connecting is left.
    must_sign_in: bool,
    is_known: bool,
}

async fn page_for(
    app: &TheApp,
    request: &HttpRequest,
    typed: Option<(&Typed, &Problem)>,
) -> Result<SignUpPage, Problem> {
    let binder = binder_of(request).ok_or(OauthError::NothingWaits)?;
    let (found, is_known) = app
        .read_offloaded(move |view| {
            let (found, _) = ops::waiting(view, &binder)?.ok_or(OauthError::NothingWaits)?;
            let is_known = match &found.email {
                Some(email) if found.is_verified => accounts::is_email_taken(view, email)?,
                _ => false,
            };
            Ok::<_, OauthError>((found, is_known))
        })
        .await?;
    let is_closed = matches!(app.config().signup.mode, SignupMode::Invite | SignupMode::Closed);
    let provider = app.config().oauth.iter().find(|provider| provider.name == found.provider);
    let provider = provider.ok_or(OauthError::NothingWaits)?;
    let address = found.email.as_ref().map(EmailAddress::as_str).unwrap_or_default().to_owned();
    Ok(SignUpPage {
        context: PageContext::new(
            app,
            request,
            if is_known || is_closed { "Connect your account" } else { "Create your account" },
        ),
        fault: typed.map(|(_, problem)| FormFault::from(problem)),
        mark: Mark::new(provider, "", ""),
        who: found.label(),
        email: typed.map_or(address.clone(), |(typed, _)| typed.email.clone()),
        proved_email: found.is_authoritative.then_some(address),
        username: username(&found, typed),
        region: app.config().region.clone(),
        siblings: app.config().regions.clone(),
        must_sign_in: is_known || is_closed,
        is_known,
    })
}

fn username(found: &Found, typed: Option<(&Typed, &Problem)>) -> String {
    typed.map_or_else(|| found.suggestion(), |(typed, _)| typed.username.clone())
}

/// `GET /oauth/sign-up`.
pub async fn sign_up_form(app: TheApp, request: HttpRequest) -> Answer {
    page::render(&page_for(&app, &request, None).await?)
}

/// `POST /oauth/sign-up`.
pub async fn sign_up(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = Typed { username: form.text("username").to_owned(), email: form.text("email").to_owned() };
    let binder = binder_of(&request).ok_or(OauthError::NothingWaits)?;
    let wanted = typed.clone();
    let made = app.write(move |tx| ops::sign_up(tx, &Actor::Anonymous(visitor.0), &binder, &wanted)).await;
    match made {
        Ok((started, next)) => {
            let mut response = let_in(&app, started, &next);
            let _ = response.add_cookie(&forget(BINDER));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let page = page_for(&app, &request, Some((&typed, &problem))).await?;
            page::again(&problem, &page)
        }
    }
}
