//! `domicile inbox …`.

use serde_json::json;

use super::arguments::{Common, InboxCommand};
use super::context::open;
use super::failure::Failure;
use super::output::{Table, issue, out, result, tell, times};
use crate::api_keys::{OVERLAP_DEFAULT, parse_overlap};
use crate::app::App;
use crate::base::{Actor, CommandId, PAGE_SIZE_MAX, Problem, Secret, ServiceId, Timestamp};
use crate::db::{Tx, View};
use crate::inbox::{self, Command, CommandFilter, CommandMessage, Delivery, InboxError, WebhookEndpoint};
use crate::services::{self, ServiceError};

pub(super) fn inbox(common: &Common, command: &InboxCommand) -> Result<(), Failure> {
    match command {
        InboxCommand::List { service, state } => list(common, service.as_deref(), state),
        InboxCommand::Show { command } => show(common, command),
        InboxCommand::Retry { command } => retry(common, command),
        InboxCommand::Cancel { command } => cancel(common, command),
        InboxCommand::Ping { service } => ping(common, service),
        InboxCommand::Webhook { service, url, remove, rotate_secret, overlap } => match (url, remove, rotate_secret) {
            (_, _, true) => rotate(common, service, overlap.as_deref()),
            (None, false, _) => show_webhook(common, service),
            _ => set_webhook(common, service, url.clone()),
        },
    }
}

fn find_service(app: &App, name: &str) -> Result<ServiceId, Failure> {
    let service = app.store().read_blocking(|view| services::find(view, name)).map_err(Problem::from)?;
    Ok(service.id)
}

fn command_id(text: &str) -> Result<CommandId, Failure> {
    let id = CommandId::parse(text.trim()).ok_or(InboxError::NotFound);
    Ok(id.map_err(Problem::from)?)
}

fn list(common: &Common, service: Option<&str>, state: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let filter = CommandFilter::parse(state);
    let read = |view: &View<'_>| {
        let service = service.map(|name| services::find(view, name)).transpose()?.map(|service| service.id);
        let commands = inbox::newest_commands(view, service, filter, PAGE_SIZE_MAX)?;
        Ok::<_, ServiceError>((commands, services::list(view)?))
    };
    let (commands, services) = app.store().read_blocking(read).map_err(Problem::from)?;
    let now = app.now();
    if common.json {
        let commands: Vec<_> = commands.iter().map(|command| command_json(command, now)).collect();
        return out!("{}", json!({"commands": commands}));
    }
    if commands.is_empty() {
        tell!(
            "{}",
            if state == "all" { "There are no commands.".to_owned() } else { format!("No command is {state}.") }
        );
        return Ok(());
    }
    let mut table = Table::new(&["id", "service", "type", "state", "since", "due", "tried"]);
    for command in &commands {
        let service = services.iter().find(|service| service.id == command.service);
        table.row([
            command.id.to_string(),
            service.map_or_else(|| command.service.to_string(), |service| service.name.clone()),
            command.kind.as_str().to_owned(),
            state_of(command, now).to_owned(),
            command.created_at.day_and_time(),
            command.deadline.map_or_else(|| "no deadline".to_owned(), Timestamp::day_and_time),
            times(command.attempts),
        ]);
    }
    table.print()
}

fn state_of(command: &Command, now: Timestamp) -> &'static str {
    match &command.end {
        Some(end) => end.outcome.as_str(),
        None if command.is_overdue(now) => "overdue",
        None if command.accepted_at.is_some() => "in_progress",
        None => "open",
    }
}

fn command_json(command: &Command, now: Timestamp) -> serde_json::Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "command": CommandMessage::from(command),
        "service": command.service.to_string(),
        "state": state_of(command, now),
        "late": command.is_late(),
        "ended_at": command.end.as_ref().map(|end| end.at.rfc3339()),
        "detail": command.end.as_ref().map(|end| &end.detail),
        "attempts": command.attempts,
        "next_at": time(command.next_at),
        "delivered_at": time(command.delivered_at),
    })
}

fn show(common: &Common, id: &str) -> Result<(), Failure> {
    let (app, id) = (open(common)?, command_id(id)?);
    let read = |view: &View<'_>| {
        let command = inbox::find_command(view, id)?.ok_or(InboxError::NotFound)?;
        Ok::<_, InboxError>((command, inbox::deliveries(view, id)?))
    };
    let (command, deliveries) = app.store().read_blocking(read).map_err(Problem::from)?;
    let now = app.now();
    if common.json {
        let mut shown = command_json(&command, now);
        shown["deliveries"] = deliveries.iter().map(delivery_json).collect();
        return out!("{shown}");
    }
    let mut lines = vec![
        format!("Command   {}", command.id),
        format!("Service   {}", command.service),
        format!("Type      {}", command.kind.as_str()),
        format!("Since     {}", command.created_at.day_and_time()),
        format!("Due       {}", command.deadline.map_or_else(|| "no deadline".to_owned(), Timestamp::day_and_time)),
        format!("State     {}", state_of(&command, now)),
        format!("Data      {}", command.data),
    ];
    if let Some(end) = command.end.as_ref().filter(|end| !end.detail.is_empty()) {
        lines.push(format!("Service said: {}", end.detail));
    }
    for delivery in &deliveries {
        let status = delivery.status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
        let why = delivery.failure.as_deref().unwrap_or("taken");
        let (at, millis) = (delivery.at.day_and_time(), delivery.duration.as_millis());
        lines.push(format!("Webhook   {at}: {status} after {millis} ms, {why}"));
        if !delivery.answer.is_empty() {
            lines.push(format!("          {}", delivery.answer));
        }
    }
    out!("{}", lines.join("\n"))
}

