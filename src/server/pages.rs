//! Pages of no slice: faults, the way home, and the demonstration's mail.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::app::App;
use crate::base::Problem;
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, SignedIn, redirect};
use crate::mail;

#[derive(Template)]
#[template(path = "server/fault.html")]
struct FaultPage<'a> {
    context: PageContext,
    status: u16,
    title: &'static str,
    sentence: &'a str,
    way_out: &'a str,
    way_out_label: &'static str,
    request_id: &'a str,
}

/// A fault as a page. Where even that fails, one line of text.
pub(super) fn fault(
    app: Option<&Arc<App>>,
    request: &HttpRequest,
    problem: &Problem,
    request_id: &str,
) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(app) = app else { return HttpResponse::build(status).body(problem.sentence.clone()) };
    let title = match problem.status {
        401 => "Sign in first",
        403 => "This is not allowed",
        404 => "Nothing here",
        405 => "Not this way",
        409 => "This cannot be done now",
        413 => "Too large",
        421 => "Not under this name",
        429 => "Too many tries",
        503 => "Busy for a moment",
        status if status >= 500 => "Something went wrong on our side",
        _ => "This could not be read",
    };
    // Under another name every path would lead to this page again.
    let (way_out, way_out_label) = match problem.status {
        421 => (app.config().public_url.as_str(), "Open the site"),
        _ => ("/settings/profile", "Back to your account"),
    };
    let page = FaultPage {
        context: PageContext::new(app, request, title),
        status: problem.status,
        title,
        sentence: &problem.sentence,
        way_out,
        way_out_label,
        request_id,
    };
    page::with_status(status, &page).unwrap_or_else(|_| HttpResponse::build(status).body(problem.sentence.clone()))
}

/// Every address nobody has.
pub(super) async fn nothing_here() -> Answer {
    Err(Problem::not_found().into())
}

/// `GET /`, `/settings`: home. `?tab=api-keys` is a link that the reference's client prints.
pub(super) async fn home(_who: SignedIn, request: HttpRequest) -> HttpResponse {
    let to = if request.query_string().contains("tab=api-keys") { "/settings/keys" } else { "/settings/profile" };
    redirect(to)
}

struct MailRow {
    subject: String,
    recipient: String,
    time: String,
    text: String,
}

#[derive(Template)]
#[template(path = "demo/mail.html")]
struct MailPage {
    context: PageContext,
    mails: Vec<MailRow>,
}

/// `GET /demo/mail`: what would have been sent. Only on a throw-away appliance.
pub(super) async fn demo_mail(app: TheApp, request: HttpRequest) -> Answer {
    if !app.config().demo {
        return Err(Problem::not_found().into());
    }
    let mails = app.read_offloaded(mail::recent).await?;
    let row = |(mail, at): (mail::Mail, crate::base::Timestamp)| MailRow {
        subject: mail.subject,
        recipient: mail.recipient.to_string(),
        time: at.day_and_time(),
        text: mail.text,
    };
    page::render(&MailPage {
        context: PageContext::new(&app, &request, "Mail"),
        mails: mails.into_iter().map(row).collect(),
    })
}
