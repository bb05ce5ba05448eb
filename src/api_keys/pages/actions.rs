//! The actions on a key. An action that stops programs has a page that asks for confirmation.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::error::ApiKeyError;
use super::super::flashes::KeyFlash;
use super::super::model::{ApiKey, parse_overlap};
use super::super::ops;
use super::format::{LastUse, label_of, successor_life_text};
use super::{PATH, detail, list, parse_id};
use crate::base::Problem;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, SignedIn, TimeFormat, redirect_with_flash};

/// How long the old key stays valid: labels of the choices.
const OVERLAPS: [(&str, &str); 5] =
    [("0", "No time: it ends now"), ("1h", "1 hour"), ("24h", "1 day"), ("3d", "3 days"), ("7d", "7 days")];

/// The key that a page asks about.
struct KeySummary {
    id: String,
    name: String,
    display: String,
    scopes: String,
    last_use: LastUse,
}

impl KeySummary {
    fn new(key: ApiKey, times: TimeFormat<'_>) -> Self {
        Self {
            id: key.id.to_string(),
            last_use: LastUse::new(&key, times),
            name: key.name,
            display: key.display,
            scopes: key.scopes.replace(' ', ", "),
        }
    }
}

async fn find_key(app: &AppData, who: &SignedIn, path: &str) -> Result<ApiKey, Problem> {
    let (id, actor) = (parse_id(path)?, who.actor());
    Ok(app.read_offloaded(move |view| ops::find(view, &actor, id)).await?)
}

#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct RevokePage {
    context: PageContext,
    key: KeySummary,
}

/// `GET /settings/keys/{id}/revoke`: asks for confirmation.
pub async fn confirm_revoke(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let key = find_key(&app, &who, &path).await?;
    page::render(&RevokePage {
        context: PageContext::new(&app, &request, "Revoke a key"),
        key: KeySummary::new(key, TimeFormat::new(app.now(), &who.identity.zone)),
    })
}

/// `POST /settings/keys/{id}/revoke`.
pub async fn revoke(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::revoke(tx, &admin, id)).await?;
    Ok(redirect_with_flash(PATH, KeyFlash::Revoked))
}

#[derive(Template)]
#[template(path = "api_keys/disable.html")]
struct DisablePage {
    context: PageContext,
    key: KeySummary,
}

/// `GET /settings/keys/{id}/disable`: asks for confirmation.
pub async fn confirm_disable(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let key = find_key(&app, &who, &path).await?;
    page::render(&DisablePage {
        context: PageContext::new(&app, &request, "Disable a key"),
        key: KeySummary::new(key, TimeFormat::new(app.now(), &who.identity.zone)),
    })
}

/// `POST /settings/keys/{id}/disable`.
pub async fn disable(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::disable(tx, &admin, id)).await?;
    Ok(redirect_with_flash(&format!("{PATH}/{id}"), KeyFlash::Disabled))
}

/// `POST /settings/keys/{id}/enable`.
pub async fn enable(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::enable(tx, &admin, id)).await?;
    Ok(redirect_with_flash(&format!("{PATH}/{id}"), KeyFlash::Enabled))
}

/// `POST /settings/keys/{id}/restore`: takes the key out of quarantine.
pub async fn restore(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::restore(tx, &admin, id)).await?;
    Ok(redirect_with_flash(PATH, KeyFlash::Restored))
}

/// `POST /settings/keys/{id}/reveal`: shows the text again, if the site stores it.
pub async fn reveal(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    let text = app.write(move |tx| ops::reveal(tx, &admin, id)).await?;
    detail::show_revealed(&app, &request, &who, id, text.expose().clone()).await
}

#[derive(Template)]
#[template(path = "api_keys/rotate.html")]
struct RotatePage {
    context: PageContext,
    fault: Option<FormFault>,
    key: KeySummary,
    life: String,
    overlaps: Vec<list::Choice>,
}

impl RotatePage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, path: &str) -> Result<Self, Problem> {
        let (id, admin) = (parse_id(path)?, who.admin());
        let preview = app.read_offloaded(move |view| ops::rotation_preview(view, &admin, id)).await?;
        let choice = |value: &'static str| list::Choice {
            value,
            label: label_of(value, &OVERLAPS),
            is_chosen: value == preview.preselected,
        };
        Ok(Self {
            context: PageContext::new(app, request, "Rotate a key"),
            fault: None,
            life: successor_life_text(preview.successor),
            overlaps: preview.overlaps.iter().copied().map(choice).collect(),
            key: KeySummary::new(preview.key, TimeFormat::new(app.now(), &who.identity.zone)),
        })
    }
}

/// `GET /settings/keys/{id}/rotate`: asks for the overlap and for confirmation.
pub async fn confirm_rotate(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    page::render(&RotatePage::build(&app, &request, &who, &path).await?)
}

/// `POST /settings/keys/{id}/rotate`. The response is the list with the new key, which is shown once.
pub async fn rotate(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    let Some(overlap) = parse_overlap(form.text("overlap")) else {
        let problem = Problem::from(ApiKeyError::Overlap);
        let mut page = RotatePage::build(&app, &request, &who, &path).await?;
        page.fault = Some(FormFault::from(&problem));
        return page::render_form_error(&problem, &page);
    };
    let created = app.write(move |tx| ops::rotate(tx, &admin, id, overlap)).await?;
    list::show_new_key(&app, &request, &who, created).await
}
