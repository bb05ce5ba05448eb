//! Create an account, prove its address.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::model::SignUp;
use super::super::{flows, ops};
use super::{PENDING, let_in, pending, wait_for_code};
use crate::accounts::{self, AccountError};
use crate::app::App;
use crate::base::{Actor, Problem};
use crate::config::Sibling;
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, Form, VisitorOf, forget, redirect};

const HOME: &str = "/settings/profile";

#[derive(Template)]
#[template(path = "signin/signup.html")]
struct SignUpPage<'a> {
    chrome: Chrome,
    fault: Option<FormFault>,
    is_claim: bool,
    claim: &'a str,
    email: &'a str,
    username: &'a str,
    min_length: usize,
    region: &'a str,
    siblings: &'a [Sibling],
}

/// What a link to sign-up may carry.
#[derive(Deserialize)]
pub struct Claim {
    #[serde(default)]
    claim: String,
}

impl<'a> SignUpPage<'a> {
    fn of(app: &'a App, request: &HttpRequest, typed: [&'a str; 3], fault: Option<&Problem>) -> Self {
        let [claim, email, username] = typed;
        Self {
            chrome: Chrome::of(app, request, "Create your account"),
            fault: fault.map(FormFault::from),
            is_claim: !claim.is_empty(),
            claim,
            email,
            username,
            min_length: app.config().passwords.min_length,
            region: &app.config().region,
            siblings: &app.config().regions,
        }
    }
}

/// `GET /signup`.
pub async fn sign_up_form(app: TheApp, request: HttpRequest, claim: Query<Claim>) -> Answer {
    page::render(&SignUpPage::of(&app, &request, [&claim.claim, "", ""], None))
}

/// `POST /signup`.
pub async fn sign_up(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignUp {
        email: form.text("email").to_owned(),
        username: form.text("username").to_owned(),
        password: form.secret("password"),
        claim: form.text("claim").to_owned(),
    };
    match flows::sign_up(&app, visitor.0, typed).await {
        Ok(taken) => Ok(wait_for_code(&app, taken.account)),
        Err(error) => {
            let problem = Problem::from(error);
            let typed = [form.text("claim"), form.text("email"), form.text("username")];
            page::again(&problem, &SignUpPage::of(&app, &request, typed, Some(&problem)))
        }
    }
}

#[derive(Template)]
#[template(path = "signin/verify.html")]
struct VerifyPage {
    chrome: Chrome,
    fault: Option<FormFault>,
}

/// `GET /verify`.
pub async fn verify_form(app: TheApp, request: HttpRequest) -> Answer {
    if pending(&app, &request).is_none() {
        return Ok(redirect("/signin"));
    }
    page::render(&VerifyPage { chrome: Chrome::of(&app, &request, "Check your email"), fault: None })
}

/// `POST /verify`.
pub async fn verify(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    let code = form.text("code").to_owned();
    let answer = app.write(move |tx| ops::verify(tx, &Actor::Stranger(visitor.0), account, &code)).await?;
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
            page::again(&problem, &VerifyPage { chrome: Chrome::of(&app, &request, "Check your email"), fault })
        }
    }
}

/// `POST /verify/resend`. Says the same whether or not there is an account that waits.
pub async fn resend(app: TheApp, request: HttpRequest, visitor: VisitorOf, _form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    let sent = app.write(move |tx| accounts::resend_code(tx, &Actor::Stranger(visitor.0), account)).await;
    match sent {
        Ok(()) | Err(AccountError::NotFound | AccountError::CodeTooSoon { .. }) => Ok(page::go("/verify", "code-sent")),
        Err(error) => Err(error.into()),
    }
}
