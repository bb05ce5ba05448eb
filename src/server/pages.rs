//! Pages that belong to no slice: faults, the redirect from `/`, and the mail of the demonstration.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::faults::add_retry_after;
use crate::app::App;
use crate::base::{Problem, Zone, days};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, Moment, SignedIn, TimeFormat, cookie, redirect};
use crate::mail;

/// The cookie with the id of the notice that the person has read in this browser.
pub(super) const READ_NOTICE: &str = "__Host-notice";
/// Where the form of the notice is sent.
pub(super) const READ_NOTICE_PATH: &str = "/session/notice";

#[derive(Template)]
#[template(path = "server/fault.html")]
struct FaultPage<'a> {
    context: PageContext,
    status: u16,
    title: &'static str,
    sentence: &'a str,
    link: &'a str,
    link_label: &'static str,
    /// `None`: the log does not have this request.
    request_id: Option<&'a str>,
}

/// Renders a fault as a page. If that fails, answers with the sentence as plain text.
pub(super) fn fault(
    app: Option<&Arc<App>>,
    request: &HttpRequest,
    problem: &Problem,
    request_id: Option<&str>,
) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(app) = app else { return HttpResponse::build(status).body(problem.sentence.clone()) };
    let title = match problem.status {
        401 => "Sign in first",
        403 => "Not allowed",
        404 => "Page not found",
        405 => "Request not supported",
        408 => "Too slow",
        409 => "Not possible now",
        413 => "Too large",
        421 => "Wrong address",
        429 => "Too many attempts",
        503 => "Try again in a moment",
        status if status >= 500 => "Something went wrong",
        _ => "Request not understood",
    };
    // Under the wrong host name every path of this site would lead to this page again.
    let (link, link_label) = match problem.status {
        421 => (app.config().public_url.as_str(), "Open the site"),
        _ => ("/settings/profile", "Back to your account"),
    };
    let page = FaultPage {
        context: PageContext::new(app, request, title),
        status: problem.status,
        title,
        sentence: &problem.sentence,
        link,
        link_label,
        request_id,
    };
    page::with_status(status, &page).unwrap_or_else(|_| HttpResponse::build(status).body(problem.sentence.clone()))
}

#[derive(Template)]
#[template(path = "server/overloaded.html")]
struct OverloadedPage<'a> {
    sentence: &'a str,
}

/// The page of a request that is refused before anything of it is handled. It needs no other request and no appliance.
pub(super) fn overloaded(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let text = OverloadedPage { sentence: &problem.sentence }.render().unwrap_or_else(|_| problem.sentence.clone());
    let mut response = HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .body(text);
    add_retry_after(problem, response.headers_mut());
    response
}

/// Answers requests for paths that no route has.
pub(super) async fn not_found() -> Answer {
    Err(Problem::not_found().into())
}

/// `GET /`, `/settings`: redirects to the profile, or to the keys for `?tab=api-keys`, a link that the reference's
/// client prints.
pub(super) async fn home(_person: SignedIn, request: HttpRequest) -> HttpResponse {
    let to = if request.query_string().contains("tab=api-keys") { "/settings/keys" } else { "/settings/profile" };
    redirect(to)
}

struct MailRow {
    subject: String,
    recipient: String,
    time: Moment,
    text: String,
}

#[derive(Template)]
#[template(path = "demo/mail.html")]
struct MailPage {
    context: PageContext,
    mails: Vec<MailRow>,
}

/// `GET /demo/mail`: the mails that a real appliance would have sent. Only in a demonstration.
pub(super) async fn demo_mail(app: AppData, request: HttpRequest) -> Answer {
    if !app.config().demo {
        return Err(Problem::not_found().into());
    }
    let mails = app.read_offloaded(mail::recent).await?;
    let row = |mail: mail::Mail| MailRow {
        subject: mail.subject,
        recipient: mail.recipient.to_string(),
        time: TimeFormat::new(app.now(), &Zone::default()).moment(mail.queued_at),
        text: mail.text,
    };
    page::render(&MailPage {
        context: PageContext::new(&app, &request, "Mail"),
        mails: mails.into_iter().map(row).collect(),
    })
}

/// `POST /session/notice`: the person has read the notice of this id. Kept in this browser: another one shows it again.
pub(super) async fn read_notice(_who: SignedIn, form: Form) -> Answer {
    let id = form.text("id");
    let mut response = redirect(page::safe_path(form.text("back")).unwrap_or("/settings/profile"));
    if !id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        let _ = response.add_cookie(&cookie(READ_NOTICE, id.to_owned(), Some(days(31))));
    }
    Ok(response)
}
