//! The changes of a service. What ends something has a page that asks for confirmation.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::super::flashes::ConsoleFlash;
use super::detail::{ServicePage, ServiceQuery};
use super::grant::GrantFields;
use super::secrets::SecretKind;
use super::{PATH, parse_id, secrets, to_problem};
use crate::base::{Problem, ServiceId};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, OperatorInSession, redirect_with_flash};
use crate::resources;
use crate::services::{self, Service};

/// How long the old credential stays valid.
struct Overlap {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

const OVERLAPS: [Overlap; 5] = [
    Overlap { value: "0", label: "No time: it ends now", is_chosen: false },
    Overlap { value: "1h", label: "1 hour", is_chosen: false },
    Overlap { value: "24h", label: "1 day", is_chosen: true },
    Overlap { value: "3d", label: "3 days", is_chosen: false },
    Overlap { value: "7d", label: "7 days", is_chosen: false },
];

async fn find(app: &AppData, path: &str) -> Result<(ServiceId, Service), Problem> {
    let id = parse_id(path)?;
    let found = app.read_offloaded(move |view| services::find(view, &id.to_string())).await;
    Ok((id, found.map_err(to_problem)?))
}

/// `POST /admin/services/{id}`: changes what the service may do.
pub async fn change(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    form: Form,
) -> Answer {
    let (id, actor, fields) = (parse_id(&path)?, who.actor(), GrantFields::of(&form));
    let changed = match fields.read() {
        Ok(grant) => {
            let (scopes, workspaces) = (Some(grant.scopes), Some(grant.workspaces));
            app.write(move |tx| services::change(tx, &actor, &id.to_string(), scopes, workspaces)).await
        }
        Err(error) => Err(error),
    };
    match changed.map_err(to_problem) {
        Ok((_, is_changed)) => {
            let flash = if is_changed { ConsoleFlash::GrantChanged } else { ConsoleFlash::GrantKept };
            Ok(redirect_with_flash(&format!("{PATH}/{id}#grant"), flash))
        }
        Err(problem) if problem.status == 404 && problem.field.is_none() => Err(problem.into()),
        Err(problem) => {
            let mut page = ServicePage::build(&app, &request, &who, id, &ServiceQuery::default()).await?;
            page.grant = fields;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

#[derive(Template)]
#[template(path = "console/rotate.html")]
struct RotatePage {
    context: PageContext,
    fault: Option<FormFault>,
    id: String,
    name: String,
    overlaps: [Overlap; 5],
}

impl RotatePage {
    async fn build(app: &AppData, request: &HttpRequest, path: &str) -> Result<Self, Problem> {
        let (id, service) = find(app, path).await?;
        let mut context = PageContext::new(app, request, "Rotate a credential");
        context.path = PATH.to_owned();
        Ok(Self { context, fault: None, id: id.to_string(), name: service.name, overlaps: OVERLAPS })
    }
}

/// `GET /admin/services/{id}/rotate`: asks for the overlap and for confirmation.
pub async fn confirm_rotate(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(_): OperatorInSession,
    path: Path<String>,
) -> Answer {
    page::render(&RotatePage::build(&app, &request, &path).await?)
}

/// `POST /admin/services/{id}/rotate`. The page of the service shows the new credential once.
pub async fn rotate(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    form: Form,
) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let rotated = secrets::rotate(&app, &who, id, SecretKind::Credential, &form, move |tx, overlap| {
        services::rotate(tx, &actor, &id.to_string(), overlap).map(|issued| issued.secret)
    });
    match rotated.await {
        Ok(shown) => Ok(shown),
        Err(problem) if problem.status == 404 => Err(problem.into()),
        Err(problem) => {
            let mut page = RotatePage::build(&app, &request, &path).await?;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

#[derive(Template)]
#[template(path = "console/disconnect.html")]
struct DisconnectPage {
    context: PageContext,
    id: String,
    name: String,
    /// In use, in all workspaces.
    resources: u64,
}

/// `GET /admin/services/{id}/disconnect`: asks for confirmation.
pub async fn confirm_disconnect(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(_): OperatorInSession,
    path: Path<String>,
) -> Answer {
    let (id, service) = find(&app, &path).await?;
    let mut context = PageContext::new(&app, &request, "Disconnect a service");
    context.path = PATH.to_owned();
    let resources = app.read_offloaded(move |view| resources::count_active_of(view, id)).await?;
    page::render(&DisconnectPage { context, id: id.to_string(), name: service.name, resources })
}

/// `POST /admin/services/{id}/disconnect`.
pub async fn disconnect(
    app: AppData,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    _form: Form,
) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    app.write(move |tx| services::disconnect(tx, &actor, &id.to_string())).await.map_err(to_problem)?;
    Ok(redirect_with_flash(PATH, ConsoleFlash::Disconnected))
}
