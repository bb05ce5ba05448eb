//! Adding, renaming and removing a passkey.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::super::flashes::SettingsFlash;
use super::cards::PasskeyRow;
use super::codes::show_codes;
use super::page::PASSKEYS;
use crate::base::{PasskeyId, Problem};
use crate::factors::pages::{assertion_from, challenge_response};
use crate::factors::{self, ChallengePurpose, FactorError, PasskeyName};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, CommonFlash, Form, SignedIn, TimeFormat, redirect_with_flash};
use crate::signin;

/// `POST /settings/security/passkeys/challenge`, for a script.
pub async fn challenge(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let purpose = ChallengePurpose::Registration(who.identity.account);
    Ok(challenge_response(app.write(move |tx| factors::challenge(tx, purpose)).await?))
}

/// `POST /settings/security/passkeys`: the new credential of the browser.
pub async fn add(app: AppData, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let name = PasskeyName::parse(form.text("name")).ok_or(FactorError::Name)?;
    let credential =
        assertion_from(&form).ok_or_else(|| FactorError::PasskeyRefused("the form has no credential".into()))?;
    let credential = factors::flows::check_registration(&app, account, credential).await?;
    let (_, codes) = app.write(move |tx| factors::add_passkey(tx, &actor, account, &name, &credential)).await?;
    match codes {
        Some(codes) => show_codes(&app, &who, &codes, SettingsFlash::FirstPasskey),
        None => Ok(redirect_with_flash(PASSKEYS, SettingsFlash::PasskeyAdded)),
    }
}

#[derive(Template)]
#[template(path = "settings/passkey.html")]
struct PasskeyPage {
    context: PageContext,
    fault: Option<FormFault>,
    passkey: PasskeyRow,
}

async fn show(app: &AppData, request: &HttpRequest, who: &SignedIn, id: &str, problem: Option<&Problem>) -> Answer {
    let id = PasskeyId::parse(id).ok_or_else(Problem::not_found)?;
    let account = who.identity.account;
    let rows = app.read_offloaded(move |view| factors::passkeys(view, account)).await?;
    let passkey = rows.into_iter().find(|passkey| passkey.id == id).ok_or_else(Problem::not_found)?;
    let context = PageContext::new(app, request, "Passkey");
    let times = TimeFormat::new(app.now(), &who.identity.zone);
    let page = PasskeyPage { context, fault: problem.map(FormFault::from), passkey: PasskeyRow::new(&passkey, times) };
    problem.map_or_else(|| page::render(&page), |problem| page::render_form_error(problem, &page))
}

/// `GET /settings/security/passkeys/{id}`.
pub async fn one(app: AppData, request: HttpRequest, who: SignedIn, id: Path<String>) -> Answer {
    show(&app, &request, &who, &id, None).await
}

/// `POST /settings/security/passkeys/{id}/rename`.
pub async fn rename(app: AppData, request: HttpRequest, who: SignedIn, id: Path<String>, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let passkey = PasskeyId::parse(&id).ok_or_else(Problem::not_found)?;
    let Some(name) = PasskeyName::parse(form.text("name")) else {
        return show(&app, &request, &who, &id, Some(&FactorError::Name.into())).await;
    };
    app.write(move |tx| factors::rename_passkey(tx, &actor, account, passkey, &name)).await?;
    Ok(redirect_with_flash(PASSKEYS, CommonFlash::Saved))
}

/// `POST /settings/security/passkeys/{id}/remove`.
pub async fn remove(app: AppData, request: HttpRequest, who: SignedIn, id: Path<String>, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let passkey = PasskeyId::parse(&id).ok_or_else(Problem::not_found)?;
    match app.write(move |tx| signin::remove_passkey(tx, &actor, account, passkey)).await {
        Ok(()) => Ok(redirect_with_flash(PASSKEYS, SettingsFlash::FactorRemoved)),
        Err(error @ (FactorError::LastSignInMethod | FactorError::Required)) => {
            show(&app, &request, &who, &id, Some(&error.into())).await
        }
        Err(error) => Err(error.into()),
    }
}
