//! Setting up and removing the authenticator app.

use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::super::flashes::SettingsFlash;
use super::codes::show_codes;
use super::page::{PATH, TWO_STEP};
use crate::app::App;
use crate::base::Problem;
use crate::factors::{self, FactorError, TotpSetup};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, SignedIn, redirect, redirect_with_flash};

/// `POST /settings/security/totp/new`: a new secret, shown on the next page.
pub async fn begin(app: AppData, who: SignedIn, _form: Form) -> Result<HttpResponse, crate::http::Fault> {
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| factors::start_totp_setup(tx, &actor, account)).await?;
    Ok(redirect("/settings/security/totp"))
}

#[derive(Template)]
#[template(path = "settings/totp.html")]
struct TotpPage {
    context: PageContext,
    fault: Option<FormFault>,
    /// The secret in groups of four.
    secret: String,
    uri: String,
    qr_side: i32,
    qr_path: String,
}

impl TotpPage {
    fn new(app: &App, request: &HttpRequest, username: &str, set_up: &TotpSetup, problem: Option<&Problem>) -> Self {
        let config = app.config();
        // A site without a name of its own is told from others by its host.
        let host = config.public_url.rsplit('/').next().unwrap_or_default().replace(':', " ");
        let issuer = if config.site.is_named { config.site.name.replace(':', " ") } else { format!("Domicile {host}") };
        let uri = set_up.seed.uri(&issuer, username);
        let (qr_side, qr_path) = factors::svg_path(uri.expose()).unwrap_or_default();
        let digits = set_up.seed.base32();
        let groups: Vec<_> = digits.expose().as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        Self {
            context: PageContext::new(app, request, "Set up an authenticator app"),
            fault: problem.map(FormFault::from),
            secret: groups.join(" "),
            uri: uri.expose().clone(),
            qr_side,
            qr_path,
        }
    }
}

/// `GET /settings/security/totp`: the secret, until a code confirms it.
pub async fn form(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    let account = who.identity.account;
    match app.read_offloaded(move |view| factors::totp_setup(view, account)).await? {
        Some(set_up) => page::render(&TotpPage::new(&app, &request, &who.identity.username, &set_up, None)),
        None => Ok(redirect(PATH)),
    }
}

/// `POST /settings/security/totp`: the first code.
pub async fn confirm(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account, code) = (who.actor(), who.identity.account, form.text("code").to_owned());
    match app.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).await {
        Ok(Some(codes)) => show_codes(&app, &who, &codes, SettingsFlash::TwoStepOn),
        Ok(None) => Ok(redirect_with_flash(TWO_STEP, SettingsFlash::AuthenticatorAdded)),
        Err(error @ FactorError::CodeRefused) => {
            let problem = Problem { status: 400, ..error.into() };
            let set_up = app.read_offloaded(move |view| factors::totp_setup(view, account)).await?;
            let set_up = set_up.ok_or(FactorError::NoSetUp)?;
            page::render_form_error(
                &problem,
                &TotpPage::new(&app, &request, &who.identity.username, &set_up, Some(&problem)),
            )
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "settings/totp_remove.html")]
struct RemovePage {
    context: PageContext,
    is_last: bool,
}

/// `GET /settings/security/totp/remove`.
pub async fn confirm_remove(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    let account = who.identity.account;
    let enrolled = app.read_offloaded(move |view| factors::enrolled(view, account)).await?;
    if !enrolled.has_totp {
        return Ok(redirect(PATH));
    }
    let context = PageContext::new(&app, &request, "Remove the authenticator app");
    page::render(&RemovePage { context, is_last: enrolled.is_last() })
}

/// `POST /settings/security/totp/remove`.
pub async fn remove(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| factors::remove_totp(tx, &actor, account)).await?;
    Ok(redirect_with_flash(TWO_STEP, SettingsFlash::FactorRemoved))
}
