//! `/api/storage` and `/api/trash` for programs with a key, in the form that the reference's client expects.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::model::{NO_LIMIT, ResourceKind};
use crate::app::App;
use crate::base::Problem;
use crate::http::schema::{self, ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// Items of a page if the request has no `limit`.
const PAGE_ITEMS: u32 = 50;
/// Items of a page at most.
const PAGE_ITEMS_MAX: u32 = 200;
/// The highest page number.
const PAGES_MAX: u32 = 1_000_000;

/// The description of the operations in this file.
#[derive(OpenApi)]
#[openapi(paths(storage, trash, restore, delete_trash))]
pub struct Description;

/// The query: whether the response lists the largest resources.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StorageQuery {
    /// Whether to list the largest items.
    #[serde(default)]
    #[param(schema_with = true_or_false)]
    details: String,
}

fn true_or_false() -> utoipa::openapi::Object {
    schema::one_of("Whether to list the largest items.", ["true", "false"])
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Storage<'a> {
    /// The plan of the workspace.
    #[schema(example = "free")]
    tier: &'a str,
    usage: Usage,
    #[schema(required)]
    updated_at: Option<String>,
    breakdown: Breakdown,
    #[schema(example = "eu")]
    region: &'a str,
    #[schema(example = "ada")]
    username: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StorageUsage)]
struct Usage {
    storage: Gauge,
}

/// Used storage in bytes.
#[derive(Serialize, ToSchema)]
struct Gauge {
    current: u64,
    /// 9007199254740991: there is no limit.
    #[schema(example = 9007199254740991u64)]
    limit: u64,
    percent: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Breakdown {
    by_category: Categories,
    #[schema(value_type = Vec<Object>)]
    top_items: [(); 0],
}

#[derive(Serialize, ToSchema, Default)]
struct Categories {
    datasets: Category,
    models: Category,
    exports: Category,
}

#[derive(Serialize, ToSchema, Default)]
struct Category {
    bytes: u64,
    count: u64,
}

/// The storage that the resources of the workspace use.
///
/// No service registers resources yet, so all sizes are zero. A limit of 9007199254740991 means that there is no limit.
#[utoipa::path(
    get,
    path = "/api/storage",
    operation_id = "storage",
    tag = "key holders",
    security(("apiKey" = ["usage:read"])),
    params(StorageQuery),
    responses(
        (status = 200, description = "The used storage.", body = Storage),
        (status = 400, description = "`details` is neither true nor false.", body = ErrorBody),
        KeyRefusals,
        ServerError
    )
)]
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
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TrashQuery {
    /// The id of a resource: lists what would be deleted together with it.
    #[serde(default)]
    id: String,
    /// The type of the resources.
    #[serde(default)]
    #[param(schema_with = type_or_all)]
    r#type: String,
    /// The number of the page, from 1.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 1_000_000, example = 1)]
    page: String,
    /// The number of items per page.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, example = 50)]
    limit: String,
}

fn type_or_all() -> utoipa::openapi::Object {
    schema::one_of("The type of the resources.", ["all"].into_iter().chain(ResourceKind::ALL.map(ResourceKind::as_str)))
}

fn resource_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the resource.", ResourceKind::ALL.map(ResourceKind::as_str))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Trash<'a> {
    #[schema(value_type = Vec<Object>)]
    items: [(); 0],
    /// The number of items on all pages.
    total: u32,
    #[schema(example = 1)]
    page: u32,
    #[schema(example = 50)]
    limit: u32,
    total_pages: u32,
    summary: Summary,
    #[schema(example = "eu")]
    region: &'a str,
}

#[derive(Serialize, ToSchema, Default)]
#[schema(as = TrashSummary)]
#[serde(rename_all = "camelCase")]
struct Summary {
    total_items: u32,
    total_size_bytes: u64,
    by_type: ByType,
}

#[derive(Serialize, ToSchema, Default)]
struct ByType {
    projects: Count,
    datasets: Size,
    models: Size,
    exports: Size,
}

#[derive(Serialize, ToSchema, Default)]
struct Count {
    count: u32,
}

#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
struct Size {
    count: u32,
    size_bytes: u64,
}

