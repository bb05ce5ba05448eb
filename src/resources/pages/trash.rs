//! `/settings/trash`.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::flashes::ResourceFlash;
use super::super::model::{TrashFilter, TrashItem, TrashKind};
use super::super::{flows, ops};
use super::{capitalized, parent_text, parse_id, size_text, to_problem};
use crate::base::{PAGE_SIZE, Problem, ServiceId, Timestamp, percent_encoded};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, SignedIn, TimeFormat, redirect, redirect_with_flash};

const PATH: &str = "/settings/trash";
/// From how many days left a row warns.
const SOON_DAYS: u64 = 3;
/// Pages of the list at most.
const PAGES_MAX: u32 = 10_000;
/// Characters of a search at most.
const SEARCH_MAX: usize = 100;

struct TrashRow {
    id: String,
    name: String,
    kind: String,
    parent: Option<String>,
    cascaded: u64,
    size: String,
    deleted: Moment,
    days_left: u64,
    is_soon: bool,
}

impl TrashRow {
    fn new(item: TrashItem, kinds: &[TrashKind], now: Timestamp, times: TimeFormat<'_>) -> Self {
        let days_left = item.resource.days_left(now);
        let kind = kinds.iter().find(|kind| kind.name == item.resource.kind);
        Self {
            id: item.resource.id.to_string(),
            kind: capitalized(kind.map_or(item.resource.kind.as_str(), |kind| kind.label.as_str())),
            parent: parent_text(item.parent),
            cascaded: item.cascaded,
            size: size_text(item.size_bytes),
            deleted: times.moment(item.resource.state_at),
            days_left,
            is_soon: days_left <= SOON_DAYS,
            name: item.resource.name,
        }
    }
}

struct TypeChoice {
    value: String,
    label: String,
    is_chosen: bool,
}

fn type_choices(kinds: &[TrashKind], chosen: Option<&str>) -> Vec<TypeChoice> {
    let choice = |kind: &TrashKind| TypeChoice {
        label: capitalized(&kind.label),
        is_chosen: chosen == Some(kind.name.as_str()),
        value: kind.name.clone(),
    };
    kinds.iter().map(choice).collect()
}

/// The query of the page: filter, page from 1, and the resource that was just restored.
#[derive(Deserialize, Default)]
pub struct TrashQuery {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    restored: String,
}

#[derive(Template)]
#[template(path = "resources/trash.html")]
struct TrashPage {
    context: PageContext,
    fault: Option<FormFault>,
    items: Vec<TrashRow>,
    types: Vec<TypeChoice>,
    query: String,
    /// Everything in the trash, whatever the filter is.
    in_trash: u64,
    size: String,
    newer: Option<String>,
    older: Option<String>,
    /// The id of what was just restored, to undo that.
    restored: Option<String>,
    /// What disconnected services keep.
    leftovers: Vec<LeftoverRow>,
}

struct LeftoverRow {
    service: String,
    name: String,
    items: u64,
    size: String,
}

impl TrashPage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, query: TrashQuery) -> Result<Self, Problem> {
        let number = query.page.parse().unwrap_or(1).clamp(1, PAGES_MAX);
        let search: String = query.q.trim().chars().take(SEARCH_MAX).collect();
        let kind = Some(query.r#type).filter(|kind| !kind.is_empty());
        let filter = TrashFilter {
            kinds: kind.iter().cloned().collect(),
            search: search.clone(),
            offset: (number - 1) * PAGE_SIZE,
            limit: PAGE_SIZE,
        };
        let workspace = who.identity.workspace;
        let (listed, sums, kinds, leftovers) = app
            .read_offloaded(move |view| {
                let listed = ops::list_trash(view, workspace, &filter)?;
                let (sums, kinds) = (ops::trash_sums(view, workspace)?, ops::list_trash_kinds(view, workspace)?);
                Ok::<_, crate::db::Error>((listed, sums, kinds, ops::leftovers(view, workspace)?))
            })
            .await?;
        let (now, times) = (app.now(), TimeFormat::new(app.now(), &who.identity.zone));
        let shown = u64::from(number) * u64::from(PAGE_SIZE);
        let (kind_text, search_text) = (kind.clone().unwrap_or_default(), search.clone());
        let href = |number: u32| {
            let (kind, search) = (percent_encoded(&kind_text), percent_encoded(&search_text));
            format!("{PATH}?type={kind}&q={search}&page={number}")
        };
        Ok(Self {
            context: PageContext::new(app, request, "Trash"),
            fault: None,
            newer: (number > 1).then(|| href(number - 1)),
            older: (listed.total > shown).then(|| href(number + 1)),
            items: listed.items.into_iter().map(|item| TrashRow::new(item, &kinds, now, times)).collect(),
            types: type_choices(&kinds, kind.as_deref()),
            query: search,
            in_trash: sums.iter().map(|sum| sum.listed).sum(),
            size: size_text(sums.iter().map(|sum| sum.size_bytes).sum()),
            restored: parse_id(&query.restored).ok().map(|id| id.to_string()),
            leftovers: leftovers
                .into_iter()
                .map(|one| LeftoverRow {
                    service: one.service.to_string(),
                    name: one.name,
                    items: one.items,
                    size: size_text(one.size_bytes),
                })
                .collect(),
        })
    }
}

