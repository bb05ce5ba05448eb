//! The door to a person's keys.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::error::ApiKeyError;
use super::model::{ApiKey, CreatedApiKey, Expiry, KeyName, KeyState, NewApiKey};
use super::ops;
use crate::base::{ApiKeyId, Problem, Timestamp, Zone, days};
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, Form, SignedIn};

const PATH: &str = "/settings/keys";
/// Preselected: long enough to be useful, short enough to be forgotten safely.
const EXPIRY_PRESET: &str = "90d";
/// What most programs need, in one press: label and scopes.
const PRESETS: [Preset; 2] =
    [Preset { label: "Training machine", scopes: "training" }, Preset { label: "Read only", scopes: "read" }];
/// What a new key can try first: a scope it may hold, and the call it opens.
const FIRST_CALLS: [(&str, &str); 2] =
    [("account:read", "/api/account/summary"), ("billing:read", "/api/billing/transactions")];

struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

struct Preset {
    label: &'static str,
    scopes: &'static str,
}

struct ScopeChoice {
    name: String,
    description: String,
    is_chosen: bool,
}

struct ScopeGroup {
    title: &'static str,
    scopes: Vec<ScopeChoice>,
}

struct KeyRow {
    id: String,
    name: String,
    display: String,
    scopes: String,
    created: String,
    last_used: String,
    last_used_day: String,
    expires: String,
    expires_soon: bool,
    state: &'static str,
    is_active: bool,
    can_revoke: bool,
}

struct Made {
    name: String,
    secret: String,
    /// A command line. `None`: the key opens no call that would show anything.
    first_call: Option<String>,
}

#[derive(Template)]
#[template(path = "api_keys/list.html")]
struct ListPage {
    chrome: Chrome,
    fault: Option<FormFault>,
    made: Option<Made>,
    is_creating: bool,
    name: String,
    expiries: Vec<Choice>,
    presets: &'static [Preset],
    scope_groups: Vec<ScopeGroup>,
    keys: Vec<KeyRow>,
}

/// What was typed into the form, to be shown again.
#[derive(Default)]
struct Typed {
    name: String,
    expires: String,
    scopes: Vec<String>,
}

impl ListPage {
    async fn build(app: &TheApp, request: &HttpRequest, who: &SignedIn, typed: &Typed) -> Result<Self, Problem> {
        let workspace = who.identity.workspace;
        let keys = app.read(move |view| ops::list(view, workspace)).await?;
        let (now, zone) = (app.now(), &who.identity.zone);
        let chosen = if typed.expires.is_empty() { EXPIRY_PRESET } else { &typed.expires };
        Ok(Self {
            chrome: Chrome::of(app, request, "API keys"),
            fault: None,
            made: None,
            is_creating: false,
            name: typed.name.clone(),
            expiries: Expiry::PRESETS
                .iter()
                .map(|(value, label)| Choice { value, label, is_chosen: *value == chosen })
                .collect(),
            presets: &PRESETS,
            scope_groups: groups(app, &typed.scopes),
            keys: keys.into_iter().map(|key| row(key, now, zone)).collect(),
        })
    }
}

fn groups(app: &TheApp, chosen: &[String]) -> Vec<ScopeGroup> {
    let mut groups: Vec<ScopeGroup> = Vec::new();
    for entry in app.config().scopes.entries() {
        let choice = ScopeChoice {
            name: entry.name.clone(),
            description: entry.description.clone(),
            is_chosen: chosen.contains(&entry.name),
        };
        match groups.last_mut().filter(|group| group.title == entry.group) {
            Some(group) => group.scopes.push(choice),
            None => groups.push(ScopeGroup { title: entry.group, scopes: vec![choice] }),
        }
    }
    groups
}

