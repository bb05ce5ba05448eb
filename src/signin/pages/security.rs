//! Everything about how a person comes in.

use actix_web::HttpRequest;
use askama::Template;

use crate::http::page::{self, Chrome, TheApp};
use crate::http::{Answer, SignedIn};

#[derive(Template)]
#[template(path = "signin/security.html")]
struct SecurityPage {
    chrome: Chrome,
}

/// `GET /settings/security`.
pub async fn security(app: TheApp, request: HttpRequest, _who: SignedIn) -> Answer {
    page::render(&SecurityPage { chrome: Chrome::of(&app, &request, "Security") })
}
