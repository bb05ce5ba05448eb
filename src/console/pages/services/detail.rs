//! `/admin/services/{id}`: one service.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::super::ops;
use super::super::commands::command_tag;
use super::grant::GrantFields;
use super::secrets::{self, NewSecret, SecretKind};
use super::webhook_card::WebhookCard;
use super::{PATH, Tag, credential_tag, parse_id, service_tag, to_problem};
use crate::base::{Cursor, Problem, ServiceId, Timestamp};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Moment, OperatorInSession, SignedIn, TimeFormat};
use crate::inbox::{Command, CommandFilter};
use crate::services::{ResourceType, ServiceCredential, Sku, StoredManifest};

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
    /// The address says that something is shown once, and it is not any more: what to do.
    gone: Option<&'static str>,
    credentials: Vec<CredentialRow>,
    commands: Vec<CommandRow>,
    filters: Vec<FilterChoice>,
    /// Older commands. `None`: there are none.
    older: Option<String>,
    pub grant: GrantFields,
    types: Vec<ResourceType>,
    pub webhook: WebhookCard,
    manifest: Option<ManifestCard>,
    last_seen: Option<Moment>,
}

/// What a service says about itself.
struct ManifestCard {
    version: i64,
    updated: Moment,
    can_export: bool,
    can_erase: bool,
    /// Besides the built-in ones.
    types: Vec<TypeRow>,
    skus: Vec<Sku>,
}

struct TypeRow {
    label: String,
    name: String,
    /// The type that contains it, where its bytes count, and the limit that counts it.
    about: String,
}

impl ManifestCard {
    fn new(StoredManifest { manifest, updated_at }: StoredManifest, times: TimeFormat<'_>) -> Self {
        let about = |one: &ResourceType| {
            let parts = [
                one.parent.as_ref().map(|parent| format!("below {parent}")),
                one.category.map(|category| format!("bytes count as {}", category.as_str())),
                one.limit.map(|limit| format!("limited as {}", limit.as_str())),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        let row = |one: ResourceType| TypeRow { about: about(&one), label: one.label, name: one.name };
        Self {
            version: manifest.version,
            updated: times.moment(updated_at),
            can_export: manifest.can_export,
            can_erase: manifest.can_erase,
            types: manifest.resource_types.into_iter().map(row).collect(),
            skus: manifest.skus,
        }
    }
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
        let wanted = SecretKind::parse(&query.new);
        let secret = wanted.and_then(|kind| secrets::recent(app, who, id, kind));
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
            gone: wanted.filter(|_| secret.is_none()).map(SecretKind::when_gone),
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
            webhook: WebhookCard::new(read.webhook, times),
            manifest: read.manifest.map(|manifest| ManifestCard::new(manifest, times)),
            last_seen: read.last_seen.map(|at| times.moment(at)),
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
