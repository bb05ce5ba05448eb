//! The second step of a sign-in, and the way out for somebody who lost what it asks for.

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::model::Presented;
use super::super::{flows, ops};
use super::{HALF, assertion_in, challenge_answer, let_in};
use crate::base::{Actor, Problem};
use crate::factors::{self, ChallengeFor, Enrolled};
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, VisitorOf, forget, redirect};

#[derive(Template)]
#[template(path = "signin/factor.html")]
struct FactorPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    next: &'a str,
    enrolled: Enrolled,
    is_recovery: bool,
    /// When the factors go, where a reset waits.
    due: Option<String>,
}

/// Which field is shown, and where to go on.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
    #[serde(default)]
    with: String,
}

fn token_of(request: &HttpRequest) -> String {
    request.cookie(HALF).map(|cookie| cookie.value().to_owned()).unwrap_or_default()
}

/// Back to the first step, with a sentence why.
fn begin_anew() -> HttpResponse {
    let mut response = page::go("/signin", "signin-over");
    let _ = response.add_cookie(&forget(HALF));
    response
}

async fn show(app: &TheApp, request: &HttpRequest, next: &str, with: &str, problem: Option<Problem>) -> Answer {
    let token = token_of(request);
    let Some((_, enrolled, reset)) = app.read_offloaded(move |view| ops::asked(view, &token)).await? else {
        return Ok(begin_anew());
    };
    let page = FactorPage {
        context: PageContext::new(app, request, "Two-step sign-in"),
        fault: problem.as_ref().map(FormFault::from),
        next,
        enrolled,
        is_recovery: with == "recovery",
        due: reset.map(|reset| reset.due_at.day_and_time()),
    };
    problem.map_or_else(|| page::render(&page), |problem| page::again(&problem, &page))
}

/// `GET /signin/factor`.
pub async fn factor_form(app: TheApp, request: HttpRequest, wanted: Query<Wanted>) -> Answer {
    show(&app, &request, &wanted.next, &wanted.with, None).await
}

/// `POST /signin/factor`: a code, a recovery code, or what a passkey signed.
pub async fn factor(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let presented = match assertion_in(&form) {
        Some(signed) => Presented::Passkey(signed),
        None => Presented::Typed(form.secret("code")),
    };
    match flows::prove_half(&app, visitor.0, token_of(&request), presented).await {
        Ok(started) => Ok(let_in(&app, started, form.text("next"))),
        Err(SigninError::HalfOver) => Ok(begin_anew()),
        Err(error) => show(&app, &request, form.text("next"), form.text("with"), Some(error.into())).await,
    }
}

/// `POST /signin/factor/challenge`, for a script.
pub async fn factor_challenge(app: TheApp, request: HttpRequest, _form: Form) -> Answer {
    let token = token_of(&request);
    let given = app.write(move |tx| {
        let half = factors::half(tx, &token)?.ok_or(SigninError::HalfOver)?;
        Ok::<_, SigninError>(factors::challenge(tx, ChallengeFor::Factor(half.account))?)
    });
    Ok(challenge_answer(given.await?))
}

/// `POST /signin/factor/lost`: the person has none of it any more.
pub async fn lost_factor(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = token_of(&request);
    let actor = Actor::Anonymous(visitor.0);
    match app.write(move |tx| ops::lost_factor(tx, &actor, &token)).await {
        Ok(_) => {
            Ok(redirect(&format!("/signin/factor?next={}", page::safe_path(form.text("next")).replace('&', "%26"))))
        }
        Err(SigninError::HalfOver) => Ok(begin_anew()),
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

/// What the link of a notice carries.
#[derive(Deserialize)]
pub struct KeepLink {
    #[serde(default)]
    token: String,
}

const KEEP: &str = "Keep your second factors";

/// `GET /signin/factor/keep`: following a link changes nothing, because programs follow links, too.
pub async fn keep_factors_form(app: TheApp, request: HttpRequest, link: Query<KeepLink>) -> Answer {
    let context = PageContext::new(&app, &request, KEEP);
    page::render(&KeepPage { context, fault: None, token: &link.token, is_kept: false })
}

/// `POST /signin/factor/keep`.
pub async fn keep_factors(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let context = PageContext::new(&app, &request, KEEP);
    let (actor, token) = (Actor::Anonymous(visitor.0), form.text("token").to_owned());
    match app.write(move |tx| factors::cancel_reset_by_link(tx, &actor, &token)).await {
        Ok(()) => page::render(&KeepPage { context, fault: None, token: "", is_kept: true }),
        Err(error) => {
            let problem = Problem::from(error);
            let fault = Some(FormFault::from(&problem));
            page::again(&problem, &KeepPage { context, fault, token: form.text("token"), is_kept: false })
        }
    }
}
