//! `domicile key …`.

use serde_json::json;

use super::arguments::{Common, KeyCommand, NewKey};
use super::context::{find_account, open};
use super::failure::Failure;
use super::output::{Table, issue, out, tell};
use super::scan;
use crate::api_keys::{
    self, ApiKey, ApiKeyError, CreatedApiKey, Expiry, KeyName, KeyNote, Limits, NewApiKey, OVERLAP_DEFAULT,
};
use crate::base::{ApiKeyId, CredentialAdmin, Problem, Timestamp};
use crate::db::Tx;

pub(super) fn key(common: &Common, command: &KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Scan { path, prefix } => scan::scan(common, path, prefix),
        KeyCommand::Pattern { prefix } => scan::pattern(common, prefix),
        KeyCommand::Create(new) => create(common, new),
        KeyCommand::List { account } => list(common, account),
        KeyCommand::Rotate { key, overlap } => rotate(common, key, overlap.as_deref()),
        KeyCommand::Reduce { key, scope } => reduce(common, key, scope.clone()),
        KeyCommand::Revoke { key } => revoke(common, key),
    }
}

fn create(common: &Common, options: &NewKey) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, workspace) = find_account(&app, &options.account)?;
    let text = |typed: &Option<String>| typed.clone().unwrap_or_default();
    let limits = Limits::parse(
        &options.network.join(" "),
        &text(&options.rate),
        &text(&options.budget),
        if options.budget_in_all { "total" } else { "month" },
    );
    let new = NewApiKey {
        name: KeyName::parse(&options.name).ok_or_else(|| Problem::from(ApiKeyError::Name))?,
        note: KeyNote::parse(&text(&options.note)).ok_or_else(|| Problem::from(ApiKeyError::Note))?,
        scopes: options.scope.clone(),
        expiry: Expiry::parse(options.expires.as_deref().unwrap_or("never"))
            .ok_or_else(|| Problem::from(ApiKeyError::Expiry))?,
        limits: limits.map_err(|fault| Problem::from(ApiKeyError::from(fault)))?,
    };
    if let Some(unknown) = new.scopes.iter().find(|name| app.config().scopes.rights(name).is_none()) {
        let known: Vec<_> = app.config().scopes.entries().iter().map(|entry| entry.name.as_str()).collect();
        return Err(Failure::refused(format!(
            "there is no scope \"{unknown}\". The scopes are: {}.",
            known.join(", ")
        )));
    }
    let (account, workspace) = (person.id, workspace.id);
    let is_json = common.json;
    let make = move |tx: &mut Tx<'_>| api_keys::create(tx, &CredentialAdmin::operator(), account, workspace, &new);
    issue(&app, make, move |created| result_text(is_json, created))?;
    Ok(())
}

/// Only the key, so that it can be piped into the secret store of a program.
fn result_text(is_json: bool, created: &CreatedApiKey) -> String {
    match is_json {
        true => json!({"id": created.key.id.to_string(), "key": created.secret.expose()}).to_string(),
        false => created.secret.expose().clone(),
    }
}

fn list(common: &Common, account: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let (_, workspace) = find_account(&app, account)?;
    let keys = app.store().read_blocking(move |view| api_keys::list(view, workspace.id)).map_err(Problem::from)?;
    if common.json {
        out!("{}", json!({"keys": keys.iter().map(key_json).collect::<Vec<_>>()}))?;
        return Ok(());
    }
    let mut table = Table::new(&["id", "key", "state", "end", "name", "scopes", "note"]);
    for key in keys {
        let end = key.good_until().map_or("never expires".to_owned(), |end| format!("until {}", end.iso_day()));
        let state = key.state.as_str().to_owned();
        table.row([key.id.to_string(), format!("{}…", key.display), state, end, key.name, key.scopes, key.note]);
    }
    table.print()
}

fn key_json(key: &ApiKey) -> serde_json::Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "id": key.id.to_string(), "name": key.name, "note": key.note, "display": key.display, "scopes": key.scopes,
        "state": key.state.as_str(), "created_at": key.created_at.rfc3339(),
        "expires_at": time(key.expires_at), "retire_at": time(key.retire_at),
        "predecessor": key.predecessor.map(|id| id.to_string()),
        "networks": key.limits.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "rate_per_minute": key.limits.rate_per_minute,
        "budget": key.limits.budget.map(|budget| budget.amount.to_string()),
        "budget_period": key.limits.budget.map(|budget| budget.period.as_str()),
        "last_used_at": time(key.last_used_at), "uses": key.uses,
    })
}

fn rotate(common: &Common, key: &str, overlap: Option<&str>) -> Result<(), Failure> {
    let id = parse_id(key)?;
    let overlap = match overlap {
        None => OVERLAP_DEFAULT,
        Some(span) => api_keys::parse_overlap(span).ok_or_else(|| Problem::from(ApiKeyError::Overlap))?,
    };
    let (app, is_json) = (open(common)?, common.json);
    let make = move |tx: &mut Tx<'_>| api_keys::rotate(tx, &CredentialAdmin::operator(), id, overlap);
    let created = issue(&app, make, move |created| result_text(is_json, created));
    let created = created.map_err(|failure| match failure.code {
        "not_found" => no_key(id),
        _ => failure,
    })?;
    if let Some(end) = created.predecessor_ends_at {
        tell!("The old key is valid until {}.", end.day_and_time());
    }
    Ok(())
}

fn reduce(common: &Common, key: &str, scopes: Vec<String>) -> Result<(), Failure> {
    let id = parse_id(key)?;
    let app = open(common)?;
    let reduced = move |tx: &mut Tx<'_>| api_keys::reduce_scopes(tx, &CredentialAdmin::operator(), id, &scopes);
    let (key, _) = app.store().write_blocking(reduced).map_err(|error| to_failure(error, id))?;
    if common.json {
        out!("{}", json!({"id": key.id.to_string(), "scopes": key.scopes}))?;
    } else {
        out!("{}", key.scopes)?;
    }
    Ok(())
}

fn revoke(common: &Common, key: &str) -> Result<(), Failure> {
    let id = parse_id(key)?;
    let app = open(common)?;
    let key = app.store().write_blocking(move |tx| api_keys::revoke(tx, &CredentialAdmin::operator(), id));
    let key = key.map_err(|error| to_failure(error, id))?;
    if common.json {
        out!("{}", json!({"id": key.id.to_string(), "state": key.state.as_str()}))?;
    } else {
        out!("{}", key.id)?;
    }
    Ok(())
}

fn parse_id(key: &str) -> Result<ApiKeyId, Failure> {
    ApiKeyId::parse(key).ok_or_else(|| {
        Failure::refused(format!("\"{key}\" is not the id of a key. `domicile key list --account …` prints the ids."))
    })
}

fn to_failure(error: ApiKeyError, id: ApiKeyId) -> Failure {
    match error {
        ApiKeyError::NotFound => no_key(id),
        other => Problem::from(other).into(),
    }
}

fn no_key(id: ApiKeyId) -> Failure {
    Failure::refused(format!("there is no key {id}.")).with_code("not_found")
}
