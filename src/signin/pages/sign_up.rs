//! The pages that create an account and verify its address.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::flashes::SigninFlash;
use super::super::model::{SignInOutcome, SignUp, SignUpGate};
use super::super::oauth::pages::ProviderButton;
use super::super::{SigninError, flows, oauth, ops};
use super::{VERIFICATION_COOKIE, continue_sign_in, pending};
use crate::accounts::{self, AccountError};
use crate::app::App;
use crate::base::{AccountId, Actor, Problem, Zone};
use crate::config::Sibling;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, TimeFormat, VisitorOf, forget, redirect, redirect_with_flash, set_flash};
use crate::invitations::InvitationError;

const HOME: &str = "/settings/profile";

#[derive(Template)]
#[template(path = "signin/signup.html")]
struct SignUpPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    /// Sign-up needs a link, so there is no form.
    is_closed: bool,
    is_by_invitation: bool,
    is_claim: bool,
    claim: &'a str,
    /// Mails are not sent yet, so no code will arrive.
    is_without_mail: bool,
    is_invited: bool,
    invite: &'a str,
    /// The domains whose addresses may sign up. Empty: all.
    domains: String,
    email: &'a str,
    username: &'a str,
    min_length: usize,
    region: &'a str,
    siblings: &'a [Sibling],
    buttons: Vec<ProviderButton>,
}

/// The query of the sign-up page.
#[derive(Deserialize)]
pub struct SignUpLink {
    #[serde(default)]
    claim: String,
    #[serde(default)]
    invite: String,
}

/// The values of the fields.
#[derive(Clone, Copy, Default)]
struct FormValues<'a> {
    claim: &'a str,
    invite: &'a str,
    email: &'a str,
    username: &'a str,
}

impl<'a> SignUpPage<'a> {
    fn new(app: &'a App, request: &HttpRequest, values: FormValues<'a>, fault: Option<&Problem>) -> Self {
        let FormValues { claim, invite, email, username } = values;
        let gate = SignUpGate::new(app.config());
        let (is_claim, is_invited) = (!claim.is_empty(), !invite.is_empty());
        let is_public = !is_claim && !is_invited;
        Self {
            context: PageContext::new(app, request, "Create your account"),
            fault: fault.map(FormFault::from),
            is_closed: is_public && !gate.is_open(),
            is_by_invitation: gate.is_by_invitation(),
            is_claim,
            claim,
            is_without_mail: !app.config().sends_mail(),
            is_invited,
            invite,
            domains: if is_public { gate.domains().join(" or ") } else { String::new() },
            email,
            username,
            min_length: app.config().passwords.min_length,
            region: &app.config().region,
            siblings: &app.config().regions,
            // Claims and invitations are for accounts with a password. They are not sent to another site.
            buttons: if is_public { oauth::pages::provider_buttons(app, "") } else { Vec::new() },
        }
    }
}

/// `GET /signup`.
pub async fn sign_up_form(app: AppData, request: HttpRequest, link: Query<SignUpLink>) -> Answer {
    if link.invite.is_empty() && !link.claim.is_empty() {
        let claim = link.claim.clone();
        if !app.read_offloaded(move |view| ops::is_claim_valid(view, &claim)).await? {
            let problem = Problem::from(AccountError::LinkRefused);
            let page = SignUpPage {
                is_closed: true,
                ..SignUpPage::new(&app, &request, FormValues::default(), Some(&problem))
            };
            return page::render_form_error(&problem, &page);
        }
    }
    if link.invite.is_empty() {
        let values = FormValues { claim: &link.claim, ..FormValues::default() };
        return page::render(&SignUpPage::new(&app, &request, values, None));
    }
    match flows::invited_address(&app, link.invite.clone()).await? {
        Some(address) => {
            let values = FormValues { invite: &link.invite, email: address.as_str(), ..FormValues::default() };
            page::render(&SignUpPage::new(&app, &request, values, None))
        }
        None => {
            let problem = Problem::from(InvitationError::LinkRefused);
            let page = SignUpPage {
                is_closed: true,
                ..SignUpPage::new(&app, &request, FormValues::default(), Some(&problem))
            };
            page::render_form_error(&problem, &page)
        }
    }
}

