//! The doors: sign-up, code, sign-in, sign-out, forgotten password.

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::flows;
use super::model::{SignIn, SignUp, Started};
use super::ops;
use crate::accounts::{self, AccountError};
use crate::app::App;
use crate::base::{AccountId, Actor, Problem, Secret, hours};
use crate::config::Sibling;
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, Form, Identity, SESSION, SignedIn, VisitorOf, cookie, forget, redirect};
use crate::sessions;

/// Remembers, between sign-up and code, whose code is waited for.
const PENDING: &str = "__Host-pending";
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

fn wait_for_code(app: &App, account: AccountId) -> HttpResponse {
    let mut response = redirect("/verify");
    let value = format!("{account}.{}", pending_mark(app, &account.to_string()));
    let _ = response.add_cookie(&cookie(PENDING, value, Some(hours(24))));
    response
}

/// Signs the cookie, so that nobody waits for somebody else's code.
fn pending_mark(app: &App, account: &str) -> String {
    app.keyring().mark("pending", account)
}

fn pending(app: &App, request: &HttpRequest) -> Option<AccountId> {
    let cookie = request.cookie(PENDING)?;
    let (account, mark) = cookie.value().split_once('.')?;
    let right = Secret::new(pending_mark(app, account)).matches(mark.as_bytes());
    AccountId::parse(account).filter(|_| right)
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
        Ok(token) => {
            let mut response = page::go(HOME, "verified");
            let _ = response.add_cookie(&cookie(SESSION, token.expose().clone(), None));
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

#[derive(Template)]
#[template(path = "signin/signin.html")]
struct SignInPage<'a> {
    chrome: Chrome,
    fault: Option<FormFault>,
    name: &'a str,
    next: &'a str,
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
    let chrome = Chrome::of(&app, &request, "Sign in");
    page::render(&SignInPage { chrome, fault: None, name: "", next: &next.next })
}

/// `POST /signin`.
pub async fn sign_in(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let typed = SignIn {
        name: form.text("name").to_owned(),
        password: form.secret("password"),
        remember: form.is_ticked("remember"),
    };
    match flows::sign_in(&app, visitor.0, typed).await {
        Ok(Started::MustVerify(account)) => Ok(wait_for_code(&app, account)),
        Ok(Started::Session { token, keep }) => {
            let mut response = redirect(page::safe_path(form.text("next")));
            let _ = response.add_cookie(&cookie(SESSION, token.expose().clone(), keep));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let chrome = Chrome::of(&app, &request, "Sign in");
            let fault = Some(FormFault::from(&problem));
            page::again(&problem, &SignInPage { chrome, fault, name: form.text("name"), next: form.text("next") })
        }
    }
}

/// `POST /signout`: ends the session on the server and takes its cookie away.
pub async fn sign_out(app: TheApp, who: SignedIn, _form: Form) -> Answer {
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| sessions::end(tx, &actor, account, session)).await?;
    let mut response = page::go("/signin", "signed-out");
    let _ = response.add_cookie(&forget(SESSION));
    Ok(response)
}

#[derive(Template)]
#[template(path = "signin/forgot.html")]
struct ForgotPage {
    chrome: Chrome,
    fault: Option<FormFault>,
    is_sent: bool,
}

/// `GET /forgot`.
pub async fn forgot_form(app: TheApp, request: HttpRequest) -> Answer {
    page::render(&ForgotPage { chrome: Chrome::of(&app, &request, "Reset your password"), fault: None, is_sent: false })
}

/// `POST /forgot`. Says the same whether or not an account has the address.
pub async fn forgot(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let chrome = Chrome::of(&app, &request, "Reset your password");
    match flows::request_reset(&app, visitor.0, form.text("email")).await {
        Ok(()) => page::render(&ForgotPage { chrome, fault: None, is_sent: true }),
        Err(error) => {
            let problem = Problem::from(error);
            page::again(&problem, &ForgotPage { chrome, fault: Some(FormFault::from(&problem)), is_sent: false })
        }
    }
}

#[derive(Template)]
#[template(path = "signin/reset.html")]
struct ResetPage<'a> {
    chrome: Chrome,
    fault: Option<FormFault>,
    token: &'a str,
    min_length: usize,
}

/// What a reset link carries.
#[derive(Deserialize)]
pub struct ResetLink {
    #[serde(default)]
    token: String,
}

/// `GET /reset`.
pub async fn reset_form(app: TheApp, request: HttpRequest, link: Query<ResetLink>) -> Answer {
    let chrome = Chrome::of(&app, &request, "Reset your password");
    let min_length = app.config().passwords.min_length;
    page::render(&ResetPage { chrome, fault: None, token: &link.token, min_length })
}

/// `POST /reset`.
pub async fn reset(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    match flows::reset(&app, visitor.0, token, form.secret("password")).await {
        Ok(()) => Ok(page::go("/signin", "password-changed")),
        Err(error) => {
            let problem = Problem::from(error);
            let chrome = Chrome::of(&app, &request, "Reset your password");
            let fault = Some(FormFault::from(&problem));
            let min_length = app.config().passwords.min_length;
            page::again(&problem, &ResetPage { chrome, fault, token: form.text("token"), min_length })
        }
    }
}

/// Whether a person is signed in, for pages that strangers see too.
pub struct MaybeSignedIn(pub bool);

impl actix_web::FromRequest for MaybeSignedIn {
    type Error = crate::http::Fault;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        use actix_web::HttpMessage;
        std::future::ready(Ok(Self(request.extensions().get::<Identity>().is_some())))
    }
}
