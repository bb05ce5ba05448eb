//! A forgotten password.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::flows;
use crate::base::Problem;
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, DEVICE, Form, VisitorOf, cookie};
use crate::sessions::DEVICE_KEPT;

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
        Ok(device) => {
            let mut response = page::go("/signin", "password-changed");
            let _ = response.add_cookie(&cookie(DEVICE, device.expose().clone(), Some(DEVICE_KEPT)));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let chrome = Chrome::of(&app, &request, "Reset your password");
            let fault = Some(FormFault::from(&problem));
            let min_length = app.config().passwords.min_length;
            page::again(&problem, &ResetPage { chrome, fault, token: form.text("token"), min_length })
        }
    }
}
