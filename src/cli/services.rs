//! `domicile service …`.

use serde_json::json;

use super::arguments::{Common, ServiceCommand};
use super::context::open;
use super::failure::Failure;
use super::output::{Table, issue, out, result, tell};
use crate::api_keys::{OVERLAP_DEFAULT, parse_overlap};
use crate::base::{Actor, Problem, ServiceCredentialId, Timestamp};
use crate::db::View;
use crate::services::{self, Grant, Service, ServiceCredential, ServiceError, ServiceName};

pub(super) fn service(common: &Common, command: &ServiceCommand) -> Result<(), Failure> {
    match command {
        ServiceCommand::Create { name } => create(common, name),
        ServiceCommand::List => list(common),
        ServiceCommand::Show { service } => show(common, service),
        ServiceCommand::Rotate { service, overlap } => rotate(common, service, overlap.as_deref()),
        ServiceCommand::Revoke { service, credential } => revoke(common, service, credential.as_deref()),
    }
}

/// Prints only the credential on stdout, so that it can be piped into the secret store of a program.
fn result_text(is_json: bool, service: &Service, credential: &str) -> String {
    match is_json {
        true => json!({"id": service.id.to_string(), "name": service.name, "credential": credential}).to_string(),
        false => credential.to_owned(),
    }
}

fn create(common: &Common, name: &str) -> Result<(), Failure> {
    let name = ServiceName::parse(name).ok_or_else(|| Problem::from(ServiceError::Name))?;
    let (app, is_json) = (open(common)?, common.json);
    let make = move |tx: &mut crate::db::Tx<'_>| services::create(tx, &Actor::Operator, &name, Grant::default());
    issue(&app, make, move |(service, credential)| result_text(is_json, service, credential.expose()))?;
    Ok(())
}

fn rotate(common: &Common, name: &str, overlap: Option<&str>) -> Result<(), Failure> {
    let overlap = match overlap {
        None => OVERLAP_DEFAULT,
        Some(span) => parse_overlap(span).ok_or_else(|| Problem::from(ServiceError::Overlap))?,
    };
    let (app, name, is_json) = (open(common)?, name.to_owned(), common.json);
    let make = move |tx: &mut crate::db::Tx<'_>| services::rotate(tx, &Actor::Operator, &name, overlap);
    let issued = issue(&app, make, move |issued| result_text(is_json, &issued.service, issued.secret.expose()))?;
    if let Some(end) = issued.predecessor_ends_at {
        tell!("The old credential is valid until {}.", end.day_and_time());
    }
    Ok(())
}

fn revoke(common: &Common, name: &str, credential: Option<&str>) -> Result<(), Failure> {
    let only = match credential {
        None => None,
        Some(id) => Some(ServiceCredentialId::parse(id).ok_or_else(|| Problem::from(ServiceError::NoCredential))?),
    };
    let (app, name) = (open(common)?, name.to_owned());
    let revoked = app.store().write_blocking(move |tx| services::revoke(tx, &Actor::Operator, &name, only));
    let (service, count) = revoked.map_err(Problem::from)?;
    result(common, &json!({"id": service.id.to_string(), "revoked": count}), &service.id.to_string())?;
    tell!("Credentials revoked: {count}. To give the service a new one, run: domicile service rotate {}", service.name);
    Ok(())
}

fn list(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let read = |view: &View<'_>| {
        let services = services::list(view)?.into_iter();
        let with_credentials = services.map(|service| {
            let credentials = services::list_credentials(view, service.id)?;
            Ok((service, credentials))
        });
        with_credentials.collect::<Result<Vec<_>, crate::db::Error>>()
    };
    let (found, now) = (app.store().read_blocking(read).map_err(Problem::from)?, app.now());
    if common.json {
        let found: Vec<_> = found.iter().map(|(service, own)| service_json(service, own, now)).collect();
        return out!("{}", json!({"services": found}));
    }
    let mut table = Table::new(&["id", "name", "credentials", "since"]);
    for (service, credentials) in &found {
        let valid = credentials.iter().filter(|credential| credential.is_valid(now)).count();
        table.row([
            service.id.to_string(),
            service.name.clone(),
            format!("{valid} valid"),
            service.created_at.iso_day(),
        ]);
    }
    table.print()
}

fn show(common: &Common, name: &str) -> Result<(), Failure> {
    let (app, name) = (open(common)?, name.to_owned());
    let read = |view: &View<'_>| {
        let service = services::find(view, &name)?;
        let credentials = services::list_credentials(view, service.id)?;
        Ok::<_, ServiceError>((service, credentials))
    };
    let (service, credentials) = app.store().read_blocking(read).map_err(Problem::from)?;
    let now = app.now();
    if common.json {
        return out!("{}", service_json(&service, &credentials, now));
    }
    let mut lines = vec![
        format!("Service     {}", service.id),
        format!("Name        {}", service.name),
        format!("Since       {}", service.created_at.day_and_time()),
    ];
    for credential in &credentials {
        let (state, display) = (credential.state(now), &credential.display);
        let end = match (credential.revoked_at, credential.ends_at) {
            (Some(at), _) => format!(", since {}", at.day_and_time()),
            (None, Some(end)) => format!(", ends {}", end.day_and_time()),
            (None, None) => String::new(),
        };
        let display = if display.is_empty() { String::new() } else { format!("{display}…, ") };
        let created = credential.created_at.day_and_time();
        lines.push(format!("Credential  {} ({display}created {created}, {state}{end})", credential.id));
    }
    out!("{}", lines.join("\n"))
}

fn service_json(service: &Service, credentials: &[ServiceCredential], now: Timestamp) -> serde_json::Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    let credentials: Vec<_> = credentials
        .iter()
        .map(|credential| {
            json!({
                "id": credential.id.to_string(),
                "display": credential.display,
                "state": credential.state(now),
                "created_at": credential.created_at.rfc3339(),
                "ends_at": time(credential.ends_at),
                "revoked_at": time(credential.revoked_at),
            })
        })
        .collect();
    json!({
        "id": service.id.to_string(),
        "name": service.name,
        "created_at": service.created_at.rfc3339(),
        "credentials": credentials,
    })
}