fn row(key: ApiKey, now: Timestamp, zone: &Zone) -> KeyRow {
    let day = |moment: Timestamp| moment.day_in(zone);
    KeyRow {
        id: key.id.to_string(),
        name: key.name,
        display: key.display,
        scopes: key.scopes.replace(' ', ", "),
        created: day(key.created_at),
        last_used: key.last_used_at.map_or("Never".into(), |used| used.day_and_time_in(zone)),
        last_used_day: key.last_used_at.map_or("Never".into(), day),
        expires: key.expires_at.map_or("Never".into(), day),
        expires_soon: key.expires_at.is_some_and(|end| end.since(now) < days(7)),
        state: match key.state {
            KeyState::Active => "Active",
            KeyState::Expired => "Expired",
            KeyState::Revoked => "Revoked",
        },
        is_active: key.state == KeyState::Active,
        can_revoke: key.state != KeyState::Revoked,
    }
}

/// Whether the form is open.
#[derive(Deserialize)]
pub struct Opened {
    create: Option<String>,
}

/// `GET /settings/keys`.
pub async fn list(app: TheApp, request: HttpRequest, who: SignedIn, opened: Query<Opened>) -> Answer {
    let mut page = ListPage::build(&app, &request, &who, &Typed::default()).await?;
    page.is_creating = opened.create.is_some();
    page::render(&page)
}

/// `POST /settings/keys`. The answer is the page itself, because the key is shown once and a redirect would lose it.
pub async fn create(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let typed = Typed {
        name: form.text("name").to_owned(),
        expires: form.text("expires").to_owned(),
        scopes: form.all("scope"),
    };
    match make(&app, &who, &typed).await {
        Ok(made) => {
            let mut page = ListPage::build(&app, &request, &who, &Typed::default()).await?;
            let secret = made.secret.expose().clone();
            let first_call = first_call(&app, &made.key.scopes, &secret);
            page.made = Some(Made { name: made.key.name, secret, first_call });
            page::render(&page)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = ListPage::build(&app, &request, &who, &typed).await?;
            page.is_creating = true;
            page.fault = Some(FormFault::from(&problem));
            page::again(&problem, &page)
        }
    }
}

fn first_call(app: &TheApp, scopes: &str, secret: &str) -> Option<String> {
    let config = app.config();
    let held = config.scopes.rights_of(scopes);
    let opens = |scope: &str| config.scopes.wanted(scope).is_some_and(|wanted| held.grant(wanted));
    let (_, path) = FIRST_CALLS.into_iter().find(|(scope, _)| opens(scope))?;
    Some(format!("curl -H \"Authorization: Bearer {secret}\" {}{path}", config.public_url))
}

async fn make(app: &TheApp, who: &SignedIn, typed: &Typed) -> Result<CreatedApiKey, ApiKeyError> {
    let new = NewApiKey {
        name: KeyName::parse(&typed.name).ok_or(ApiKeyError::Name)?,
        scopes: typed.scopes.clone(),
        expiry: Expiry::parse(&typed.expires).ok_or(ApiKeyError::Expiry)?,
    };
    let (actor, account, workspace) = (who.actor(), who.identity.account, who.identity.workspace);
    app.write(move |tx| ops::create(tx, &actor, account, workspace, &new)).await
}

#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct RevokePage {
    chrome: Chrome,
    id: String,
    name: String,
    display: String,
    scopes: String,
    last_used: String,
}

fn id_of(path: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(path).ok_or_else(Problem::not_found)
}

/// `GET /settings/keys/{id}/revoke`: asks before it is done.
pub async fn confirm_revoke(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let (id, actor) = (id_of(&path)?, who.actor());
    let key = app.read(move |view| ops::find(view, &actor, id)).await?;
    page::render(&RevokePage {
        chrome: Chrome::of(&app, &request, "Revoke a key"),
        id: key.id.to_string(),
        name: key.name,
        display: key.display,
        scopes: key.scopes.replace(' ', ", "),
        last_used: key.last_used_at.map_or("Never".into(), |used| used.day_and_time_in(&who.identity.zone)),
    })
}

/// `POST /settings/keys/{id}/revoke`.
pub async fn revoke(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, actor) = (id_of(&path)?, who.actor());
    app.write(move |tx| ops::revoke(tx, &actor, id)).await?;
    Ok(page::go(PATH, "key-revoked"))
}