fn delivery_json(delivery: &Delivery) -> serde_json::Value {
    json!({
        "at": delivery.at.rfc3339(),
        "milliseconds": u64::try_from(delivery.duration.as_millis()).unwrap_or(u64::MAX),
        "status": delivery.status,
        "answer": delivery.answer,
        "failure": delivery.failure,
    })
}

fn retry(common: &Common, id: &str) -> Result<(), Failure> {
    let (app, id) = (open(common)?, command_id(id)?);
    app.store().write_blocking(move |tx| inbox::retry_now(tx, &Actor::Operator, id)).map_err(Problem::from)?;
    result(common, &json!({"id": id.to_string()}), &id.to_string())
}

fn cancel(common: &Common, id: &str) -> Result<(), Failure> {
    let (app, id) = (open(common)?, command_id(id)?);
    app.store().write_blocking(move |tx| inbox::cancel(tx, &Actor::Operator, id)).map_err(Problem::from)?;
    result(common, &json!({"id": id.to_string()}), &id.to_string())
}

fn ping(common: &Common, service: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let service = find_service(&app, service)?;
    let id = app.store().write_blocking(move |tx| inbox::ping(tx, service)).map_err(Problem::from)?;
    result(common, &json!({"id": id.to_string()}), &id.to_string())?;
    tell!("To see whether it arrived, run: domicile inbox show {id}");
    Ok(())
}

fn show_webhook(common: &Common, service: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let service = find_service(&app, service)?;
    let endpoint = app.store().read_blocking(|view| inbox::webhook(view, service)).map_err(Problem::from)?;
    let endpoint = endpoint.as_ref();
    result(common, &endpoint.map_or(serde_json::Value::Null, webhook_json), &webhook_text(endpoint))
}

/// Where the commands of a service are sent, and whether they arrive, in one line.
pub(super) fn webhook_text(endpoint: Option<&WebhookEndpoint>) -> String {
    let Some((endpoint, url)) = endpoint.and_then(|one| Some((one, one.url.as_ref()?))) else {
        return "none: the service reads its inbox".to_owned();
    };
    let mut state = endpoint.state.label().to_lowercase();
    if let Some(at) = endpoint.state.since() {
        state = format!("{state} since {}", at.day_and_time());
    }
    let secret = endpoint
        .previous_ends_at
        .map_or_else(String::new, |end| format!("; the previous secret signs too until {}", end.day_and_time()));
    format!("{url}: {state}{secret}")
}

pub(super) fn webhook_json(endpoint: &WebhookEndpoint) -> serde_json::Value {
    json!({
        "url": endpoint.url,
        "state": endpoint.state.as_str(),
        "since": endpoint.state.since().map(Timestamp::rfc3339),
        "changed_at": endpoint.changed_at.rfc3339(),
        "previous_secret_until": endpoint.previous_ends_at.map(Timestamp::rfc3339),
    })
}

fn set_webhook(common: &Common, service: &str, url: Option<String>) -> Result<(), Failure> {
    let (app, is_json) = (open(common)?, common.json);
    let service = find_service(&app, service)?;
    let known = app.store().read_blocking(|view| inbox::webhook(view, service)).map_err(Problem::from)?;
    let set = move |tx: &mut Tx<'_>| inbox::set_webhook(tx, &Actor::Operator, service, url.as_deref());
    // A secret is printed before it is stored; without a new one there is nothing to print.
    if known.is_some() {
        app.store().write_blocking(set).map_err(Problem::from)?;
        return if is_json { out!("{}", secret_json(None)) } else { Ok(()) };
    }
    issue(&app, set, move |secret| secret_text(is_json, secret.as_ref()))?;
    Ok(())
}

fn rotate(common: &Common, service: &str, overlap: Option<&str>) -> Result<(), Failure> {
    let overlap = match overlap {
        None => OVERLAP_DEFAULT,
        Some(span) => parse_overlap(span).ok_or_else(|| Problem::from(InboxError::Overlap))?,
    };
    let (app, is_json) = (open(common)?, common.json);
    let service = find_service(&app, service)?;
    let rotate = move |tx: &mut Tx<'_>| inbox::rotate_webhook_secret(tx, &Actor::Operator, service, overlap);
    issue(&app, rotate, move |secret| secret_text(is_json, Some(secret)))?;
    Ok(())
}

fn secret_json(secret: Option<&Secret<String>>) -> serde_json::Value {
    json!({"secret": secret.map(|secret| secret.expose())})
}

fn secret_text(is_json: bool, secret: Option<&Secret<String>>) -> String {
    match (is_json, secret) {
        (true, _) => secret_json(secret).to_string(),
        (false, Some(secret)) => secret.expose().clone(),
        (false, None) => String::new(),
    }
}
