//! The section "Recovery codes", the page that shows them once, and stopping a reset.

use actix_web::HttpRequest;
use askama::Template;

use crate::app::App;
use crate::base::AccountId;
use crate::db::View;
use crate::factors::{self, FactorError, NewCodes};
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, Form, SignedIn};

/// What the section shows.
pub(super) struct RecoveryCard {
    /// Whether there is a factor that a code could stand in for.
    pub(super) is_any: bool,
    pub(super) left: u32,
}

pub(super) fn card(view: &View<'_>, account: AccountId) -> Result<RecoveryCard, FactorError> {
    let enrolled = factors::enrolled(view, account)?;
    Ok(RecoveryCard { is_any: enrolled.is_any(), left: enrolled.codes_left })
}

#[derive(Template)]
#[template(path = "signin/recovery_codes.html")]
struct CodesPage {
    context: PageContext,
    said: &'static str,
    codes: Vec<String>,
    /// The same as a text file, as a `data:` address: nothing of it is asked for a second time.
    download: String,
}

/// Shows new codes, once. `said`: what happened before.
pub(super) fn show_codes(app: &App, request: &HttpRequest, codes: &NewCodes, said: &'static str) -> Answer {
    let codes: Vec<String> = codes.0.iter().map(|code| code.shown().expose().clone()).collect();
    let host = app.config().public_url.rsplit('/').next().unwrap_or_default();
    let file = format!("Recovery codes of {host}, one use each:%0A%0A{}%0A", codes.join("%0A"));
    let download = format!("data:text/plain;charset=utf-8,{}", file.replace(' ', "%20"));
    page::render(&CodesPage { context: PageContext::new(app, request, "Recovery codes"), said, codes, download })
}

/// `POST /settings/security/recovery-codes`.
pub async fn regenerate(app: TheApp, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let codes = app.write(move |tx| factors::generate_codes(tx, &actor, account)).await?;
    show_codes(&app, &request, &codes, "The old codes are worthless from now on.")
}

/// `POST /settings/security/reset/cancel`: without a fresh proof, because it only keeps what there is.
pub async fn cancel_reset(app: TheApp, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| factors::cancel_reset(tx, &actor, account)).await?;
    Ok(page::go(super::PATH, "factors-kept"))
}
