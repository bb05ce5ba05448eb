//! The pages of the password reset.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::flashes::SigninFlash;
use super::super::flows;
use crate::accounts::{self, AccountError, LinkPurpose};
use crate::base::Problem;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, DEVICE, Form, VisitorOf, cookie, redirect_with_flash};
use crate::sessions::DEVICE_LIFETIME;

#[derive(Template)]
#[template(path = "signin/forgot.html")]
struct ForgotPage {
    context: PageContext,
    fault: Option<FormFault>,
    is_sent: bool,
}

/// `GET /forgot`.
pub async fn forgot_form(app: AppData, request: HttpRequest) -> Answer {
    page::render(&ForgotPage {
        context: PageContext::new(&app, &request, "Reset your password"),
        fault: None,
        is_sent: false,
    })
}

/// `POST /forgot`. The answer is the same whether or not an account has the address.
pub async fn forgot(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let context = PageContext::new(&app, &request, "Reset your password");
    match flows::request_reset(&app, visitor.0, form.text("email")).await {
        Ok(()) => page::render(&ForgotPage { context, fault: None, is_sent: true }),
        Err(error) => {
            let problem = Problem::from(error);
            page::render_form_error(
                &problem,
                &ForgotPage { context, fault: Some(FormFault::from(&problem)), is_sent: false },
            )
        }
    }
}

#[derive(Template)]
#[template(path = "signin/reset.html")]
struct ResetPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    token: &'a str,
    /// The link was used, has expired or was invented, so there is no form.
    is_refused: bool,
    min_length: usize,
}

/// The query of a reset link.
#[derive(Deserialize)]
pub struct ResetLink {
    #[serde(default)]
    token: String,
}

/// `GET /reset`: a link that is not valid is refused before anything is typed.
pub async fn reset_form(app: AppData, request: HttpRequest, link: Query<ResetLink>) -> Answer {
    let token = link.token.clone();
    let person =
        app.read_offloaded(move |view| accounts::find_by_link(view, LinkPurpose::PasswordReset, &token)).await?;
    if person.is_none() {
        return show_reset(&app, &request, "", Some(&Problem::from(AccountError::LinkRefused)));
    }
    show_reset(&app, &request, &link.token, None)
}

fn show_reset(app: &AppData, request: &HttpRequest, token: &str, problem: Option<&Problem>) -> Answer {
    let page = ResetPage {
        context: PageContext::new(app, request, "Reset your password"),
        fault: problem.map(FormFault::from),
        token,
        is_refused: problem.is_some_and(|problem| problem.code == "link_refused"),
        min_length: app.config().passwords.min_length,
    };
    problem.map_or_else(|| page::render(&page), |problem| page::render_form_error(problem, &page))
}

/// `POST /reset`.
pub async fn reset(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    match flows::reset(&app, visitor.0, token, form.secret("password")).await {
        Ok(device) => {
            let mut response = redirect_with_flash("/signin", SigninFlash::PasswordChanged);
            let _ = response.add_cookie(&cookie(DEVICE, device.expose().clone(), Some(DEVICE_LIFETIME)));
            Ok(response)
        }
        Err(error) => show_reset(&app, &request, form.text("token"), Some(&Problem::from(error))),
    }
}
