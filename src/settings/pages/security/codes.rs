//! The page that shows new recovery codes once.

use actix_web::HttpRequest;
use askama::Template;

use crate::base::{Secret, percent_encoded};
use crate::factors::NewCodes;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Flash, SignedIn, redirect_with_flash};
use crate::settings::ops;

const PATH: &str = "/settings/security/recovery-codes";
/// The name of the codes among the texts that are shown once.
const WHAT: &str = "recovery codes";

#[derive(Template)]
#[template(path = "settings/recovery_codes.html")]
struct CodesPage {
    context: PageContext,
    /// The codes, and the same as a text file in a `data:` URL, so that no second request is needed. `None`: they were
    /// shown, and are not any more.
    codes: Option<(Vec<String>, String)>,
    left: u32,
}

/// Redirects to the page that shows new codes. `flash`: what happened before.
pub(super) fn show_codes(app: &AppData, who: &SignedIn, codes: &NewCodes, flash: impl Into<Flash>) -> Answer {
    let codes: Vec<String> = codes.0.iter().map(|code| code.grouped().expose().clone()).collect();
    app.shown_once().keep(who.identity.session, WHAT, Secret::new(codes.join("\n")), app.now());
    Ok(redirect_with_flash(PATH, flash))
}

/// `GET /settings/security/recovery-codes`: the codes that this session made a moment ago.
pub async fn new_codes(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    let text = app.shown_once().text(who.identity.session, WHAT, app.now());
    let codes = text.map(|text| {
        let codes: Vec<String> = text.expose().lines().map(str::to_owned).collect();
        let host = app.config().public_url.rsplit('/').next().unwrap_or_default();
        let site = &app.config().site.name;
        let file = format!("Recovery codes of {site} ({host}), one use each:\n\n{}\n", codes.join("\n"));
        (codes, format!("data:text/plain;charset=utf-8,{}", percent_encoded(&file)))
    });
    let left = app.read_inline(|view| ops::read_security(view, who.identity.account))?.factors.codes_left;
    page::render(&CodesPage { context: PageContext::new(&app, &request, "Recovery codes"), codes, left })
}
