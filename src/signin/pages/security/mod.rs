//! Everything about how a person comes in, a card each.

mod password;

use actix_web::HttpRequest;
use askama::Template;

use crate::base::Problem;
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, SignedIn};

pub use password::change_password;
use password::PasswordCard;

const PATH: &str = "/settings/security";

#[derive(Template)]
#[template(path = "signin/security.html")]
struct SecurityPage {
    chrome: Chrome,
    fault: Option<FormFault>,
    password: PasswordCard,
}

async fn build(
    app: &TheApp,
    request: &HttpRequest,
    who: &SignedIn,
    fault: Option<&Problem>,
) -> Result<SecurityPage, Problem> {
    Ok(SecurityPage {
        chrome: Chrome::of(app, request, "Security"),
        fault: fault.map(FormFault::from),
        password: password::card(app, who).await?,
    })
}

/// `GET /settings/security`.
pub async fn security(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&build(&app, &request, &who, None).await?)
}
