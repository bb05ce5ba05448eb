//! `/admin/services`: the list, and the form that connects a service.

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::super::model::ListedService;
use super::super::super::ops;
use super::grant::GrantFields;
use super::secrets::SecretKind;
use super::{Tag, secrets, service_tag, to_problem};
use crate::base::{Problem, Timestamp};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, OperatorInSession, SignedIn, TimeFormat};
use crate::services::{self, Grant, ServiceError, ServiceName};

struct ServiceRow {
    id: String,
    name: String,
    tag: Tag,
    is_over: bool,
    scopes: String,
    created: Moment,
    seen: Option<Moment>,
}

fn row(listed: ListedService, now: Timestamp, times: TimeFormat<'_>) -> ServiceRow {
    let ListedService { service, credentials, last_seen } = listed;
    let valid = credentials.iter().filter(|credential| credential.is_valid(now)).count();
    ServiceRow {
        id: service.id.to_string(),
        tag: service_tag(&service, valid),
        is_over: service.disconnected_at.is_some(),
        scopes: service.grant.scopes.names().replace(' ', ", "),
        created: times.day(service.created_at),
        seen: last_seen.map(|at| times.moment(at)),
        name: service.name,
    }
}

#[derive(Template)]
#[template(path = "console/services.html")]
struct ServicesPage {
    context: PageContext,
    fault: Option<FormFault>,
    services: Vec<ServiceRow>,
    is_creating: bool,
    name: String,
    grant: GrantFields,
}

/// The query: whether the form is open.
#[derive(Deserialize)]
pub struct ServicesQuery {
    #[serde(default)]
    create: String,
}

impl ServicesPage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn) -> Result<Self, Problem> {
        let listed = app.read_offloaded(ops::list_services).await?;
        let (now, times) = (app.now(), TimeFormat::new(app.now(), &who.identity.zone));
        let rows = listed.into_iter().map(|service| row(service, now, times));
        Ok(Self {
            context: PageContext::new(app, request, "Services"),
            fault: None,
            services: rows.collect(),
            is_creating: false,
            name: String::new(),
            grant: GrantFields::new(&Grant::default()),
        })
    }
}

/// `GET /admin/services`.
pub async fn list(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    query: Query<ServicesQuery>,
) -> Answer {
    let mut page = ServicesPage::build(&app, &request, &who).await?;
    page.is_creating = query.create == "1";
    page::render(&page)
}

/// `POST /admin/services`: connects a service. Its page shows the credential, or an enrolment code, once.
pub async fn create(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    form: Form,
) -> Answer {
    let (name, grant) = (form.text("name").trim().to_owned(), GrantFields::of(&form));
    let by_code = form.text("by") == "code";
    match connect(&app, &who, &name, &grant, by_code).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let problem = to_problem(error);
            let mut page = ServicesPage::build(&app, &request, &who).await?;
            (page.is_creating, page.name, page.grant) = (true, name, grant);
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

/// `by_code`: the program gets its credential for an enrolment code; otherwise the page shows one.
async fn connect(
    app: &AppData,
    who: &SignedIn,
    name: &str,
    grant: &GrantFields,
    by_code: bool,
) -> Result<HttpResponse, ServiceError> {
    let name = ServiceName::parse(name).ok_or(ServiceError::Name)?;
    let (grant, actor) = (grant.read()?, who.actor());
    if by_code {
        let made = app.write(move |tx| services::create_enrol_code(tx, &actor, &name, Some(grant))).await?;
        return Ok(secrets::show(app, who, made.service.id, SecretKind::EnrolCode, made.code));
    }
    let (service, secret) = app.write(move |tx| services::create(tx, &actor, &name, grant)).await?;
    Ok(secrets::show(app, who, service.id, SecretKind::Credential, secret))
}
