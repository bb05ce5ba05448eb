//! The page that asks a person to confirm a browser by mail, and the page of the mailed link.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::flashes::SigninFlash;
use super::super::ops;
use crate::accounts::AccountError;
use crate::base::Actor;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, DEVICE, Form, VisitorOf, cookie, redirect_with_flash};
use crate::sessions::DEVICE_LIFETIME;

const TITLE: &str = "Confirm this browser";

/// What the page is about.
enum Step {
    /// The person tried to sign in, and has to open the link in their mail.
    MailSent,
    /// They opened the link.
    LinkOpened,
    /// They opened a link that is not valid.
    LinkRefused,
}

#[derive(Template)]
#[template(path = "signin/confirm.html")]
struct ConfirmPage<'a> {
    context: PageContext,
    step: Step,
    token: &'a str,
}

/// The query of the link. Without a token, the page says that a link was mailed.
#[derive(Deserialize)]
pub struct ConfirmLink {
    token: Option<String>,
}

fn show(app: &AppData, request: &HttpRequest, step: Step, token: &str) -> Answer {
    let status = if matches!(step, Step::LinkRefused) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page::with_status(status, &ConfirmPage { context: PageContext::new(app, request, TITLE), step, token })
}

/// `GET /signin/confirm`: explains, and changes nothing, because mail scanners follow links too.
pub async fn confirm_form(app: AppData, request: HttpRequest, link: Query<ConfirmLink>) -> Answer {
    let Some(token) = link.token.clone() else { return show(&app, &request, Step::MailSent, "") };
    let shown = token.clone();
    let is_valid = app.read_offloaded(move |view| ops::find_confirmation(view, &token)).await?.is_some();
    show(&app, &request, if is_valid { Step::LinkOpened } else { Step::LinkRefused }, &shown)
}

/// `POST /signin/confirm`.
pub async fn confirm(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    match app.write(move |tx| ops::confirm_browser(tx, &Actor::Anonymous(visitor.0), &token)).await {
        Ok(device) => {
            let mut response = redirect_with_flash("/signin", SigninFlash::BrowserConfirmed);
            let _ = response.add_cookie(&cookie(DEVICE, device.expose().clone(), Some(DEVICE_LIFETIME)));
            Ok(response)
        }
        Err(SigninError::Account(AccountError::LinkRefused)) => show(&app, &request, Step::LinkRefused, ""),
        Err(error) => Err(error.into()),
    }
}
