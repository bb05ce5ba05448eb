//! Sign in, sign out.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::model::SignIn;
use super::super::oauth::pages::Mark;
use super::super::{flows, oauth};
use super::{MaybeSignedIn, let_in};
use crate::app::App;
use crate::base::Problem;
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, SESSION, SignedIn, VisitorOf, forget, redirect};
use crate::{factors, sessions};

#[derive(Template)]
#[template(path = "signin/signin.html")]
struct SignInPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    name: &'a str,
    next: &'a str,
    has_passkeys: bool,
    marks: Vec<Mark>,
}

impl<'a> SignInPage<'a> {
    fn new(app: &App, request: &HttpRequest, name: &'a str, next: &'a str, fault: Option<&Problem>) -> Self {
        Self {
            context: PageContext::new(app, request, "Sign in"),
            fault: fault.map(FormFault::from),
            name,
            next,
            has_passkeys: factors::passkeys_are_possible(app.config()),
            marks: oauth::pages::marks(app, next),
        }
    }
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /signin`.
pub async fn sign_in_form(app: TheApp, request: HttpRequest, identity: MaybeSignedIn, next: Query<Next>) -> Answer {
    if identity.0 {
        return Ok(redirect(page::safe_path(&next.next)));
    }
    page::render(&SignInPage::new(&app, &request, "", &next.next, None))
}

/// `POST /signin`.
pub async fn sign_in(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignIn {
        name: form.text("name").to_owned(),
        password: form.secret("password"),
        remember: form.is_ticked("remember"),
    };
    match flows::sign_in(&app, visitor.0, typed).await {
        Ok(started) => Ok(let_in(&app, started, form.text("next"))),
        Err(error) => sign_in_again(&app, &request, &form, error),
    }
}

/// The page once more, with what was wrong.
pub(super) fn sign_in_again(app: &App, request: &HttpRequest, form: &Form, error: SigninError) -> Answer {
    let problem = Problem::from(error);
    page::again(&problem, &SignInPage::new(app, request, form.text("name"), form.text("next"), Some(&problem)))
}

/// The page with what was wrong on a way in that is none of its forms.
pub(in crate::signin) fn sign_in_instead(app: &App, request: &HttpRequest, problem: &Problem) -> Answer {
    page::again(problem, &SignInPage::new(app, request, "", "", Some(problem)))
}

/// `POST /signout`: ends the session on the server and takes its cookie away.
pub async fn sign_out(app: TheApp, who: SignedIn, _form: Form) -> Answer {
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| sessions::end(tx, &actor, account, session)).await?;
    let mut response = page::go("/signin", "signed-out");
    let _ = response.add_cookie(&forget(SESSION));
    Ok(response)
}
