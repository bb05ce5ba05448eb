//! The section "Recovery codes", the page that shows them once, and stopping a reset.

use actix_web::HttpRequest;
use askama::Template;

use crate::app::App;
use crate::base::AccountId;
use crate::db::View;
use crate::factors::{self, FactorError, NewCodes};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, SignedIn};

pub(super) struct RecoveryCard {
    /// Whether the account has a second factor that a code can replace.
    pub(super) is_any: bool,
    pub(super) left: u32,
}

pub(super) fn card(view: &View<'_>, account: AccountId) -> Result<RecoveryCard, FactorError> {
    let enrolled = factors::enrolled(view, account)?;
    Ok(RecoveryCard { is_any: enrolled.is_any(), left: enrolled.codes_left })
}

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

/// `POST /settings/security/recovery-codes`.
pub async fn regenerate(app: AppData, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let codes = app.write(move |tx| factors::generate_codes(tx, &actor, account)).await?;
    show_codes(&app, &request, &codes, "The old codes no longer work.")
}

/// `POST /settings/security/reset/cancel`. It needs no fresh proof, because it only keeps the existing factors.
pub async fn cancel_reset(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| factors::cancel_reset(tx, &actor, account)).await?;
    Ok(page::redirect_with_flash(super::PATH, "factors-kept"))
}
