//! `domicile service …`.

use serde_json::json;

use super::arguments::{Common, ServiceAccess, ServiceCommand};
use super::context::open;
use super::failure::Failure;
use super::inbox::{webhook_json, webhook_text};
use super::output::{Table, issue, out, result, tell};
use crate::api_keys::{OVERLAP_DEFAULT, parse_overlap};
use crate::base::{Actor, HoldId, Problem, ServiceCredentialId, Timestamp, WorkspaceId};
use crate::billing::usage::UsageError;
use crate::billing::usage::authorizations::{
    Closed, Mode, Policy, PolicyChange, change_policy, count_reserving, release_by_operator,
};
use crate::config::parse_duration;
use crate::db::View;
use crate::inbox::{self, WebhookEndpoint};
use crate::resources;
use crate::services::{
    self, EnrolCode, Grant, Service, ServiceCredential, ServiceError, ServiceName, ServiceScope, ServiceScopes,
    StoredManifest, WorkspaceGrant,
};

pub(super) fn service(common: &Common, command: &ServiceCommand) -> Result<(), Failure> {
    match command {
        ServiceCommand::Create { name, access } => create(common, name, access),
        ServiceCommand::EnrolCode { name, access } => enrol_code(common, name, access),
        ServiceCommand::Change { service, access, all_workspaces } => change(common, service, access, *all_workspaces),
        ServiceCommand::Authorizations { service, mode, margin, hold } => {
            let change = PolicyChange {
                mode: mode.as_deref().and_then(Mode::parse),
                margin_percent: *margin,
                hold_for: hold
                    .as_deref()
                    .map(|text| parse_duration(text).ok_or_else(|| Problem::from(UsageError::BadPolicy)))
                    .transpose()?,
            };
            authorizations(common, service, change)
        }
        ServiceCommand::Release { authorization } => release(common, authorization),
        ServiceCommand::Disconnect { service, yes } => disconnect(common, service, *yes),
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

fn create(common: &Common, name: &str, access: &ServiceAccess) -> Result<(), Failure> {
    let (name, grant) = (parse_name(name)?, Grant::default().with(scopes_of(access)?, workspaces_of(access)?));
    let (app, is_json) = (open(common)?, common.json);
    let make = move |tx: &mut crate::db::Tx<'_>| services::create(tx, &Actor::Operator, &name, grant);
    issue(&app, make, move |(service, credential)| result_text(is_json, service, credential.expose()))?;
    Ok(())
}

fn enrol_code(common: &Common, name: &str, access: &ServiceAccess) -> Result<(), Failure> {
    let (name, scopes, workspaces) = (parse_name(name)?, scopes_of(access)?, workspaces_of(access)?);
    let is_given = scopes.is_some() || workspaces.is_some();
    let grant = is_given.then(|| Grant::default().with(scopes, workspaces));
    let (app, is_json) = (open(common)?, common.json);
    let make = move |tx: &mut crate::db::Tx<'_>| services::create_enrol_code(tx, &Actor::Operator, &name, grant);
    let show = move |made: &EnrolCode| match is_json {
        true => json!({
            "id": made.service.id.to_string(),
            "name": made.service.name,
            "code": made.code.expose(),
            "expires_at": made.expires_at.rfc3339(),
        })
        .to_string(),
        false => made.code.expose().clone(),
    };
    let made = issue(&app, make, show)?;
    tell!("The code is valid until {}, once.", made.expires_at.day_and_time());
    Ok(())
}

fn change(common: &Common, name: &str, access: &ServiceAccess, all_workspaces: bool) -> Result<(), Failure> {
    let (scopes, workspaces) = (scopes_of(access)?, workspaces_of(access)?);
    let workspaces = if all_workspaces { Some(WorkspaceGrant::All) } else { workspaces };
    let (app, name) = (open(common)?, name.to_owned());
    let change = move |tx: &mut crate::db::Tx<'_>| services::change(tx, &Actor::Operator, &name, scopes, workspaces);
    let (service, is_changed) = app.store().write_blocking(change).map_err(Problem::from)?;
    let shown = json!({
        "id": service.id.to_string(),
        "changed": is_changed,
        "scopes": scope_names(&service.grant),
        "workspaces": workspace_ids(&service.grant),
    });
    result(common, &shown, &service.id.to_string())?;
    tell!("{}: {}; {}.", service.name, scopes_text(&service.grant), workspaces_text(&service.grant));
    Ok(())
}

fn authorizations(common: &Common, name: &str, change: PolicyChange) -> Result<(), Failure> {
    let (app, name) = (open(common)?, name.to_owned());
    let service = app.store().read_blocking(|view| services::find(view, &name)).map_err(Problem::from)?;
    let id = service.id;
    let change = move |tx: &mut crate::db::Tx<'_>| change_policy(tx, &Actor::Operator, id, change);
    let (policy, is_changed) = app.store().write_blocking(change).map_err(Problem::from)?;
    let Policy { mode, margin_percent, hold_for } = policy;
    let shown = json!({
        "id": id.to_string(),
        "changed": is_changed,
        "mode": mode.as_str(),
        "margin_percent": margin_percent,
        "hold_seconds": hold_for.as_secs(),
    });
    result(common, &shown, &format!("{}\t{margin_percent} %\t{} s", mode.as_str(), hold_for.as_secs()))
}

fn release(common: &Common, authorization: &str) -> Result<(), Failure> {
    let id = HoldId::parse(authorization).ok_or_else(|| Problem::from(UsageError::UnknownAuthorization))?;
    let app = open(common)?;
    let ended = app.store().write_blocking(move |tx| release_by_operator(tx, &Actor::Operator, id));
    let Closed { workspace, state, charged } = ended.map_err(Problem::from)?;
    let answer = json!({
        "authorization": id.to_string(),
        "workspace": workspace.to_string(),
        "state": state.as_str(),
        "charged": charged.to_string(),
    });
    result(common, &answer, state.as_str())
}

fn disconnect(common: &Common, name: &str, yes: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let named = name.to_owned();
    let service = app.store().read_blocking(|view| services::find(view, &named)).map_err(Problem::from)?;
    if !yes {
        return Err(Failure::refused(format!(
            "this would disconnect {} ({}) for good: its credentials end at once. Nothing was changed. Add --yes to confirm.",
            service.name, service.id
        )));
    }
    let name = name.to_owned();
    let ended = app.store().write_blocking(move |tx| services::disconnect(tx, &Actor::Operator, &name));
    let service = ended.map_err(Problem::from)?;
    let id = service.id;
    let kept = app.store().read_blocking(move |view| resources::count_active_of(view, id)).map_err(Problem::from)?;
    let reserving = app.store().read_blocking(move |view| count_reserving(view, id)).map_err(Problem::from)?;
    let answer = json!({"id": id.to_string(), "name": service.name, "resources": kept, "authorizations": reserving});
    result(common, &answer, &id.to_string())?;
    tell!("{} is disconnected. What it reported stays.", service.name);
    if reserving > 0 {
        tell!("Authorizations that reserve credit: {reserving}. The server releases them within a minute.");
    }
    if kept > 0 {
        tell!(
            "Resources that it keeps: {kept}. They count until their owners move them to the trash and delete them there."
        );
    }
    Ok(())
}

fn parse_name(name: &str) -> Result<ServiceName, Problem> {
    ServiceName::parse(name).ok_or_else(|| ServiceError::Name.into())
}

/// The given scopes. `None`: none is given.
fn scopes_of(access: &ServiceAccess) -> Result<Option<ServiceScopes>, Problem> {
    let given = Some(access.scope.join(" ")).filter(|names| !names.is_empty());
    given.map(|names| ServiceScopes::parse(&names).ok_or_else(|| ServiceError::Scope.into())).transpose()
}

/// The given workspaces. `None`: none is given.
fn workspaces_of(access: &ServiceAccess) -> Result<Option<WorkspaceGrant>, Problem> {
    if access.workspace.is_empty() {
        return Ok(None);
    }
    let ids: Option<Vec<_>> = access.workspace.iter().map(|id| WorkspaceId::parse(id)).collect();
    let listed = WorkspaceGrant::only(ids.ok_or(ServiceError::Workspace)?);
    listed.map(Some).ok_or_else(|| ServiceError::TooManyWorkspaces.into())
}

fn scope_names(grant: &Grant) -> Vec<&'static str> {
    grant.scopes.iter().map(ServiceScope::as_str).collect()
}

/// `None`: all.
fn workspace_ids(grant: &Grant) -> Option<Vec<String>> {
    grant.workspaces.listed().map(|listed| listed.iter().map(ToString::to_string).collect())
}

fn scopes_text(grant: &Grant) -> String {
    if scope_names(grant).is_empty() { "no scopes".to_owned() } else { grant.scopes.names() }
}

fn workspaces_text(grant: &Grant) -> String {
    match workspace_ids(grant) {
        None => "all workspaces".to_owned(),
        Some(listed) if listed.is_empty() => "no workspaces".to_owned(),
        Some(listed) => listed.join(" "),
    }
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

/// A service with all that is known about it.
struct Details {
    service: Service,
    credentials: Vec<ServiceCredential>,
    last_seen: Option<Timestamp>,
    manifest: Option<StoredManifest>,
    webhook: Option<WebhookEndpoint>,
}

impl Details {
    fn read(view: &View<'_>, service: Service) -> Result<Self, crate::db::Error> {
        Ok(Self {
            credentials: services::list_credentials(view, service.id)?,
            last_seen: services::last_seen(view, service.id)?,
            manifest: services::manifest(view, service.id)?,
            webhook: inbox::webhook(view, service.id)?,
            service,
        })
    }
}

fn list(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let read = |view: &View<'_>| {
        let services = services::list(view)?.into_iter();
        services.map(|service| Details::read(view, service)).collect::<Result<Vec<_>, crate::db::Error>>()
    };
    let (found, now) = (app.store().read_blocking(read).map_err(Problem::from)?, app.now());
    if common.json {
        let found: Vec<_> = found.iter().map(|details| details_json(details, now)).collect();
        return out!("{}", json!({"services": found}));
    }
    let mut table = Table::new(&["id", "name", "credentials", "since", "state", "last seen"]);
    for Details { service, credentials, last_seen, .. } in &found {
        let valid = credentials.iter().filter(|credential| credential.is_valid(now)).count();
        table.row([
            service.id.to_string(),
            service.name.clone(),
            format!("{valid} valid"),
            service.created_at.iso_day(),
            service.state().to_owned(),
            last_seen.map_or_else(|| "not yet".to_owned(), Timestamp::iso_day),
        ]);
    }
    table.print()
}

fn show(common: &Common, name: &str) -> Result<(), Failure> {
    let (app, name) = (open(common)?, name.to_owned());
    let read = |view: &View<'_>| Ok::<_, ServiceError>(Details::read(view, services::find(view, &name)?)?);
    let details = app.store().read_blocking(read).map_err(Problem::from)?;
    let now = app.now();
    if common.json {
        return out!("{}", details_json(&details, now));
    }
    let Details { service, credentials, last_seen, manifest, webhook } = &details;
    // The time is written once a minute.
    let seen = last_seen.map_or_else(|| "not yet, or less than a minute ago".to_owned(), Timestamp::day_and_time);
    let ended = service.disconnected_at.map_or_else(String::new, |at| format!(", since {}", at.day_and_time()));
    let mut lines = vec![
        format!("Service     {}", service.id),
        format!("Name        {}", service.name),
        format!("State       {}{ended}", service.state()),
        format!("Since       {}", service.created_at.day_and_time()),
        format!("Last seen   {seen}"),
        format!("Scopes      {}", scopes_text(&service.grant)),
        format!("Workspaces  {}", workspaces_text(&service.grant)),
        format!("Webhook     {}", webhook_text(webhook.as_ref())),
    ];
    if let Some(StoredManifest { manifest, updated_at }) = manifest {
        let yes_or_no = |can| if can { "yes" } else { "no" };
        let types: Vec<_> = manifest.resource_types.iter().map(|one| one.name.as_str()).collect();
        let skus: Vec<_> = manifest.skus.iter().map(|one| one.sku.as_str()).collect();
        lines.push(format!("Manifest    version {}, {}", manifest.version, updated_at.day_and_time()));
        lines.extend((!types.is_empty()).then(|| format!("Types       {}", types.join(" "))));
        lines.extend((!skus.is_empty()).then(|| format!("SKUs        {}", skus.join(" "))));
        lines.push(format!("Exports     {}", yes_or_no(manifest.can_export)));
        lines.push(format!("Erases      {}", yes_or_no(manifest.can_erase)));
    }
    for credential in credentials {
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

fn details_json(details: &Details, now: Timestamp) -> serde_json::Value {
    let Details { service, credentials, last_seen, manifest, webhook } = details;
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
    let manifest = manifest.as_ref().map(|StoredManifest { manifest, updated_at }| {
        json!({
            "version": manifest.version,
            "resource_types": manifest.resource_types.iter().map(|one| &one.name).collect::<Vec<_>>(),
            "skus": manifest.skus.iter().map(|one| &one.sku).collect::<Vec<_>>(),
            "can_export": manifest.can_export,
            "can_erase": manifest.can_erase,
            "updated_at": updated_at.rfc3339(),
        })
    });
    json!({
        "id": service.id.to_string(),
        "name": service.name,
        "state": service.state(),
        "scopes": scope_names(&service.grant),
        "workspaces": workspace_ids(&service.grant),
        "created_at": service.created_at.rfc3339(),
        "disconnected_at": time(service.disconnected_at),
        "last_seen_at": time(*last_seen),
        "manifest": manifest,
        "webhook": webhook.as_ref().map(webhook_json),
        "credentials": credentials,
    })
}
