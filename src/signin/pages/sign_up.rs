//! Create an account, prove its address.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::model::{SignUp, Started};
use super::super::oauth::pages::Mark;
use super::super::{flows, oauth, ops};
use super::{PENDING, let_in, pending};
use crate::accounts::{self, AccountError};
use crate::app::App;
use crate::base::{Actor, Problem};
use crate::config::{Sibling, SignupMode};
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, VisitorOf, forget, redirect};
use crate::invitations::InvitationError;

const HOME: &str = "/settings/profile";

#[derive(Template)]
#[template(path = "signin/signup.html")]
struct SignUpPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    /// Nobody signs up without a link: there is no form.
    is_closed: bool,
    is_by_invitation: bool,
    is_claim: bool,
    claim: &'a str,
    is_invited: bool,
    invite: &'a str,
    /// Whose addresses may sign up, where not everybody's may.
    domains: String,
    email: &'a str,
    username: &'a str,
    min_length: usize,
    region: &'a str,
    siblings: &'a [Sibling],
    marks: Vec<Mark>,
}

/// What a link to sign-up may carry.
#[derive(Deserialize)]
pub struct Claim {
    #[serde(default)]
    claim: String,
    #[serde(default)]
    invite: String,
}

/// What the page shows in its fields.
#[derive(Clone, Copy, Default)]
struct Shown<'a> {
    claim: &'a str,
    invite: &'a str,
    email: &'a str,
    username: &'a str,
}

impl<'a> SignUpPage<'a> {
    fn new(app: &'a App, request: &HttpRequest, shown: Shown<'a>, fault: Option<&Problem>) -> Self {
        let Shown { claim, invite, email, username } = shown;
        let signup = &app.config().signup;
        let (is_claim, is_invited) = (!claim.is_empty(), !invite.is_empty());
        let is_for_few = !is_claim && !is_invited;
        Self {
            context: PageContext::new(app, request, "Create your account"),
            fault: fault.map(FormFault::from),
            is_closed: is_for_few && matches!(signup.mode, SignupMode::Closed | SignupMode::Invite),
            is_by_invitation: signup.mode == SignupMode::Invite,
            is_claim,
            claim,
            is_invited,
            invite,
            domains: if is_for_few && signup.mode == SignupMode::Domains {
                signup.domains.join(" or ")
            } else {
                String::new()
            },
            email,
            username,
            min_length: app.config().passwords.min_length,
            region: &app.config().region,
            siblings: &app.config().regions,
            // Links that let somebody in are for a password: they are not carried to another site.
            marks: if is_for_few { oauth::pages::marks(app, "") } else { Vec::new() },
        }
    }
}

/// `GET /signup`.
pub async fn sign_up_form(app: TheApp, request: HttpRequest, link: Query<Claim>) -> Answer {
    if link.invite.is_empty() {
        let shown = Shown { claim: &link.claim, ..Shown::default() };
        return page::render(&SignUpPage::new(&app, &request, shown, None));
    }
    match flows::invited_address(&app, link.invite.clone()).await? {
        Some(address) => {
            let shown = Shown { invite: &link.invite, email: address.as_str(), ..Shown::default() };
            page::render(&SignUpPage::new(&app, &request, shown, None))
        }
        None => {
            let problem = Problem::from(InvitationError::LinkRefused);
            page::again(&problem, &SignUpPage::new(&app, &request, Shown::default(), Some(&problem)))
        }
    }
}

/// `POST /signup`.
pub async fn sign_up(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignUp {
        email: form.text("email").to_owned(),
        username: form.text("username").to_owned(),
        password: form.secret("password"),
        claim: form.text("claim").to_owned(),
    };
    let started = match form.text("invite") {
        "" => flows::sign_up(&app, visitor.0, typed).await.map(|taken| Started::MustVerify(taken.account)),
        invite => flows::accept_invitation(&app, visitor.0, typed, invite.to_owned()).await,
    };
    match started {
        Ok(started) => Ok(let_in(&app, started, HOME)),
        Err(error) => {
            let problem = Problem::from(error);
            let shown = Shown {
                claim: form.text("claim"),
                invite: form.text("invite"),
                email: form.text("email"),
                username: form.text("username"),
            };
            page::again(&problem, &SignUpPage::new(&app, &request, shown, Some(&problem)))
        }
    }
}

#[derive(Template)]
#[template(path = "signin/verify.html")]
struct VerifyPage {
    context: PageContext,
    fault: Option<FormFault>,
}

/// `GET /verify`.
pub async fn verify_form(app: TheApp, request: HttpRequest) -> Answer {
    if pending(&app, &request).is_none() {
        return Ok(redirect("/signin"));
    }
    page::render(&VerifyPage { context: PageContext::new(&app, &request, "Check your email"), fault: None })
}

/// `POST /verify`.
pub async fn verify(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    let code = form.text("code").to_owned();
    let answer = app.write(move |tx| ops::verify(tx, &Actor::Anonymous(visitor.0), account, &code)).await?;
    match answer {
        Ok(started) => {
            let mut response = let_in(&app, started, HOME);
            page::say(&mut response, "verified");
            let _ = response.add_cookie(&forget(PENDING));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let fault = Some(FormFault::from(&problem));
            page::again(&problem, &VerifyPage { context: PageContext::new(&app, &request, "Check your email"), fault })
        }
    }
}

/// `POST /verify/resend`. Says the same whether or not there is an account that waits.
pub async fn resend(app: TheApp, request: HttpRequest, visitor: VisitorOf, _form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    let sent = app.write(move |tx| accounts::resend_code(tx, &Actor::Anonymous(visitor.0), account)).await;
    match sent {
        Ok(()) | Err(AccountError::NotFound | AccountError::CodeTooSoon { .. }) => Ok(page::go("/verify", "code-sent")),
        Err(error) => Err(error.into()),
    }
}
