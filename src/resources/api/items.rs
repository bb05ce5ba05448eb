//! `/api/resources` for programs with a key: what services keep for its workspace.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::model::{Item, ItemFilter, ResourceKind};
use super::super::ops;
use super::listing::{ListPage, ParentProject, resource_type, type_or_all};
use crate::app::App;
use crate::http::schema::{ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// Characters of a search at most.
const SEARCH_MAX: usize = 100;

/// The query: filter and page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ItemsQuery {
    /// A part of the name, in any case, of at most 100 characters.
    #[serde(default)]
    #[param(max_length = 100)]
    search: String,
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

/// A page of what services keep for the workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = KeptItems)]
#[serde(rename_all = "camelCase")]
struct Items<'a> {
    /// The largest first. What is in the trash is not among them.
    items: Vec<KeptItem>,
    #[schema(example = 1)]
    page: u32,
    #[schema(example = 50)]
    limit: u32,
    /// Whether there is a page after this one.
    has_more: bool,
    #[schema(example = "eu")]
    region: &'a str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeptItem {
    #[serde(rename = "_id")]
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = resource_type)]
    r#type: &'static str,
    #[schema(example = "Yolo 11")]
    name: String,
    #[schema(example = "yolo-11")]
    slug: String,
    /// The name of the service that keeps it.
    #[schema(example = "training")]
    service: String,
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_project: Option<ParentProject>,
    #[schema(example = 5_400_000)]
    size_bytes: i64,
}

impl KeptItem {
    fn new(item: Item) -> Option<Self> {
        let Item { resource, parent, service } = item;
        Some(Self {
            r#type: ResourceKind::parse(&resource.kind)?.as_str(),
            id: resource.id.to_string(),
            name: resource.name,
            slug: resource.slug,
            service,
            updated_at: resource.updated_at.rfc3339(),
            parent_project: ParentProject::of(parent),
            size_bytes: resource.size_bytes,
        })
    }
}

/// What services keep for the workspace, the largest first.
///
/// Requires the read scope of the type: models:read, datasets:read or projects:read. Without a type, the answer has those that
/// the key can read.
#[utoipa::path(
    get,
    path = "/api/resources",
    operation_id = "keptResources",
    tag = "key holders",
    security(("apiKey" = ["projects:read"]), ("apiKey" = ["datasets:read"]), ("apiKey" = ["models:read"])),
    params(ItemsQuery),
    responses(
        (status = 200, description = "One page of them.", body = Items),
        (status = 400, description = "A parameter is wrong. The sentence names it.", body = ErrorBody),
        KeyRefusals,
        ServerError
    )
)]
pub async fn items(app: Data<Arc<App>>, holder: KeyHolder, query: Query<ItemsQuery>) -> Answer {
    let ListPage { kinds, page, limit, offset } =
        ListPage::read(&app, &holder, &query.r#type, &query.page, &query.limit)?;
    let filter = ItemFilter {
        kinds: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        search: query.search.trim().chars().take(SEARCH_MAX).collect(),
        offset,
        limit,
    };
    let (actor, workspace) = (holder.actor(), holder.verified.workspace);
    let found = app.read_offloaded(move |view| ops::list_items(view, &actor, workspace, &filter)).await?;
    json::ok(&Items {
        items: found.items.into_iter().filter_map(KeptItem::new).collect(),
        page,
        limit,
        has_more: found.has_more,
        region: &holder.verified.region(),
    })
}
