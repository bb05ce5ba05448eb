//! `/api/storage` and `/api/trash` for programs with a key, in the form that the reference's client expects.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Query};
use serde::{Deserialize, Serialize};

use super::model::{NO_LIMIT, ResourceKind};
use crate::app::App;
use crate::base::Problem;
use crate::http::{Answer, json};
use crate::verification::api::KeyHolder;

/// Items of a page if the request has no `limit`.
const PAGE_ITEMS: u32 = 50;
/// Items of a page at most.
const PAGE_ITEMS_MAX: u32 = 200;
/// The highest page number.
const PAGES_MAX: u32 = 1_000_000;

/// The query: whether the response lists the largest resources.
#[derive(Deserialize)]
pub struct StorageQuery {
    #[serde(default)]
    details: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Storage<'a> {
    tier: &'a str,
    usage: Usage,
    updated_at: Option<String>,
    breakdown: Breakdown,
    region: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct Usage {
    storage: Gauge,
}

#[derive(Serialize)]
struct Gauge {
    current: u64,
    limit: u64,
    percent: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Breakdown {
    by_category: Categories,
    top_items: [(); 0],
}

#[derive(Serialize, Default)]
struct Categories {
    datasets: Category,
    models: Category,
    exports: Category,
}

#[derive(Serialize, Default)]
struct Category {
    bytes: u64,
    count: u64,
}

/// `GET /api/storage`: the storage that the workspace's resources use. `details` adds the largest resources.
pub async fn storage(app: Data<Arc<App>>, holder: KeyHolder, query: Query<StorageQuery>) -> Answer {
    holder.require(&app, "usage:read")?;
    if !matches!(query.details.as_str(), "" | "true" | "false") {
        return Err(Problem::field("details", "invalid_request", "details has to be true or false.").into());
    }
    answer(&Storage {
        tier: &holder.verified.plan(),
        usage: Usage { storage: Gauge { current: 0, limit: NO_LIMIT, percent: 0 } },
        updated_at: None,
        breakdown: Breakdown { by_category: Categories::default(), top_items: [] },
        region: &holder.verified.region(),
        username: &holder.verified.username(),
    })
}

/// The query: filter and page of the trash.
#[derive(Deserialize)]
pub struct TrashQuery {
    #[serde(default)]
    id: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    limit: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trash<'a> {
    items: [(); 0],
    total: u32,
    page: u32,
    limit: u32,
    total_pages: u32,
    summary: Summary,
    region: &'a str,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Summary {
    total_items: u32,
    total_size_bytes: u64,
    by_type: ByType,
}

#[derive(Serialize, Default)]
struct ByType {
    projects: Count,
    datasets: Size,
    models: Size,
    exports: Size,
}

#[derive(Serialize, Default)]
struct Count {
    count: u32,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Size {
    count: u32,
    size_bytes: u64,
}

/// `GET /api/trash`: the resources that can be restored, of all types that the key can read. With an `id`: what else
/// deleting this resource would delete.
pub async fn trash(app: Data<Arc<App>>, holder: KeyHolder, query: Query<TrashQuery>) -> Answer {
    let kind = match query.r#type.as_str() {
        "" | "all" => None,
        kind => Some(ResourceKind::parse(kind).ok_or_else(unknown_type)?),
    };
    match kind {
        Some(kind) => holder.require(&app, kind.read_scope())?,
        None => require_any_read_scope(&app, &holder)?,
    }
    let page = number("page", &query.page, 1, PAGES_MAX)?;
    let limit = number("limit", &query.limit, PAGE_ITEMS, PAGE_ITEMS_MAX)?;
    if !query.id.is_empty() {
        return Err(not_in_trash());
    }
    let region = &holder.verified.region();
    answer(&Trash { items: [], total: 0, page, limit, total_pages: 0, summary: Summary::default(), region })
}

fn require_any_read_scope(app: &App, holder: &KeyHolder) -> Result<(), Problem> {
    let granted = ResourceKind::ALL.into_iter().map(|kind| holder.require(app, kind.read_scope()));
    granted.reduce(Result::or).unwrap_or(Ok(()))
}

#[derive(Deserialize)]
struct RestoreRequest {
    id: String,
    r#type: String,
}

/// `POST /api/trash`: restores a resource.
pub async fn restore(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: RestoreRequest = json::parse(&body.map_err(json::body_problem)?)?;
    one_resource(&app, &holder, &request.id, &request.r#type)
}

#[derive(Deserialize)]
struct DeleteRequest {
    #[serde(default)]
    id: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    all: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteResponse {
    success: bool,
    deleted_count: u32,
}

/// `DELETE /api/trash`: permanently deletes one resource in the trash, or all of them.
pub async fn delete_trash(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: DeleteRequest = json::parse(&body.map_err(json::body_problem)?)?;
    if !request.all {
        return one_resource(&app, &holder, &request.id, &request.r#type);
    }
    if !request.id.is_empty() || !request.r#type.is_empty() {
        let sentence = "Send either {\"all\": true}, or an id and a type.";
        return Err(Problem::field("all", "invalid_request", sentence).into());
    }
    ResourceKind::ALL.into_iter().try_for_each(|kind| holder.require(&app, kind.write_scope()))?;
    answer(&DeleteResponse { success: true, deleted_count: 0 })
}

/// The response about one resource in the trash, which has no resources yet.
fn one_resource(app: &App, holder: &KeyHolder, id: &str, kind: &str) -> Answer {
    holder.require(app, ResourceKind::parse(kind).ok_or_else(unknown_type)?.write_scope())?;
    if id.is_empty() {
        return Err(Problem::field("id", "invalid_request", "The id of the resource is missing.").into());
    }
    Err(not_in_trash())
}

fn unknown_type() -> Problem {
    Problem::field("type", "invalid_request", "The type has to be project, dataset or model.")
}

fn not_in_trash() -> crate::http::Fault {
    Problem::new(404, "not_found", "Resource not found in trash").into()
}

fn number(name: &'static str, text: &str, default: u32, most: u32) -> Result<u32, Problem> {
    if text.is_empty() {
        return Ok(default);
    }
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        Problem::field(name, "invalid_request", format!("{name} has to be a whole number from 1 to {most}."))
    })
}

fn answer(body: &impl Serialize) -> Answer {
    Ok(json::private(200, serde_json::to_string(body).map_err(Problem::internal)?))
}
