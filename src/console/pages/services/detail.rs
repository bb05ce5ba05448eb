//! `/admin/services/{id}`: one service.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::super::ops;
use super::super::commands::command_tag;
use super::grant::GrantFields;
use super::secrets::{self, NewSecret};
use super::{PATH, Tag, credential_tag, parse_id, service_tag, to_problem};
use crate::base::{Cursor, Problem, ServiceId, Timestamp};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Moment, OperatorInSession, SignedIn, TimeFormat};
use crate::inbox::{Command, CommandFilter};
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

struct CommandRow {
    id: String,
    kind: &'static str,
    sent: Moment,
    due: Option<Moment>,
    tag: Tag,
}

impl CommandRow {
    fn new(command: &Command, now: Timestamp, times: TimeFormat<'_>) -> Self {
        Self {
            id: command.id.to_string(),
            kind: command.kind.as_str(),
            sent: times.moment(command.created_at),
            due: command.deadline.map(|at| times.moment(at)),
            tag: command_tag(command, now),
        }
    }
}

/// A filter of the list of commands.
struct FilterChoice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

const FILTERS: [(CommandFilter, &str); 4] = [
    (CommandFilter::All, "All"),
    (CommandFilter::Open, "Open"),
    (CommandFilter::Overdue, "Overdue"),
    (CommandFilter::Failed, "Failed"),
];

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
    commands: Vec<CommandRow>,
    filters: Vec<FilterChoice>,
    /// Older commands. `None`: there are none.
    older: Option<String>,
    pub grant: GrantFields,
    types: Vec<ResourceType>,
}

/// The query: whether something is shown once, and which commands are listed.
#[derive(Deserialize, Default)]
pub struct ServiceQuery {
    #[serde(default)]
    new: String,
    #[serde(default)]
    show: String,
    #[serde(default)]
    before: String,
}

impl ServicePage {
    pub async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        id: ServiceId,
        query: &ServiceQuery,
    ) -> Result<Self, Problem> {
        let (filter, before) = (CommandFilter::parse(&query.show), Cursor::parse(&query.before));
        let read = app.read_offloaded(move |view| ops::read_service(view, id, filter, before)).await;
        let read = read.map_err(to_problem)?;
        let (now, times) = (app.now(), TimeFormat::new(app.now(), &who.identity.zone));
        let valid = read.credentials.iter().filter(|credential| credential.is_valid(now)).count();
        let secret = secrets::recent(app, who, id).filter(|_| query.new == "1");
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
            commands: read.commands.rows.iter().map(|command| CommandRow::new(command, now, times)).collect(),
            filters: FILTERS
                .map(|(known, label)| FilterChoice { value: known.as_str(), label, is_chosen: known == filter })
                .into(),
            older: read
                .commands
                .next
                .map(|cursor| format!("{PATH}/{id}?show={}&before={cursor}#commands", filter.as_str())),
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