/// `GET /settings/trash`.
pub async fn trash(app: AppData, request: HttpRequest, who: SignedIn, query: Query<TrashQuery>) -> Answer {
    page::render(&TrashPage::build(&app, &request, &who, query.into_inner()).await?)
}

/// Shows the trash with what was refused.
async fn refuse(app: &AppData, request: &HttpRequest, who: &SignedIn, problem: Problem) -> Answer {
    if problem.status == 404 {
        return Err(problem.into());
    }
    let mut page = TrashPage::build(app, request, who, TrashQuery::default()).await?;
    page.context.path = PATH.to_owned();
    page.fault = Some(FormFault::from(&problem));
    page::render_form_error(&problem, &page)
}

/// `POST /settings/trash/{id}/restore`. The list after it offers to undo it.
pub async fn restore(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, actor, workspace) = (parse_id(&path)?, who.actor(), who.identity.workspace);
    match flows::restore(&app, actor, workspace, id).await {
        Ok(_) => Ok(redirect(&format!("{PATH}?restored={id}"))),
        Err(error) => refuse(&app, &request, &who, to_problem(error)).await,
    }
}

/// `POST /settings/trash/{id}/undo`: puts back what was restored by mistake.
pub async fn undo(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, actor, workspace) = (parse_id(&path)?, who.actor(), who.identity.workspace);
    match flows::trash(&app, actor, workspace, id).await {
        Ok(_) => Ok(redirect_with_flash(PATH, ResourceFlash::PutBack)),
        Err(error) => refuse(&app, &request, &who, to_problem(error)).await,
    }
}

/// `POST /settings/trash/left/{service}`: moves what a disconnected service keeps to the trash.
pub async fn trash_leftovers(
    app: AppData,
    request: HttpRequest,
    who: SignedIn,
    path: Path<String>,
    _form: Form,
) -> Answer {
    let service = ServiceId::parse(&path).ok_or_else(Problem::not_found)?;
    match flows::trash_leftovers(&app, who.actor(), who.identity.workspace, service).await {
        Ok(_) => Ok(redirect_with_flash(PATH, ResourceFlash::LeftoversTrashed)),
        Err(error) => refuse(&app, &request, &who, to_problem(error)).await,
    }
}

#[derive(Template)]
#[template(path = "resources/delete.html")]
struct DeletePage {
    context: PageContext,
    id: String,
    name: String,
    kind: String,
    cascaded: u64,
}

/// `GET /settings/trash/{id}/delete`: asks for confirmation.
pub async fn confirm_delete(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    let (id, workspace) = (parse_id(&path)?, who.identity.workspace);
    let found = app
        .read_offloaded(move |view| {
            let found = ops::find_in_trash(view, workspace, id)?;
            Ok::<_, crate::db::Error>((found, ops::count_cascaded(view, id)?))
        })
        .await?;
    let (Some(resource), cascaded) = found else { return Err(Problem::not_found().into()) };
    page::render(&DeletePage {
        context: PageContext::new(&app, &request, "Delete for good"),
        id: resource.id.to_string(),
        kind: resource.kind,
        name: resource.name,
        cascaded,
    })
}

/// `POST /settings/trash/{id}/delete`.
pub async fn delete(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, actor, workspace) = (parse_id(&path)?, who.actor(), who.identity.workspace);
    match flows::delete_for_good(&app, actor, workspace, id).await {
        Ok(_) => Ok(redirect_with_flash(PATH, ResourceFlash::Deleting)),
        Err(error) => refuse(&app, &request, &who, to_problem(error)).await,
    }
}

#[derive(Template)]
#[template(path = "resources/empty.html")]
struct EmptyPage {
    context: PageContext,
    in_trash: u64,
    size: String,
}

/// `GET /settings/trash/empty`: asks for confirmation.
pub async fn confirm_empty(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    let workspace = who.identity.workspace;
    let sums = app.read_offloaded(move |view| ops::trash_sums(view, workspace)).await?;
    page::render(&EmptyPage {
        context: PageContext::new(&app, &request, "Empty the trash"),
        in_trash: sums.iter().map(|sum| sum.items).sum(),
        size: size_text(sums.iter().map(|sum| sum.size_bytes).sum()),
    })
}

/// `POST /settings/trash/empty`.
pub async fn empty(app: AppData, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    match flows::empty_trash(&app, who.actor(), who.identity.workspace).await {
        Ok(_) => Ok(redirect_with_flash(PATH, ResourceFlash::Emptied)),
        Err(error) => refuse(&app, &request, &who, to_problem(error)).await,
    }
}
