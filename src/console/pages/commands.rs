//! `/admin/commands/{id}`: what a service was asked to do, how it was sent, and what the service answered.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::flashes::ConsoleFlash;
use super::super::ops;
use super::Tag;
use crate::base::{CommandId, Problem, Timestamp};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, Moment, OperatorInSession, TimeFormat, redirect_with_flash};
use crate::inbox::{self, AckOutcome, Command, CommandMessage, CommandOutcome, Delivery, InboxError};

/// The entry of the sidebar that commands belong to.
const SERVICES: &str = "/admin/services";

/// The state of a command in one word.
pub(super) fn command_tag(command: &Command, now: Timestamp) -> Tag {
    match command.end.as_ref().map(|end| end.outcome) {
        Some(CommandOutcome::Acknowledged(AckOutcome::Done)) => Tag { word: "Done", colour: "ok" },
        Some(CommandOutcome::Acknowledged(AckOutcome::Retained)) => Tag { word: "Done, some kept", colour: "ok" },
        Some(CommandOutcome::Acknowledged(AckOutcome::Rejected)) => Tag { word: "Rejected", colour: "bad" },
        Some(CommandOutcome::Acknowledged(AckOutcome::Failed)) => Tag { word: "Failed", colour: "bad" },
        Some(CommandOutcome::Acknowledged(AckOutcome::InProgress)) => Tag { word: "In progress", colour: "accent" },
        Some(CommandOutcome::Cancelled) => Tag { word: "Cancelled", colour: "" },
        None if command.is_overdue(now) => Tag { word: "Overdue", colour: "bad" },
        None if command.accepted_at.is_some() => Tag { word: "In progress", colour: "accent" },
        None => Tag { word: "Open", colour: "accent" },
    }
}

struct DeliveryRow {
    at: Moment,
    /// The status, or a word for none.
    status: String,
    /// Why it does not count. `None`: the service took it.
    failure: Option<String>,
    answer: String,
    took: String,
}

impl DeliveryRow {
    fn new(delivery: Delivery, times: TimeFormat<'_>) -> Self {
        Self {
            at: times.moment(delivery.at),
            status: delivery.status.map_or_else(|| "No answer".to_owned(), |status| status.to_string()),
            failure: delivery.failure,
            answer: delivery.answer,
            took: format!("{} ms", delivery.duration.as_millis()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/command.html")]
struct CommandPage {
    context: PageContext,
    id: String,
    kind: &'static str,
    tag: Tag,
    service_id: String,
    service_name: String,
    sent: Moment,
    due: Option<Moment>,
    workspace: Option<String>,
    answered: Option<Moment>,
    is_late: bool,
    detail: String,
    payload: String,
    deliveries: Vec<DeliveryRow>,
    next_at: Option<Moment>,
    can_retry: bool,
}

fn parse_id(path: &str) -> Result<CommandId, Problem> {
    CommandId::parse(path).ok_or_else(Problem::not_found)
}

/// `GET /admin/commands/{id}`.
pub async fn command(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
) -> Answer {
    let id = parse_id(&path)?;
    let read = app.read_offloaded(move |view| ops::read_command(view, id)).await?.ok_or_else(Problem::not_found)?;
    let (command, times) = (read.command, TimeFormat::new(app.now(), &who.identity.zone));
    let mut context = PageContext::new(&app, &request, command.kind.as_str());
    context.path = SERVICES.to_owned();
    page::render(&CommandPage {
        context,
        id: id.to_string(),
        kind: command.kind.as_str(),
        tag: command_tag(&command, app.now()),
        service_id: read.service.id.to_string(),
        service_name: read.service.name,
        sent: times.moment(command.created_at),
        due: command.deadline.map(|at| times.moment(at)),
        workspace: command.workspace.map(|id| id.to_string()),
        answered: command.end.as_ref().map(|end| times.moment(end.at)),
        is_late: command.is_late(),
        detail: command.end.as_ref().map(|end| end.detail.clone()).unwrap_or_default(),
        payload: serde_json::to_string_pretty(&CommandMessage::from(&command)).map_err(Problem::internal)?,
        deliveries: read.deliveries.into_iter().map(|delivery| DeliveryRow::new(delivery, times)).collect(),
        next_at: command.next_at.map(|at| times.moment(at)),
        can_retry: command.can_retry(),
    })
}

/// `POST /admin/commands/{id}/retry`.
pub async fn retry(app: AppData, OperatorInSession(who): OperatorInSession, path: Path<String>, _form: Form) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let retried = app.write(move |tx| inbox::retry_now(tx, &actor, id)).await;
    retried.map_err(|error| match error {
        InboxError::NotFound => Problem::not_found(),
        other => other.into(),
    })?;
    Ok(redirect_with_flash(&format!("/admin/commands/{id}"), ConsoleFlash::Retried))
}
