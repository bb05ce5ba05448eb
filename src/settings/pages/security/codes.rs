//! The page that shows new recovery codes once.

use actix_web::HttpRequest;
use askama::Template;

use crate::app::App;
use crate::factors::NewCodes;
use crate::http::Answer;
use crate::http::page::{self, PageContext};

#[derive(Template)]
#[template(path = "settings/recovery_codes.html")]
struct CodesPage {
    context: PageContext,
    said: &'static str,
    codes: Vec<String>,
    /// The codes as a text file in a `data:` URL, so that no second request is needed.
    download: String,
}

/// Shows new codes once. `said`: a sentence about what happened before.
pub(super) fn show_codes(app: &App, request: &HttpRequest, codes: &NewCodes, said: &'static str) -> Answer {
    let codes: Vec<String> = codes.0.iter().map(|code| code.grouped().expose().clone()).collect();
    let host = app.config().public_url.rsplit('/').next().unwrap_or_default();
    let file = format!("Recovery codes of {host}, one use each:%0A%0A{}%0A", codes.join("%0A"));
    let download = format!("data:text/plain;charset=utf-8,{}", file.replace(' ', "%20"));
    page::render(&CodesPage { context: PageContext::new(app, request, "Recovery codes"), said, codes, download })
}
