//! `/admin/services/{id}`: one service.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::super::ops;
use super::grant::GrantFields;
use super::secrets::{self, NewSecret};
use super::{PATH, Tag, credential_tag, parse_id, service_tag, to_problem};
use crate::base::{Problem, ServiceId, Timestamp};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Moment, OperatorInSession, SignedIn, TimeFormat};
use crate::services::{ResourceType, ServiceCredential};

struct CredentialRow {
    /// Its first characters. Empty: an earlier version created it.
    display: String,
    id: String,
    created: Moment,
    tag: Tag,
    is_over: bool,
    /// When it ended or ends.
    ends: Option<Moment>,
}

impl CredentialRow {
    fn new(credential: &ServiceCredential, now: Timestamp, times: TimeFormat<'_>) -> Self {
        Self {
            display: credential.display.clone(),
            id: credential.id.to_string(),
            created: times.moment(credential.created_at),
            tag: credential_tag(credential, now),
            is_over: !credential.is_valid(now),
            ends: credential.revoked_at.or(credential.ends_at).map(|at| times.moment(at)),
        }
    }
}

#[derive(Template)]
#[template(path = "console/service.html")]
pub(super) struct ServicePage {
    context: PageContext,
    pub fault: Option<FormFault>,
    id: String,
    name: String,
    tag: Tag,
    is_connected: bool,
    created: Moment,
    disconnected: Option<Moment>,
    /// What is shown once. `None`: nothing, or not any more.
    secret: Option<NewSecret>,
    /// The address says that something is shown once, and it is not any more.
    is_gone: bool,
    credentials: Vec<CredentialRow>,
    pub grant: GrantFields,
    types: Vec<ResourceType>,
}

/// The query: whether something is shown once.
#[derive(Deserialize, Default)]
pub struct ServiceQuery {
    #[serde(default)]
    new: String,
}

impl ServicePage {
    pub async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        id: ServiceId,
        query: &ServiceQuery,
    ) -> Result<Self, Problem> {
        let read = app.read_offloaded(move |view| ops::read_service(view, id)).await.map_err(to_problem)?;
        let (now, times) = (app.now(), TimeFormat::new(app.now(), &who.identity.zone));
        let valid = read.credentials.iter().filter(|credential| credential.is_valid(now)).count();
        let secret = secrets::shown(app, who, id).filter(|_| query.new == "1");
        let mut context = PageContext::new(app, request, &read.service.name);
        context.path = PATH.to_owned();
        Ok(Self {
            context,
            fault: None,
            id: id.to_string(),
            tag: service_tag(&read.service, valid),
            is_connected: read.service.disconnected_at.is_none(),
            created: times.moment(read.service.created_at),
            disconnected: read.service.disconnected_at.map(|at| times.moment(at)),
            is_gone: query.new == "1" && secret.is_none(),
            secret,
            credentials: read.credentials.iter().rev().map(|one| CredentialRow::new(one, now, times)).collect(),
            grant: GrantFields::new(&read.service.grant),
            types: read.types,
            name: read.service.name,
        })
    }
}

/// `GET /admin/services/{id}`.
pub async fn detail(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    query: Query<ServiceQuery>,
) -> Answer {
    page::render(&ServicePage::build(&app, &request, &who, parse_id(&path)?, &query).await?)
}