/// The deleted resources that can be restored.
///
/// Requires the read scope of the type: models:read, datasets:read or projects:read. Without a type, one of them is
/// enough. No service registers resources yet, so the trash is empty.
#[utoipa::path(
    get,
    path = "/api/trash",
    operation_id = "trash",
    tag = "key holders",
    security(("apiKey" = ["projects:read"]), ("apiKey" = ["datasets:read"]), ("apiKey" = ["models:read"])),
    params(TrashQuery),
    responses(
        (status = 200, description = "One page of the trash.", body = Trash),
        (status = 400, description = "A parameter is wrong. The sentence names it.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no resource with this id in the trash.", body = ErrorBody),
        ServerError
    )
)]
pub async fn trash(app: Data<Arc<App>>, holder: KeyHolder, query: Query<TrashQuery>) -> Answer {
    let kind = match query.r#type.as_str() {
        "" | "all" => None,
        kind => Some(ResourceKind::parse(kind).ok_or_else(unknown_type)?),
    };
    match kind {
        Some(kind) => holder.require(&app, kind.read_scope())?,
        None => holder.require_any(&app, ResourceKind::ALL.map(ResourceKind::read_scope))?,
    }
    let page = number("page", &query.page, 1, PAGES_MAX)?;
    let limit = number("limit", &query.limit, PAGE_ITEMS, PAGE_ITEMS_MAX)?;
    if !query.id.is_empty() {
        return Err(not_in_trash());
    }
    let region = &holder.verified.region();
    answer(&Trash { items: [], total: 0, page, limit, total_pages: 0, summary: Summary::default(), region })
}

#[derive(Deserialize, ToSchema)]
struct RestoreRequest {
    /// The id of the resource.
    #[schema(min_length = 1, example = "model_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = resource_type)]
    r#type: String,
}

/// The resource is restored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "there are no resources yet")]
struct RestoreResponse {
    #[schema(schema_with = schema::only_true)]
    success: bool,
    /// The number of models that were restored with a project.
    #[schema(nullable = false)]
    restored_models: Option<u32>,
}

/// Restores a resource.
///
/// Requires the write scope of the type: models:write, datasets:write or projects:write.
#[utoipa::path(
    post,
    path = "/api/trash",
    operation_id = "restoreTrash",
    tag = "key holders",
    security(("apiKey" = ["projects:write"]), ("apiKey" = ["datasets:write"]), ("apiKey" = ["models:write"])),
    request_body = RestoreRequest,
    responses(
        (status = 200, description = "The resource is restored.", body = RestoreResponse),
        (status = 400, description = "The body cannot be read, or a member is wrong.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no such resource in the trash.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        ServerError
    )
)]
pub async fn restore(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: RestoreRequest = json::parse(&body.map_err(json::body_problem)?)?;
    one_resource(&app, &holder, &request.id, &request.r#type)
}

/// What to delete: a resource, or everything. [`DeleteTarget`] describes it.
#[derive(Deserialize)]
struct DeleteRequest {
    #[serde(default)]
    id: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    all: bool,
}

#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes DeleteRequest")]
enum DeleteTarget {
    Resource(RestoreRequest),
    All(DeleteAll),
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes DeleteRequest")]
struct DeleteAll {
    #[schema(schema_with = schema::only_true)]
    all: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeleteResponse {
    #[schema(schema_with = schema::only_true)]
    success: bool,
    deleted_count: u32,
}

/// Permanently deletes one resource in the trash, or all of them.
///
/// Requires the write scope of the type: models:write, datasets:write or projects:write. Deleting everything requires
/// all three.
#[utoipa::path(
    delete,
    path = "/api/trash",
    operation_id = "deleteTrash",
    tag = "key holders",
    security(("apiKey" = ["projects:write"]), ("apiKey" = ["datasets:write"]), ("apiKey" = ["models:write"])),
    request_body = DeleteTarget,
    responses(
        (status = 200, description = "The resources are deleted.", body = DeleteResponse),
        (status = 400, description = "The body cannot be read, or a member is wrong.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no such resource in the trash.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        ServerError
    )
)]
pub async fn delete_trash(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: DeleteRequest = json::parse(&body.map_err(json::body_problem)?)?;
    if !request.all {
        return one_resource(&app, &holder, &request.id, &request.r#type);
    }
    if !request.id.is_empty() || !request.r#type.is_empty() {
        let sentence = "Send either {\"all\": true}, or an id and a type.";
        return Err(Problem::field("all", "invalid_request", sentence).into());
    }
    holder.require_all(&app, ResourceKind::ALL.map(ResourceKind::write_scope))?;
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
