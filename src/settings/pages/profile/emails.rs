//! The card of the addresses. Every route that changes one needs a fresh proof.

use actix_web::HttpRequest;
use actix_web::web::Path;

use super::{RefusedForm, answer};
use crate::accounts::addresses;
use crate::accounts::{AccountError, EMAILS_MAX, Email};
use crate::base::{AccountId, Actor, EmailAddress, EmailId, Problem, Timestamp, Zone};
use crate::db::Tx;
use crate::http::page::{AppData, FormFault};
use crate::http::{Answer, Form, SignedIn};
use crate::signin::{self, SigninError};

pub(super) struct EmailRow {
    pub id: String,
    pub address: String,
    pub is_primary: bool,
    pub is_verified: bool,
    pub is_company: bool,
    /// A code was sent and is not entered yet.
    pub is_waiting: bool,
    pub can_be_primary: bool,
    pub can_be_removed: bool,
    /// Until when the address can undo a change and cannot be removed. `None`: it can be removed.
    pub kept_until: Option<String>,
    /// What is wrong with the entered code.
    pub fault: Option<FormFault>,
}

pub(super) struct EmailsCard {
    /// About the typed address, or about the whole card.
    pub fault: Option<FormFault>,
    pub rows: Vec<EmailRow>,
    pub typed: String,
    pub is_full: bool,
}

pub(super) fn card(
    emails: Vec<Email>,
    kept: &[(EmailId, Timestamp)],
    zone: &Zone,
    refused: Option<(&RefusedForm<'_>, &Problem)>,
) -> EmailsCard {
    let mut card =
        EmailsCard { fault: None, rows: Vec::new(), typed: String::new(), is_full: emails.len() >= EMAILS_MAX };
    let mut wrong_code = None;
    match refused {
        Some((RefusedForm::Email(form), problem)) => {
            card.fault = Some(FormFault::from(problem));
            card.typed = form.text("email").to_owned();
        }
        Some((RefusedForm::EmailAction, problem)) => card.fault = Some(FormFault::from(problem)),
        Some((RefusedForm::Code(id), problem)) => wrong_code = Some((*id, problem)),
        _ => {}
    }
    card.rows = emails
        .into_iter()
        .map(|email| {
            let until = kept.iter().filter(|(id, _)| *id == email.id).map(|(_, until)| *until).max();
            let is_verified = email.verified_at.is_some();
            EmailRow {
                id: email.id.to_string(),
                is_company: email.is_company(),
                is_primary: email.is_primary,
                is_verified,
                is_waiting: !is_verified && !email.is_primary,
                can_be_primary: is_verified && !email.is_primary,
                can_be_removed: !email.is_primary && until.is_none(),
                kept_until: until.map(|until| until.day_and_time_in(zone)),
                fault: wrong_code.filter(|(id, _)| *id == email.id).map(|(_, problem)| FormFault::from(problem)),
                address: email.address.to_string(),
            }
        })
        .collect();
    card
}

/// `POST /settings/profile/emails`. The answer is the same whether or not another account has the address.
pub async fn add_email(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let added = match EmailAddress::parse(form.text("email")) {
        Ok(address) => app.write(move |tx| addresses::add_email(tx, &actor, account, &address)).await,
        Err(_) => Err(AccountError::EmailAddress),
    };
    let done = added.map(|_| "email-added").map_err(|error| (RefusedForm::Email(&form), error.into()));
    answer(&app, &request, &who, done).await
}

fn id_of(path: &str) -> Result<EmailId, Problem> {
    EmailId::parse(path).ok_or_else(Problem::not_found)
}

/// `POST /settings/profile/emails/{id}/verify`.
pub async fn verify_email(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, actor, account) = (id_of(&path)?, who.actor(), who.identity.account);
    let code = form.text("code").to_owned();
    let tried = app.write(move |tx| signin::verify_added_email(tx, &actor, account, id, &code)).await;
    let done = match tried {
        Ok(Ok(())) => Ok("email-verified"),
        Ok(Err(refused)) => Err((RefusedForm::Code(id), refused.into())),
        Err(error) => Err((RefusedForm::Code(id), error.into())),
    };
    answer(&app, &request, &who, done).await
}

/// The operation of a button next to an address.
type Operation = fn(&mut Tx<'_>, &Actor, AccountId, EmailId) -> Result<(), SigninError>;

async fn change(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    path: &str,
    (operation, flash): (Operation, &'static str),
) -> Answer {
    let (id, actor, account) = (id_of(path)?, who.actor(), who.identity.account);
    let done = app.write(move |tx| operation(tx, &actor, account, id)).await;
    answer(app, request, who, done.map(|()| flash).map_err(|error| (RefusedForm::EmailAction, error.into()))).await
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
    change(&app, &request, &who, &path, (resend, "code-sent")).await
}

/// `POST /settings/profile/emails/{id}/primary`.
pub async fn set_primary(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    change(&app, &request, &who, &path, (signin::set_primary_email, "email-primary")).await
}

/// `POST /settings/profile/emails/{id}/remove`.
pub async fn remove_email(
    app: AppData,
    request: HttpRequest,
    who: SignedIn,
    path: Path<String>,
    _form: Form,
) -> Answer {
    change(&app, &request, &who, &path, (signin::remove_email, "email-removed")).await
}
