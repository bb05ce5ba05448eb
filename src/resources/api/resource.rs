//! `/v1/resources`: one resource, and lists of them.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::error::ResourceError;
use super::super::model::{ExternalId, Resource, State};
use super::super::ops;
use super::body::{Members, RESOURCE_MEMBERS, bad_id, read_resource};
use super::{Refusals, received, write_of};
use crate::app::App;
use crate::base::{Actor, Problem, ResourceId, WorkspaceId};
use crate::db::{Tx, View};
use crate::http::schema::{self, ServerProblem};
use crate::http::{Answer, json};
use crate::services::api::{ServiceRefusals, Written};
use crate::services::{Caller, ServiceScope};

/// Resources of a page if the request has no `limit`, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 500;

/// A resource, as its service describes it.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourceDescription)]
pub(super) struct ResourceRequest {
    /// Whose it is. It cannot change.
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    /// A type of the service: `project`, `dataset`, `model`, `deployment`, `export`, or one of its manifest. It cannot change.
    #[schema(example = "model")]
    r#type: String,
    /// The name for people: visible characters without < and >.
    #[schema(min_length = 1, max_length = 200, example = "Yolo 11")]
    name: String,
    /// The name in addresses.
    #[schema(min_length = 1, max_length = 100, pattern = "^[a-z0-9][a-z0-9._-]*$", example = "yolo-11")]
    slug: Option<String>,
    /// The id of what is above it, such as the project of a model.
    #[schema(example = "project-7")]
    parent: Option<String>,
    /// The bytes it uses. Without it: 0.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64, example = 5_400_000)]
    size: Option<i64>,
    /// A number that is higher after each change.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64, example = 1)]
    version: i64,
}

/// A registered resource.
#[derive(Serialize, ToSchema)]
#[schema(as = Resource)]
pub(super) struct ResourceAnswer {
    /// The id that people's lists and commands use.
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    resource_id: String,
    /// The id that the service gave it.
    #[schema(example = "model-1")]
    id: String,
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    #[schema(example = "model")]
    r#type: String,
    #[schema(example = "Yolo 11")]
    name: String,
    /// Missing: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "yolo-11")]
    slug: Option<String>,
    /// The id of what is above it. Missing: nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "project-7")]
    parent: Option<String>,
    /// Its bytes.
    #[schema(example = 5_400_000)]
    size: i64,
    #[schema(example = 1)]
    version: i64,
    #[schema(schema_with = states)]
    state: &'static str,
    /// When it is deleted for good. Missing: it is not in the trash.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-06-02T09:00:00.000Z")]
    purge_after: Option<String>,
    /// Since when the full syncs of the service do not name it. Missing: they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    missing_since: Option<String>,
    #[schema(format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    updated_at: String,
}

fn states() -> utoipa::openapi::Object {
    let about = "active; trashed: it can be restored; purging: the service was asked to delete it.";
    schema::one_of(about, [State::Active, State::Trashed, State::Purging].map(State::as_str))
}

impl ResourceAnswer {
    pub(super) fn of(view: &View<'_>, resource: Resource) -> Result<Self, ResourceError> {
        Ok(Self {
            parent: ops::parent_of(view, &resource)?,
            resource_id: resource.id.to_string(),
            id: resource.external_id,
            workspace: resource.workspace.to_string(),
            r#type: resource.kind,
            name: resource.name,
            slug: Some(resource.slug).filter(|slug| !slug.is_empty()),
            size: resource.size_bytes,
            version: resource.version,
            state: resource.state.as_str(),
            purge_after: resource.purge_after.map(|time| time.rfc3339()),
            missing_since: resource.missing_at.map(|time| time.rfc3339()),
            created_at: resource.created_at.rfc3339(),
            updated_at: resource.updated_at.rfc3339(),
        })
    }
}

/// The id of the path.
fn id_of(path: &Path<String>) -> Result<ExternalId, Problem> {
    ExternalId::parse(path.as_str()).ok_or_else(|| bad_id("id").into())
}

