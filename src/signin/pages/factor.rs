//! The page of the second step of a sign-in, and the reset for a person who lost their second factors.

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::flashes::SigninFlash;
use super::super::model::FactorInput;
use super::super::{flows, ops};
use super::next::next_path;
use super::passkey::admit_challenge;
use super::{PENDING_SIGN_IN_COOKIE, continue_sign_in};
use crate::accounts::{self, LinkPurpose};
use crate::base::{Actor, Problem, Zone};
use crate::factors::pages::{assertion_from, challenge_response};
use crate::factors::{self, ChallengePurpose, EnrolledFactors, FactorError};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, TimeFormat, VisitorOf, forget, redirect, redirect_with_flash};

#[derive(Template)]
#[template(path = "signin/factor.html")]
struct FactorPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    next: &'a str,
    enrolled: EnrolledFactors,
    is_recovery: bool,
    /// When the factors will be removed. `None`: no reset is waiting.
    due: Option<Moment>,
}

/// The query of the page: which field is shown, and the path to continue at.
#[derive(Deserialize)]
pub struct FactorQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    with: String,
}

fn token_of(request: &HttpRequest) -> String {
    request.cookie(PENDING_SIGN_IN_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default()
}

/// Redirects to the first step, with a message.
fn restart_sign_in() -> HttpResponse {
    let mut response = redirect_with_flash("/signin", SigninFlash::SignInOver);
    let _ = response.add_cookie(&forget(PENDING_SIGN_IN_COOKIE));
    response
}

async fn show(app: &AppData, request: &HttpRequest, next: &str, with: &str, problem: Option<Problem>) -> Answer {
    let token = token_of(request);
    let Some((_, enrolled, reset)) = app.read_offloaded(move |view| ops::pending_factor(view, &token)).await? else {
        return Ok(restart_sign_in());
    };
    let page = FactorPage {
        context: PageContext::new(app, request, "Two-step sign-in"),
        fault: problem.as_ref().map(FormFault::from),
        next,
        enrolled,
        is_recovery: with == "recovery",
        due: reset.map(|reset| TimeFormat::new(app.now(), &Zone::default()).moment(reset.due_at)),
    };
    problem.map_or_else(|| page::render(&page), |problem| page::render_form_error(&problem, &page))
}

/// `GET /signin/factor`.
pub async fn factor_form(app: AppData, request: HttpRequest, query: Query<FactorQuery>) -> Answer {
    show(&app, &request, &query.next, &query.with, None).await
}

/// `POST /signin/factor`: a code, a recovery code, or an assertion of a passkey.
pub async fn factor(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let input = match assertion_from(&form) {
        Some(signed) => FactorInput::Passkey(signed),
        None => FactorInput::Typed(form.secret("code")),
    };
    match flows::prove_factor(&app, visitor.0, token_of(&request), input).await {
        Ok(started) => Ok(continue_sign_in(&app, started, form.text("next"))),
        Err(SigninError::PendingSignInOver) => Ok(restart_sign_in()),
        Err(error) => show(&app, &request, form.text("next"), form.text("with"), Some(error.into())).await,
    }
}

/// `POST /signin/factor/challenge`, for a script.
pub async fn factor_challenge(app: AppData, request: HttpRequest, visitor: VisitorOf, _form: Form) -> Answer {
    admit_challenge(&app, &visitor.0)?;
    let token = token_of(&request);
    let challenge = app.write(move |tx| {
        let pending = factors::pending_sign_in(tx, &token)?.ok_or(SigninError::PendingSignInOver)?;
        Ok::<_, SigninError>(factors::challenge(tx, ChallengePurpose::Factor(pending.account))?)
    });
    Ok(challenge_response(challenge.await?))
}

/// `POST /signin/factor/lost`: the person reports that all second factors are lost.
pub async fn lost_factor(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = token_of(&request);
    let actor = Actor::Anonymous(visitor.0);
    match app.write(move |tx| ops::lost_factor(tx, &actor, &token)).await {
        Ok(_) => Ok(redirect(&format!("/signin/factor?next={}", next_path(form.text("next")).replace('&', "%26")))),
        Err(SigninError::PendingSignInOver) => Ok(restart_sign_in()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "signin/keep_factors.html")]
struct KeepPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    token: &'a str,
    is_kept: bool,
}

/// The query of the link in the mail about a reset.
#[derive(Deserialize)]
pub struct KeepLink {
    #[serde(default)]
    token: String,
}

const KEEP: &str = "Keep your second factors";

/// `GET /signin/factor/keep`: explains the action and changes nothing, because mail scanners follow links too.
pub async fn keep_factors_form(app: AppData, request: HttpRequest, link: Query<KeepLink>) -> Answer {
    let token = link.token.clone();
    let context = PageContext::new(&app, &request, KEEP);
    let person = app.read_offloaded(move |view| accounts::find_by_link(view, LinkPurpose::FactorReset, &token)).await?;
    if person.is_none() {
        let problem = Problem::from(FactorError::LinkRefused);
        let fault = Some(FormFault::from(&problem));
        return page::render_form_error(&problem, &KeepPage { context, fault, token: "", is_kept: false });
    }
    page::render(&KeepPage { context, fault: None, token: &link.token, is_kept: false })
}

/// `POST /signin/factor/keep`.
pub async fn keep_factors(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let context = PageContext::new(&app, &request, KEEP);
    let (actor, token) = (Actor::Anonymous(visitor.0), form.text("token").to_owned());
    match app.write(move |tx| factors::cancel_reset_by_link(tx, &actor, &token)).await {
        Ok(()) => page::render(&KeepPage { context, fault: None, token: "", is_kept: true }),
        Err(error) => {
            let problem = Problem::from(error);
            let fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &KeepPage { context, fault, token: form.text("token"), is_kept: false })
        }
    }
}
