//! The forms of the addresses. Every route that changes one needs a fresh proof.

use actix_web::HttpRequest;
use actix_web::web::Path;

use super::super::super::flashes::SettingsFlash;
use super::page::{Done, EMAILS, answer};
use super::refusal::{Refusal, RefusedForm};
use crate::accounts::{AccountError, addresses};
use crate::base::{AccountId, Actor, EmailAddress, EmailId, Problem};
use crate::db::Tx;
use crate::http::page::AppData;
use crate::http::{Answer, Flash, Form, SignedIn};
use crate::signin::{self, SigninError, SigninFlash};

/// `POST /settings/profile/emails`. The answer is the same whether or not another account has the address.
pub async fn add_email(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let added = match EmailAddress::parse(form.text("email")) {
        Ok(address) => app.write(move |tx| addresses::add_email(tx, &actor, account, &address)).await,
        Err(_) => Err(AccountError::EmailAddress),
    };
    let done = added
        .map(|id| Done::new(code_field(id), SettingsFlash::EmailAdded))
        .map_err(|error| Refusal::new(RefusedForm::NewEmail(&form), error));
    answer(&app, &request, &who, done)
}

/// The field for the code of an address: a browser moves there, and the person types what the mail says.
fn code_field(id: EmailId) -> String {
    format!("{EMAILS}#code-{id}")
}

/// The line of an address.
fn line_of(id: EmailId) -> String {
    format!("{EMAILS}#line-{id}")
}

/// The list of the addresses.
fn list_of_emails(_: EmailId) -> String {
    format!("{EMAILS}#emails")
}

fn id_of(path: &str) -> Result<EmailId, Problem> {
    EmailId::parse(path).ok_or_else(Problem::not_found)
}

/// `POST /settings/profile/emails/{id}/verify`.
pub async fn verify_email(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, actor, account) = (id_of(&path)?, who.actor(), who.identity.account);
    let code = form.text("code").to_owned();
    let tried = app.write_deciding(move |tx| signin::verify_added_email(tx, &actor, account, id, &code)).await;
    let done = tried
        .map(|()| Done::new(line_of(id), SettingsFlash::EmailVerified))
        .map_err(|error| Refusal::new(RefusedForm::EmailCode(id), error));
    answer(&app, &request, &who, done)
}

/// The operation of a button next to an address.
type Operation = fn(&mut Tx<'_>, &Actor, AccountId, EmailId) -> Result<(), SigninError>;

async fn change(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    path: &str,
    operation: Operation,
    (place, flash): (fn(EmailId) -> String, Flash),
) -> Answer {
    let (id, actor, account) = (id_of(path)?, who.actor(), who.identity.account);
    let done = app.write(move |tx| operation(tx, &actor, account, id)).await;
    let done = done.map(|()| Done::new(place(id), flash));
    answer(app, request, who, done.map_err(|error| Refusal::new(RefusedForm::EmailButton, error)))
}

/// `POST /settings/profile/emails/{id}/resend`.
pub async fn resend_email(
    app: AppData,
    request: HttpRequest,
    who: SignedIn,
    path: Path<String>,
    _form: Form,
) -> Answer {
    let resend: Operation = |tx, actor, account, id| Ok(addresses::resend_email_code(tx, actor, account, id)?);
    change(&app, &request, &who, &path, resend, (code_field, SigninFlash::CodeSent.into())).await
}

/// `POST /settings/profile/emails/{id}/primary`.
pub async fn set_primary(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let said = (line_of as fn(EmailId) -> String, SettingsFlash::EmailPrimary.into());
    change(&app, &request, &who, &path, signin::set_primary_email, said).await
}

/// `POST /settings/profile/emails/{id}/remove`.
pub async fn remove_email(
    app: AppData,
    request: HttpRequest,
    who: SignedIn,
    path: Path<String>,
    _form: Form,
) -> Answer {
    let said = (list_of_emails as fn(EmailId) -> String, SettingsFlash::EmailRemoved.into());
    change(&app, &request, &who, &path, signin::remove_email, said).await
}
