//! `/api/storage` for programs with a key, in the form that the reference's client expects.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::model::{Category, LargeItem, NO_LIMIT, Standing, Storage};
use super::super::ops;
use crate::app::App;
use crate::base::Problem;
use crate::config::LimitKey;
use crate::http::schema::{self, ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// The types of the largest items that the client knows.
const ITEM_TYPES: [&str; 4] = ["project", "dataset", "model", "export"];

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
#[schema(as = Storage)]
#[serde(rename_all = "camelCase")]
struct StorageAnswer<'a> {
    /// The plan of the workspace.
    #[schema(example = "free")]
    tier: &'a str,
    usage: Usage,
    /// Always null: the numbers are of this moment.
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
    projects: Gauge,
    datasets: Gauge,
    models: Gauge,
    deployments: Gauge,
    storage: Gauge,
}

/// What is used of a limit: things, or bytes of storage. The trash counts.
#[derive(Serialize, ToSchema)]
struct Gauge {
    current: u64,
    /// 9007199254740991: there is no limit.
    #[schema(example = 9007199254740991u64)]
    limit: u64,
    /// Rounded up. 0 without a limit.
    percent: u64,
}

impl Gauge {
    fn new(used: i64, limit: Option<i64>) -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let current = number(used);
        let percent = limit.map_or(0, |limit| (current * 100).div_ceil(number(limit).max(1)));
        Self { current, limit: limit.map_or(NO_LIMIT, number), percent }
    }

    fn of(counts: &[Standing], limit: LimitKey) -> Self {
        let standing = counts.iter().find(|standing| standing.limit == limit);
        standing.map_or_else(|| Self::new(0, None), |standing| Self::new(standing.used, standing.max))
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Breakdown {
    by_category: Categories,
    /// The largest items, the largest first. Empty without `details=true`.
    top_items: Vec<TopItem>,
}

#[derive(Serialize, ToSchema)]
struct Categories {
    datasets: CategoryBytes,
    models: CategoryBytes,
    exports: CategoryBytes,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Category)]
struct CategoryBytes {
    bytes: i64,
    count: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TopItem {
    #[serde(rename = "_id")]
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(example = "Yolo 11")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "yolo-11")]
    slug: Option<String>,
    size_bytes: i64,
    #[schema(schema_with = item_type)]
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Birds")]
    parent_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "birds")]
    parent_slug: Option<String>,
}

fn item_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the resource.", ITEM_TYPES)
}

/// A large item. `None`: the client does not know its type.
fn top_item(item: LargeItem) -> Option<TopItem> {
    let LargeItem { resource, parent } = item;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let (parent_name, parent_slug) = parent.map(|parent| (parent.name, parent.slug)).unwrap_or_default();
    Some(TopItem {
        r#type: ITEM_TYPES.into_iter().find(|known| *known == resource.kind)?,
        id: resource.id.to_string(),
        name: resource.name,
        slug: given(resource.slug),
        size_bytes: resource.size_bytes,
        parent_name: given(parent_name),
        parent_slug: given(parent_slug),
    })
}

/// The storage that the resources of the workspace use.
///
/// What is in the trash counts. A limit of 9007199254740991 means that there is no limit.
#[utoipa::path(
    get,
    path = "/api/storage",
    operation_id = "storage",
    tag = "key holders",
    security(("apiKey" = ["usage:read"])),
    params(StorageQuery),
    responses(
        (status = 200, description = "The used storage.", body = StorageAnswer),
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
    let workspace = holder.verified.workspace;
    let storage = app.read_offloaded(move |view| ops::storage(view, workspace)).await?;
    let lists_items = query.details == "true";
    let Storage { used_bytes, limit_bytes, categories, counts, largest, .. } = storage;
    let of = |category| {
        let found = categories.iter().find(|used| used.category == category);
        found.map_or(CategoryBytes { bytes: 0, count: 0 }, |used| CategoryBytes {
            bytes: used.size_bytes,
            count: used.items,
        })
    };
    json::ok(&StorageAnswer {
        tier: &holder.verified.plan(),
        usage: Usage {
            projects: Gauge::of(&counts, LimitKey::Projects),
            datasets: Gauge::of(&counts, LimitKey::Datasets),
            models: Gauge::of(&counts, LimitKey::Models),
            deployments: Gauge::of(&counts, LimitKey::Deployments),
            storage: Gauge::new(used_bytes, limit_bytes),
        },
        updated_at: None,
        breakdown: Breakdown {
            by_category: Categories {
                datasets: of(Category::Datasets),
                models: of(Category::Models),
                exports: of(Category::Exports),
            },
            top_items: if lists_items { largest.into_iter().filter_map(top_item).collect() } else { Vec::new() },
        },
        region: &holder.verified.region(),
        username: &holder.verified.username(),
    })
}