/// `POST /signup`.
pub async fn sign_up(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignUp {
        email: form.text("email").to_owned(),
        username: form.text("username").to_owned(),
        password: form.secret("password"),
    };
    let started = match (form.text("invite"), form.text("claim")) {
        ("", "") => flows::sign_up(&app, visitor.0, typed, pending(&app, &request))
            .await
            .map(|sign_up| SignInOutcome::VerificationPending(sign_up.account)),
        ("", claim) => flows::claim_operator(&app, visitor.0, typed, claim.to_owned()).await,
        (invite, _) => flows::accept_invitation(&app, visitor.0, typed, invite.to_owned()).await,
    };
    match started {
        Ok(started) => Ok(continue_sign_in(&app, started, HOME)),
        Err(error) => {
            let problem = Problem::from(error);
            let values = FormValues {
                claim: form.text("claim"),
                invite: form.text("invite"),
                email: form.text("email"),
                username: form.text("username"),
            };
            page::render_form_error(&problem, &SignUpPage::new(&app, &request, values, Some(&problem)))
        }
    }
}

#[derive(Template)]
#[template(path = "signin/verify.html")]
struct VerifyPage {
    context: PageContext,
    fault: Option<FormFault>,
    /// The newest code. `None`: none was sent in the last hour.
    sent: Option<ShownCode>,
}

/// The newest code, as the page shows it.
struct ShownCode {
    address: String,
    sent_at: Moment,
    is_valid: bool,
}

async fn show_verify(app: &AppData, request: &HttpRequest, account: AccountId, problem: Option<&Problem>) -> Answer {
    let sent = app.read_offloaded(move |view| accounts::sent_code(view, account)).await?;
    let page = VerifyPage {
        context: PageContext::new(app, request, "Check your email"),
        fault: problem.map(FormFault::from),
        sent: sent.map(|sent| ShownCode {
            address: sent.address.to_string(),
            sent_at: TimeFormat::new(app.now(), &Zone::default()).moment(sent.sent_at),
            is_valid: sent.is_valid,
        }),
    };
    problem.map_or_else(|| page::render(&page), |problem| page::render_form_error(problem, &page))
}

/// `GET /verify`.
pub async fn verify_form(app: AppData, request: HttpRequest) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    show_verify(&app, &request, account, None).await
}

/// `POST /verify`.
pub async fn verify(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    let code = form.text("code").to_owned();
    let answer = app.write_deciding(move |tx| ops::verify(tx, &Actor::Anonymous(visitor.0), account, &code)).await;
    match answer {
        Ok(started) => {
            let mut response = continue_sign_in(&app, started, HOME);
            set_flash(&mut response, SigninFlash::Verified);
            let _ = response.add_cookie(&forget(VERIFICATION_COOKIE));
            Ok(response)
        }
        Err(
            error @ (SigninError::Account(AccountError::CodeRefused | AccountError::CodeMalformed)
            | SigninError::Throttled(_)),
        ) => show_verify(&app, &request, account, Some(&Problem::from(error))).await,
        Err(error) => Err(error.into()),
    }
}

/// `POST /verify/resend`: another code, or when the next one can be had.
pub async fn resend(app: AppData, request: HttpRequest, visitor: VisitorOf, _form: Form) -> Answer {
    let Some(account) = pending(&app, &request) else { return Ok(redirect("/signin")) };
    match app.write(move |tx| ops::resend_code(tx, &Actor::Anonymous(visitor.0), account)).await {
        Ok(()) => Ok(redirect_with_flash("/verify", SigninFlash::CodeSent)),
        Err(SigninError::Account(AccountError::NotFound)) => {
            let mut response = redirect_with_flash("/signin", SigninFlash::SignUpOver);
            let _ = response.add_cookie(&forget(VERIFICATION_COOKIE));
            Ok(response)
        }
        Err(error @ (SigninError::Account(AccountError::CodeTooSoon { .. }) | SigninError::TooManyMails(_))) => {
            show_verify(&app, &request, account, Some(&Problem::from(error))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /verify/restart`: the person starts again, for example because of a typo in the address. Their username is free for
/// the new sign-up.
pub async fn restart(app: AppData, request: HttpRequest, visitor: VisitorOf, _form: Form) -> Answer {
    let mut response = redirect("/signup");
    if let Some(account) = pending(&app, &request) {
        app.write(move |tx| ops::restart_sign_up(tx, &Actor::Anonymous(visitor.0), account)).await?;
        let _ = response.add_cookie(&forget(VERIFICATION_COOKIE));
    }
    Ok(response)
}
