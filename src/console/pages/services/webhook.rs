//! How commands reach a service, and how it connects: the address of its webhooks, their secret, and enrolment codes.

use actix_web::HttpRequest;
use actix_web::web::Path;

use super::super::super::flashes::ConsoleFlash;
use super::detail::{ServicePage, ServiceQuery};
use super::secrets::SecretKind;
use super::{PATH, parse_id, secrets, to_problem};
use crate::base::{Problem, ServiceId};
use crate::http::page::{self, AppData, FormFault};
use crate::http::{Answer, Form, OperatorInSession, SignedIn, redirect_with_flash};
use crate::services;

/// The page of the service with what was refused.
async fn refuse(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    id: ServiceId,
    problem: Problem,
    typed_url: Option<String>,
) -> Answer {
    if problem.status == 404 {
        return Err(problem.into());
    }
    let mut page = ServicePage::build(app, request, who, id, &ServiceQuery::default()).await?;
    if let Some(url) = typed_url {
        page.webhook.url = url;
    }
    page.fault = Some(FormFault::from(&problem));
    page::render_form_error(&problem, &page)
}

/// `POST /admin/services/{id}/webhook`: sets the address, or removes it if the field is empty. The first one makes the secret, which
/// is shown once.
pub async fn set_webhook(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    form: Form,
) -> Answer {
    let (id, actor, typed) = (parse_id(&path)?, who.actor(), form.text("webhook_url").trim().to_owned());
    let url = Some(typed.clone()).filter(|url| !url.is_empty());
    let set = app.write(move |tx| services::set_webhook(tx, &actor, id, url.as_deref())).await;
    match set.map_err(to_problem) {
        Ok(Some(secret)) => Ok(secrets::show(&app, &who, id, SecretKind::WebhookSecret, secret)),
        Ok(None) => Ok(redirect_with_flash(&format!("{PATH}/{id}#webhook"), ConsoleFlash::WebhookSaved)),
        Err(problem) => refuse(&app, &request, &who, id, problem, Some(typed)).await,
    }
}

/// `POST /admin/services/{id}/webhook/secret`: replaces the secret. The new one is shown once.
pub async fn rotate_webhook_secret(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    form: Form,
) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let rotated = secrets::rotate(&app, &who, id, SecretKind::WebhookSecret, &form, move |tx, overlap| {
        services::rotate_webhook_secret(tx, &actor, id, overlap)
    });
    match rotated.await {
        Ok(shown) => Ok(shown),
        Err(problem) => refuse(&app, &request, &who, id, problem, None).await,
    }
}

/// `POST /admin/services/{id}/ping`: sends a command that asks for nothing.
pub async fn ping(app: AppData, OperatorInSession(who): OperatorInSession, path: Path<String>, _form: Form) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let command = app.write(move |tx| services::ping(tx, &actor, id)).await.map_err(to_problem)?;
    Ok(redirect_with_flash(&format!("/admin/commands/{command}"), ConsoleFlash::Pinged))
}

/// `POST /admin/services/{id}/enrol-code`: makes a code with which the program gets a credential. It is shown once.
pub async fn enrol_code(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    _form: Form,
) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let made = app.write(move |tx| services::create_enrol_code_of(tx, &actor, id)).await;
    match made.map_err(to_problem) {
        Ok(made) => Ok(secrets::show(&app, &who, id, SecretKind::EnrolCode, made.code)),
        Err(problem) => refuse(&app, &request, &who, id, problem, None).await,
    }
}
