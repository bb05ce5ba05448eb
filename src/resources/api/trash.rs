//! `/api/trash` for programs with a key, in the form that the reference's client expects.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::model::{Resource, ResourceKind, TrashFilter, TrashItem, TrashSum};
use super::super::{flows, ops};
use super::leftovers::LeftByService;
use super::listing::{ListPage, ParentProject, not_in_trash, refusal, resource_type, type_or_all, unknown_type};
use crate::app::App;
use crate::base::{Problem, ResourceId, Timestamp};
use crate::db::{Error, View};
use crate::http::schema::{self, ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// What a preview lists at most.
const PREVIEW_MAX: u32 = 1000;
/// The types that a preview can list.
const PREVIEW_TYPES: [&str; 3] = ["project", "model", "deployment"];

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

/// A page of the trash, or what would be deleted together with a resource.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes")]
enum TrashOrPreview {
    Trash(Trash<'static>),
    Preview(Preview),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Trash<'a> {
    /// The newest first. What went to the trash together with another resource is counted there and not listed.
    items: Vec<Item>,
    /// The number of items on all pages.
    total: u64,
    #[schema(example = 1)]
    page: u32,
    #[schema(example = 50)]
    limit: u32,
    total_pages: u64,
    summary: Summary,
    #[schema(example = "eu")]
    region: &'a str,
    /// What disconnected services keep and is not in the trash: move it there with PUT. Missing: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false, required = false)]
    left_by_services: Vec<LeftByService>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrashItem)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(rename = "_id")]
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = resource_type)]
    r#type: &'static str,
    #[schema(example = "Yolo 11")]
    name: String,
    #[schema(example = "yolo-11")]
    slug: String,
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    trashed_at: String,
    /// Until it is deleted for good.
    #[schema(example = 30)]
    days_remaining: u64,
    /// How many went to the trash together with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    cascaded_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_project: Option<ParentProject>,
    /// With the bytes of what went with it.
    size_bytes: i64,
}

/// What is in the trash, with what went there together with something else.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = TrashSummary)]
#[serde(rename_all = "camelCase")]
struct Summary {
    total_items: u64,
    total_size_bytes: i64,
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
    count: u64,
}

#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
struct Size {
    count: u64,
    size_bytes: i64,
}

/// What would be deleted together with a resource.
#[derive(Serialize, ToSchema)]
#[schema(as = TrashPreview)]
struct Preview {
    resources: Vec<PreviewItem>,
}

#[derive(Serialize, ToSchema)]
struct PreviewItem {
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = preview_type)]
    r#type: &'static str,
    #[schema(example = "Yolo 11")]
    name: String,
}

fn preview_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the resource.", PREVIEW_TYPES)
}

impl Item {
    fn new(item: TrashItem, now: Timestamp) -> Option<Self> {
        let TrashItem { resource, parent, cascaded, size_bytes } = item;
        Some(Self {
            r#type: ResourceKind::parse(&resource.kind)?.as_str(),
            id: resource.id.to_string(),
            trashed_at: resource.state_at.rfc3339(),
            days_remaining: resource.days_left(now),
            name: resource.name,
            slug: resource.slug,
            cascaded_count: Some(cascaded).filter(|count| *count > 0),
            parent_project: ParentProject::of(parent),
            size_bytes,
        })
    }
}

impl Summary {
    /// Of these types.
    fn new(sums: &[TrashSum], kinds: &[ResourceKind]) -> Self {
        let of = |kind: ResourceKind| {
            let sum = sums.iter().find(|sum| sum.key == kind.limit().as_str() && kinds.contains(&kind));
            sum.map_or_else(Size::default, |sum| Size { count: sum.items, size_bytes: sum.size_bytes })
        };
        let [projects, datasets, models] = ResourceKind::ALL.map(of);
        Self {
            total_items: projects.count + datasets.count + models.count,
            total_size_bytes: projects.size_bytes + datasets.size_bytes + models.size_bytes,
            by_type: ByType { projects: Count { count: projects.count }, datasets, models, exports: Size::default() },
        }
    }
}

/// The deleted resources that can be restored.
///
/// Requires the read scope of the type: models:read, datasets:read or projects:read. Without a type, the answer has those that
/// the key can read. With the id of a resource in the trash, it lists what went there together with it.
#[utoipa::path(
    get,
    path = "/api/trash",
    operation_id = "trash",
    tag = "key holders",
    security(("apiKey" = ["projects:read"]), ("apiKey" = ["datasets:read"]), ("apiKey" = ["models:read"])),
    params(TrashQuery),
    responses(
        (status = 200, description = "One page of the trash, or the preview.", body = TrashOrPreview),
        (status = 400, description = "A parameter is wrong. The sentence names it.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no resource with this id in the trash.", body = ErrorBody),
        ServerError
    )
)]
pub async fn trash(app: Data<Arc<App>>, holder: KeyHolder, query: Query<TrashQuery>) -> Answer {
    let ListPage { kinds, page, limit, offset } =
        ListPage::read(&app, &holder, &query.r#type, &query.page, &query.limit)?;
    let workspace = holder.verified.workspace;
    if !query.id.is_empty() {
        let id = ResourceId::parse(&query.id).ok_or_else(not_in_trash)?;
        let read = move |view: &View<'_>| match ops::find_in_trash(view, workspace, id)? {
            Some(found) => Ok::<_, Error>(Some((ops::list_cascaded(view, id, PREVIEW_MAX)?, found))),
            None => Ok(None),
        };
        let found = app.read_offloaded(read).await?;
        let is_visible = |found: &Resource| ResourceKind::parse(&found.kind).is_some_and(|kind| kinds.contains(&kind));
        let (cascaded, _) = found.filter(|(_, found)| is_visible(found)).ok_or_else(not_in_trash)?;
        return json::ok(&Preview { resources: cascaded.into_iter().filter_map(preview_item).collect() });
    }
    let filter = TrashFilter {
        kinds: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        search: String::new(),
        offset,
        limit,
    };
    let read = move |view: &View<'_>| {
        let listed = ops::list_trash(view, workspace, &filter)?;
        Ok::<_, Error>((listed, ops::trash_sums(view, workspace)?, ops::leftovers(view, workspace)?))
    };
    let (found, sums, leftovers) = app.read_offloaded(read).await?;
    let now = app.now();
    json::ok(&Trash {
        items: found.items.into_iter().filter_map(|item| Item::new(item, now)).collect(),
        total: found.total,
        page,
        limit,
        total_pages: found.total.div_ceil(u64::from(limit)),
        summary: Summary::new(&sums, &kinds),
        region: &holder.verified.region(),
        // They are of all types, so a key that cannot see all is not told how much there is.
        left_by_services: match kinds.len() == ResourceKind::ALL.len() {
            true => leftovers.into_iter().map(LeftByService::from).collect(),
            false => Vec::new(),
        },
    })
}

