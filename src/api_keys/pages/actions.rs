//! The actions on a key. An action that stops programs has a page that asks for confirmation.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::error::ApiKeyError;
use super::super::flashes::KeyFlash;
use super::super::model::{ApiKey, parse_overlap};
use super::super::ops;
use super::format::{LastUse, label_of, successor_life_text};
use super::scope_table::ScopeChoices;
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
    Ok(redirect_with_flash(&format!("{PATH}/{id}#danger"), KeyFlash::Disabled))
}

/// `POST /settings/keys/{id}/enable`.
pub async fn enable(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::enable(tx, &admin, id)).await?;
    Ok(redirect_with_flash(&format!("{PATH}/{id}#danger"), KeyFlash::Enabled))
}

/// `POST /settings/keys/{id}/restore`: takes the key out of quarantine.
pub async fn restore(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    app.write(move |tx| ops::restore(tx, &admin, id)).await?;
    Ok(redirect_with_flash(PATH, KeyFlash::Restored))
}

/// `POST /settings/keys/{id}/reveal`: the page of the key shows its text again, if the site stores it.
pub async fn reveal(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    let text = app.write(move |tx| ops::reveal(tx, &admin, id)).await?;
    Ok(detail::to_revealed(&app, &who, id, text))
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

/// `POST /settings/keys/{id}/rotate`. The list after it shows the new key.
pub async fn rotate(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    let Some(overlap) = parse_overlap(form.text("overlap")) else {
        let problem = Problem::from(ApiKeyError::Overlap);
        let mut page = RotatePage::build(&app, &request, &who, &path).await?;
        page.fault = Some(FormFault::from(&problem));
        return page::render_form_error(&problem, &page);
    };
    let created = app.write(move |tx| ops::rotate(tx, &admin, id, overlap)).await?;
    Ok(list::to_new_key(&app, &who, created))
}

#[derive(Template)]
#[template(path = "api_keys/reduce.html")]
struct ReducePage {
    context: PageContext,
    fault: Option<FormFault>,
    key: KeySummary,
    choices: ScopeChoices,
}

impl ReducePage {
    /// `chosen`: the scopes of a refused form.
    async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        path: &str,
        chosen: Option<&[String]>,
    ) -> Result<Self, Problem> {
        let key = find_key(app, who, path).await?;
        Ok(Self {
            context: PageContext::new(app, request, "Reduce scopes"),
            fault: None,
            choices: ScopeChoices::held(&app.config().scopes, &key.scopes, chosen),
            key: KeySummary::new(key, TimeFormat::new(app.now(), &who.identity.zone)),
        })
    }
}

/// `GET /settings/keys/{id}/scopes`: the scopes of the key, to choose which ones it keeps.
pub async fn choose_scopes(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    page::render(&ReducePage::build(&app, &request, &who, &path, None).await?)
}

/// `POST /settings/keys/{id}/scopes`.
pub async fn reduce(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, admin) = (parse_id(&path)?, who.admin());
    let chosen = ScopeChoices::chosen(&app.config().scopes, &form);
    let kept = chosen.clone();
    match app.write(move |tx| ops::reduce_scopes(tx, &admin, id, &kept)).await {
        Ok((_, lost)) => {
            let flash = if lost { KeyFlash::Reduced } else { KeyFlash::ScopesKept };
            Ok(redirect_with_flash(&format!("{PATH}/{id}#scopes"), flash))
        }
        Err(error @ (ApiKeyError::NoScope | ApiKeyError::UnknownScope(_) | ApiKeyError::ScopesGrow)) => {
            let problem = Problem::from(error);
            let mut page = ReducePage::build(&app, &request, &who, &path, Some(&chosen)).await?;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
        Err(error) => Err(error.into()),
    }
}