/// Registers a resource, or a newer version of it.
///
/// The same version with the same values changes nothing, so a request can be repeated. A lower version, or the same one with
/// other values, is refused. What is new is compared with the limits of the plan.
#[utoipa::path(
    put,
    path = "/v1/resources/{id}",
    operation_id = "putResource",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The service's own id of the resource.", example = "model-1")),
    request_body = ResourceRequest,
    responses(
        (status = 200, description = "It was registered before; a newer version is stored.", body = ResourceAnswer),
        (status = 201, description = "It is registered.", body = ResourceAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn put(
    app: Data<Arc<App>>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let new = read_resource(&Members::parse(&body, &RESOURCE_MEMBERS)?, Some(id_of(&path)?)).map_err(Problem::from)?;
    write
        .run(&app, &body, move |tx, actor| {
            let (resource, change) = ops::put(tx, actor, &new)?;
            let status = if change.is_created() { 201 } else { 200 };
            Ok::<_, ResourceError>(Written::new(status, &ResourceAnswer::of(tx, resource)?).about(new.workspace))
        })
        .await
}

/// A resource of the service.
#[utoipa::path(
    get,
    path = "/v1/resources/{id}",
    operation_id = "getResource",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The service's own id of the resource.", example = "model-1")),
    responses(
        (status = 200, description = "The resource.", body = ResourceAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn get(app: Data<Arc<App>>, caller: Caller, path: Path<String>) -> Answer {
    caller.require(ServiceScope::ResourcesWrite)?;
    let (id, actor) = (id_of(&path)?, caller.actor());
    let read = move |view: &View<'_>| {
        let resource = ops::find_of_service(view, &actor, &id)?;
        ResourceAnswer::of(view, resource)
    };
    json::ok(&app.read_offloaded(read).await?)
}

/// Nothing is left to say.
#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
pub(super) struct DoneAnswer {
    #[schema(schema_with = schema::only_true)]
    done: bool,
}

pub(super) const DONE: DoneAnswer = DoneAnswer { done: true };

/// Says that the service deleted a resource for good.
///
/// Its bytes and its place are free, and its id cannot be used again. Resources below it are deleted too: for each, the service
/// gets a command. Twice is the same as once.
#[utoipa::path(
    delete,
    path = "/v1/resources/{id}",
    operation_id = "deleteResource",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The service's own id of the resource.", example = "model-1")),
    responses(
        (status = 200, description = "It is deleted.", body = DoneAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn delete(app: Data<Arc<App>>, caller: Caller, path: Path<String>, request: HttpRequest) -> Answer {
    let write = write_of(&caller, &request)?;
    let id = id_of(&path)?;
    write
        .run(&app, &Bytes::new(), move |tx, actor| {
            ops::delete_by_service(tx, actor, &id)?;
            Ok::<_, ResourceError>(Written::new(200, &DONE))
        })
        .await
}

/// A resource that was moved, and how many moved with it.
#[derive(Serialize, ToSchema)]
#[schema(as = MovedResource)]
struct MovedAnswer {
    resource: ResourceAnswer,
    /// How many below it moved together with it. Of more than 250, the rest follows within a minute.
    #[schema(example = 3)]
    cascaded: usize,
}

/// Moves a resource to the trash, with everything below it. It stays there for 30 days, and counts.
#[utoipa::path(
    post,
    path = "/v1/resources/{id}/trash",
    operation_id = "trashResource",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The service's own id of the resource.", example = "model-1")),
    responses(
        (status = 200, description = "It is in the trash.", body = MovedAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn trash(app: Data<Arc<App>>, caller: Caller, path: Path<String>, request: HttpRequest) -> Answer {
    moved(app, caller, path, request, ops::trash).await
}

/// Restores a resource from the trash, with everything that went there together with it.
#[utoipa::path(
    post,
    path = "/v1/resources/{id}/restore",
    operation_id = "restoreResource",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The service's own id of the resource.", example = "model-1")),
    responses(
        (status = 200, description = "It is restored.", body = MovedAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn restore(app: Data<Arc<App>>, caller: Caller, path: Path<String>, request: HttpRequest) -> Answer {
    moved(app, caller, path, request, ops::restore).await
}

type Move = fn(&mut Tx<'_>, &Actor, WorkspaceId, ResourceId) -> Result<usize, ResourceError>;

async fn moved(
    app: Data<Arc<App>>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
    operation: Move,
) -> Answer {
    let write = write_of(&caller, &request)?;
    let id = id_of(&path)?;
    write
        .run(&app, &Bytes::new(), move |tx, actor| {
            let known = ops::find_of_service(tx, actor, &id)?;
            let cascaded = operation(tx, actor, known.workspace, known.id)?;
            let resource = ops::find_of_service(tx, actor, &id)?;
            let answer = MovedAnswer { resource: ResourceAnswer::of(tx, resource)?, cascaded };
            Ok::<_, ResourceError>(Written::new(200, &answer).about(known.workspace))
        })
        .await
}

/// The query of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only resources of this workspace.
    #[serde(default)]
    #[param(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    /// Only resources of this type. It needs a workspace.
    #[serde(default)]
    #[param(example = "model")]
    r#type: String,
    /// `next` of the page before.
    #[serde(default)]
    #[param(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    after: String,
    /// Resources per page.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 500, example = 100)]
    limit: String,
}

/// A page of resources.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourcePage)]
struct ListAnswer {
    resources: Vec<ResourceAnswer>,
    /// The value of `after` for the next page. Missing: this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    next: Option<String>,
    /// Whether there are more.
    more: bool,
}

/// The resources of the service, the oldest first.
///
/// Those that were deleted for good are not listed.
#[utoipa::path(
    get,
    path = "/v1/resources",
    operation_id = "listResources",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(ListQuery),
    responses(
        (status = 200, description = "One page of them.", body = ListAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn list(app: Data<Arc<App>>, caller: Caller, query: Query<ListQuery>) -> Answer {
    caller.require(ServiceScope::ResourcesWrite)?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let workspace = match query.workspace.as_str() {
        "" => None,
        text => Some(WorkspaceId::parse(text).ok_or(ResourceError::NoWorkspace)?),
    };
    let kind = given(&query.r#type);
    if kind.is_some() && workspace.is_none() {
        let sentence = "A type needs a workspace. Send both, or leave the type out.";
        return Err(Problem::field("workspace", "invalid_request", sentence).into());
    }
    let after = match query.after.as_str() {
        "" => None,
        text => Some(ResourceId::parse(text).ok_or_else(|| {
            Problem::field("after", "invalid_request", "after has to be the value of next in the page before.")
        })?),
    };
    let limit = match query.limit.as_str() {
        "" => PAGE,
        text => text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit)).ok_or_else(|| {
            Problem::field("limit", "invalid_request", format!("limit has to be a whole number from 1 to {PAGE_MAX}."))
        })?,
    };
    let actor = caller.actor();
    let read = move |view: &View<'_>| {
        let page = ops::list_of_service(view, &actor, workspace, kind.as_deref(), after, limit)?;
        let resources = page.rows.into_iter().map(|resource| ResourceAnswer::of(view, resource));
        let (resources, next) = (resources.collect::<Result<_, _>>()?, page.next.map(|id| id.to_string()));
        Ok::<_, ResourceError>(ListAnswer { resources, more: next.is_some(), next })
    };
    json::ok(&app.read_offloaded(read).await?)
}