fn preview_item(resource: Resource) -> Option<PreviewItem> {
    let r#type = PREVIEW_TYPES.into_iter().find(|known| *known == resource.kind)?;
    Some(PreviewItem { id: resource.id.to_string(), r#type, name: resource.name })
}

#[derive(Deserialize, ToSchema)]
struct RestoreRequest {
    /// The id of the resource.
    #[schema(min_length = 1, example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = resource_type)]
    r#type: String,
}

/// The resource is restored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreResponse {
    #[schema(schema_with = schema::only_true)]
    success: bool,
    /// The number of models that were restored with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    restored_models: Option<usize>,
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
        (status = 409, description = "Its parent is in the trash. Restore the parent first.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        ServerError
    )
)]
pub async fn restore(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: RestoreRequest = json::parse(&body.map_err(json::body_problem)?)?;
    let (kind, id) = one_resource(&app, &holder, &request.id, &request.r#type).await?;
    let (actor, workspace) = (holder.actor(), holder.verified.workspace);
    let cascaded = flows::restore(&app, actor, workspace, id).await.map_err(refusal)?;
    let restored_models = kind.has_models().then_some(cascaded);
    json::ok(&RestoreResponse { success: true, restored_models })
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
    /// With what went to the trash together with something else.
    deleted_count: usize,
    /// The number of models that are deleted with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cascaded_models: Option<usize>,
}

/// Permanently deletes one resource in the trash, or all of them.
///
/// Requires the write scope of the type: models:write, datasets:write or projects:write. Deleting everything requires
/// all three. The resources count until their service has confirmed the deletion.
#[utoipa::path(
    delete,
    path = "/api/trash",
    operation_id = "deleteTrash",
    tag = "key holders",
    security(("apiKey" = ["projects:write"]), ("apiKey" = ["datasets:write"]), ("apiKey" = ["models:write"])),
    request_body = DeleteTarget,
    responses(
        (status = 200, description = "The services are asked to delete the resources.", body = DeleteResponse),
        (status = 400, description = "The body cannot be read, or a member is wrong.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no such resource in the trash.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        ServerError
    )
)]
pub async fn delete_trash(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    let request: DeleteRequest = json::parse(&body.map_err(json::body_problem)?)?;
    let (actor, workspace) = (holder.actor(), holder.verified.workspace);
    if !request.all {
        let (kind, id) = one_resource(&app, &holder, &request.id, &request.r#type).await?;
        let deleted = flows::delete_for_good(&app, actor, workspace, id).await.map_err(refusal)?;
        let cascaded_models = kind.has_models().then_some(deleted.saturating_sub(1));
        return json::ok(&DeleteResponse { success: true, deleted_count: deleted, cascaded_models });
    }
    if !request.id.is_empty() || !request.r#type.is_empty() {
        let sentence = "Send either {\"all\": true}, or an id and a type.";
        return Err(Problem::field("all", "invalid_request", sentence).into());
    }
    holder.require_all(&app, ResourceKind::ALL.map(ResourceKind::write_scope))?;
    let deleted = flows::empty_trash(&app, actor, workspace).await.map_err(refusal)?;
    json::ok(&DeleteResponse { success: true, deleted_count: deleted, cascaded_models: None })
}

/// The resource in the trash that a request names, which the key may change.
async fn one_resource(
    app: &Data<Arc<App>>,
    holder: &KeyHolder,
    id: &str,
    kind: &str,
) -> Result<(ResourceKind, ResourceId), Problem> {
    let kind = ResourceKind::parse(kind).ok_or_else(unknown_type)?;
    holder.require(app, kind.write_scope())?;
    if id.is_empty() {
        return Err(Problem::field("id", "invalid_request", "The id of the resource is missing."));
    }
    let (id, workspace) = (ResourceId::parse(id).ok_or_else(not_in_trash)?, holder.verified.workspace);
    let found = app.read_offloaded(move |view| ops::find_in_trash(view, workspace, id)).await?;
    let found = found.filter(|found| found.kind == kind.as_str());
    found.map(|_| (kind, id)).ok_or_else(not_in_trash)
}
