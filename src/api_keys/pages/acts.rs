//! What an owner does to a key: each act that stops programs asks first, on a page of its own.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::error::ApiKeyError;
use super::super::model::{ApiKey, KeyState, OVERLAP_MAX};
use super::super::ops;
use super::shown::last_use_of;
use super::{PATH, detail, id_of, list};
use crate::base::{Problem, Zone, days};
use crate::config::parse_duration;
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, SignedIn};

/// How long the old key may stay good, as value and words.
const OVERLAPS: [(&str, &str); 5] =
    [("0", "Not at all: it ends now"), ("1h", "1 hour"), ("24h", "1 day"), ("3d", "3 days"), ("7d", "7 days")];
const OVERLAP_PRESET: &str = "24h";

/// What the page asks about.
struct Asked {
    id: String,
    name: String,
    display: String,
    scopes: String,
    last_used: String,
}

impl Asked {
    fn new(key: ApiKey, zone: &Zone) -> Self {
        Self {
            id: key.id.to_string(),
            last_used: last_use_of(&key, zone),
            name: key.name,
            display: key.display,
            scopes: key.scopes.replace(' ', ", "),
        }
    }
}

async fn asked(app: &TheApp, who: &SignedIn, path: &str) -> Result<ApiKey, Problem> {
    let (id, actor) = (id_of(path)?, who.actor());
    Ok(app.read_offloaded(move |view| ops::find(view, &actor, id)).await?)
}

#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct RevokePage {
    context: PageContext,
    key: Asked,
}

/// `GET /settings/keys/{id}/revoke`: asks before it is done.
pub async fn confirm_revoke(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let key = asked(&app, &who, &path).await?;
    page::render(&RevokePage {
        context: PageContext::new(&app, &request, "Revoke a key"),
        key: Asked::new(key, &who.identity.zone),
    })
}

/// `POST /settings/keys/{id}/revoke`.
pub async fn revoke(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    app.write(move |tx| ops::revoke(tx, &admin, id)).await?;
    Ok(page::go(PATH, "key-revoked"))
}

#[derive(Template)]
#[template(path = "api_keys/disable.html")]
struct DisablePage {
    context: PageContext,
    key: Asked,
}

/// `GET /settings/keys/{id}/disable`: asks before it is done.
pub async fn confirm_disable(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let key = asked(&app, &who, &path).await?;
    page::render(&DisablePage {
        context: PageContext::new(&app, &request, "Disable a key"),
        key: Asked::new(key, &who.identity.zone),
    })
}

/// `POST /settings/keys/{id}/disable`.
pub async fn disable(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    app.write(move |tx| ops::disable(tx, &admin, id)).await?;
    Ok(page::go(&format!("{PATH}/{id}"), "key-disabled"))
}

/// `POST /settings/keys/{id}/enable`.
pub async fn enable(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    app.write(move |tx| ops::enable(tx, &admin, id)).await?;
    Ok(page::go(&format!("{PATH}/{id}"), "key-enabled"))
}

/// `POST /settings/keys/{id}/restore`: out of quarantine.
pub async fn restore(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    app.write(move |tx| ops::restore(tx, &admin, id)).await?;
    Ok(page::go(PATH, "key-restored"))
}

/// `POST /settings/keys/{id}/reveal`: the text again, where the site keeps it.
pub async fn reveal(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    let text = app.write(move |tx| ops::reveal(tx, &admin, id)).await?;
    detail::show_revealed(&app, &request, &who, id, text.expose().clone()).await
}

#[derive(Template)]
#[template(path = "api_keys/rotate.html")]
struct RotatePage {
    context: PageContext,
    fault: Option<FormFault>,
    key: Asked,
    life: String,
    overlaps: Vec<list::Choice>,
}

impl RotatePage {
    async fn build(app: &TheApp, request: &HttpRequest, who: &SignedIn, path: &str) -> Result<Self, Problem> {
        let key = asked(app, who, path).await?;
        if key.state != KeyState::Active {
            return Err(ApiKeyError::NotNow { state: key.state, event: super::super::model::KeyEvent::Rotate }.into());
        }
        let left = key.expires_at.map(|end| end.since(app.now()));
        let life = match key.expires_at.map(|end| end.since(key.created_at).as_secs().div_ceil(86_400)) {
            None => "It does not expire, as this one does not".to_owned(),
            Some(1) => "1 day, as this one had".to_owned(),
            Some(number) => format!("{number} days, as this one had"),
        };
        let fits = |value: &str| overlap_of(value).is_some_and(|overlap| left.is_none_or(|left| overlap <= left));
        let allowed = OVERLAPS.into_iter().filter(|(value, _)| fits(value));
        let overlaps = allowed.map(|(value, label)| list::Choice { value, label, is_chosen: value == OVERLAP_PRESET });
        Ok(Self {
            context: PageContext::new(app, request, "Rotate a key"),
            fault: None,
            key: Asked::new(key, &who.identity.zone),
            life,
            overlaps: overlaps.collect(),
        })
    }
}

/// An overlap as posted or typed: `0`, or a span up to seven days.
fn overlap_of(text: &str) -> Option<std::time::Duration> {
    if text == "0" {
        return Some(days(0));
    }
    parse_duration(text).filter(|overlap| *overlap <= OVERLAP_MAX)
}

/// `GET /settings/keys/{id}/rotate`: asks for the overlap.
pub async fn confirm_rotate(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    page::render(&RotatePage::build(&app, &request, &who, &path).await?)
}

/// `POST /settings/keys/{id}/rotate`. The answer is the list with the new key, which is shown once.
pub async fn rotate(app: TheApp, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, admin) = (id_of(&path)?, who.admin());
    let Some(overlap) = overlap_of(form.text("overlap")) else {
        let problem = Problem::from(ApiKeyError::Overlap);
        let mut page = RotatePage::build(&app, &request, &who, &path).await?;
        page.fault = Some(FormFault::from(&problem));
        return page::again(&problem, &page);
    };
    let made = app.write(move |tx| ops::rotate(tx, &admin, id, overlap)).await?;
    let actor = who.actor();
    let old = app.read_offloaded(move |view| ops::find(view, &actor, id)).await?;
    list::show_made(&app, &request, &who, made, old.retire_at).await
}
