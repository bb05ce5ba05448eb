//! The sign-in page, and sign-out.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::flashes::SigninFlash;
use super::super::model::SignIn;
use super::super::oauth::pages::ProviderButton;
use super::super::{flows, oauth};
use super::next::next_path;
use super::{MaybeSignedIn, continue_sign_in};
use crate::app::App;
use crate::base::Problem;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, SESSION, SignedIn, VisitorOf, forget, redirect, redirect_with_flash};
use crate::{factors, sessions};

#[derive(Template)]
#[template(path = "signin/signin.html")]
struct SignInPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    name: &'a str,
    next: &'a str,
    has_passkeys: bool,
    buttons: Vec<ProviderButton>,
}

impl<'a> SignInPage<'a> {
    fn new(app: &App, request: &HttpRequest, name: &'a str, next: &'a str, fault: Option<&Problem>) -> Self {
        Self {
            context: PageContext::new(app, request, "Sign in"),
            fault: fault.map(FormFault::from),
            name,
            next,
            has_passkeys: factors::passkeys_are_possible(app.config()),
            buttons: oauth::pages::provider_buttons(app, next),
        }
    }
}

/// The query of the sign-in page: the path to continue at.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /signin`.
pub async fn sign_in_form(app: AppData, request: HttpRequest, identity: MaybeSignedIn, next: Query<Next>) -> Answer {
    if identity.0 {
        return Ok(redirect(next_path(&next.next)));
    }
    let mut page = SignInPage::new(&app, &request, "", &next.next, None);
    page.context.show_sign_out_notice(&request);
    page::render(&page)
}

/// `POST /signin`.
pub async fn sign_in(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignIn {
        name: form.text("name").to_owned(),
        password: form.secret("password"),
        remember: form.is_ticked("remember"),
    };
    match flows::sign_in(&app, visitor.0, typed).await {
        Ok(started) => Ok(continue_sign_in(&app, started, form.text("next"))),
        Err(SigninError::MustConfirm) => Ok(redirect("/signin/confirm")),
        Err(error) => redisplay_sign_in(&app, &request, &form, error),
    }
}

/// The sign-in page again, with the error and the typed name.
pub(super) fn redisplay_sign_in(app: &App, request: &HttpRequest, form: &Form, error: SigninError) -> Answer {
    let problem = Problem::from(error);
    page::render_form_error(
        &problem,
        &SignInPage::new(app, request, form.text("name"), form.text("next"), Some(&problem)),
    )
}

/// The sign-in page with a problem that another sign-in method had.
pub(in crate::signin) fn show_sign_in_with(app: &App, request: &HttpRequest, problem: &Problem) -> Answer {
    page::render_form_error(problem, &SignInPage::new(app, request, "", "", Some(problem)))
}

/// `POST /signout`: ends the session on the server and removes its cookie.
pub async fn sign_out(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| sessions::end(tx, &actor, account, session)).await?;
    let mut response = redirect_with_flash("/signin", SigninFlash::SignedOut);
    let _ = response.add_cookie(&forget(SESSION));
    Ok(response)
}
