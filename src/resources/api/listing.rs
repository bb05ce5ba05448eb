//! What lists of resources have in common, for programs with a key: the page that a request asks for, and the refusals.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::model::{ParentName, ResourceKind};
use crate::app::App;
use crate::base::Problem;
use crate::http::schema;
use crate::verification::api::KeyHolder;

/// Items of a page if the request has no `limit`.
const PAGE_ITEMS: u32 = 50;
/// Items of a page at most.
const PAGE_ITEMS_MAX: u32 = 200;
/// The highest page number.
const PAGES_MAX: u32 = 1_000_000;

/// A page of a list, of the types that a key can see.
pub(super) struct ListPage {
    pub kinds: Vec<ResourceKind>,
    /// From 1.
    pub page: u32,
    pub limit: u32,
    /// Items of the pages before.
    pub offset: u32,
}

impl ListPage {
    /// Reads the parameters, which are empty if the request does not have them. Without a type, the page has those that the key can
    /// read.
    pub fn read(app: &App, holder: &KeyHolder, kind: &str, page: &str, limit: &str) -> Result<Self, Problem> {
        let kinds = match kind {
            "" | "all" => {
                holder.require_any(app, ResourceKind::ALL.map(ResourceKind::read_scope))?;
                visible_kinds(app, holder)
            }
            kind => {
                let kind = ResourceKind::parse(kind).ok_or_else(unknown_type)?;
                holder.require(app, kind.read_scope())?;
                vec![kind]
            }
        };
        let page = number("page", page, 1, PAGES_MAX)?;
        let limit = number("limit", limit, PAGE_ITEMS, PAGE_ITEMS_MAX)?;
        Ok(Self { kinds, page, limit, offset: (page - 1).saturating_mul(limit) })
    }
}

/// The types that the key can see.
fn visible_kinds(app: &App, holder: &KeyHolder) -> Vec<ResourceKind> {
    let can_see = |kind: &ResourceKind| {
        let right = app.config().scopes.parse(kind.read_scope());
        right.is_some_and(|right| holder.verified.rights.contains(right))
    };
    ResourceKind::ALL.into_iter().filter(can_see).collect()
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

pub(super) fn type_or_all() -> utoipa::openapi::Object {
    schema::one_of("The type of the resources.", ["all"].into_iter().chain(ResourceKind::ALL.map(ResourceKind::as_str)))
}

pub(super) fn resource_type() -> utoipa::openapi::Object {
    schema::one_of("The type of the resource.", ResourceKind::ALL.map(ResourceKind::as_str))
}

#[derive(Serialize, ToSchema)]
pub(super) struct ParentProject {
    #[serde(rename = "_id")]
    #[schema(example = "res_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(example = "Birds")]
    name: String,
    #[schema(example = "birds")]
    slug: String,
}

impl ParentProject {
    /// The project above something. `None`: what is above it is none.
    pub(super) fn of(parent: Option<ParentName>) -> Option<Self> {
        let is_project = |parent: &ParentName| ResourceKind::parse(&parent.kind).is_some_and(ResourceKind::has_models);
        let project = parent.filter(is_project)?;
        Some(Self { id: project.id.to_string(), name: project.name, slug: project.slug })
    }
}

/// A refusal in the sentences that the client knows.
pub(super) fn refusal(error: ResourceError) -> Problem {
    match error {
        ResourceError::NotAllowed => Problem::new(403, "not_allowed", "Permission denied for this operation"),
        ResourceError::NotFound | ResourceError::Deleted | ResourceError::NotInTrash => not_in_trash(),
        other => other.into(),
    }
}

pub(super) fn unknown_type() -> Problem {
    Problem::field("type", "invalid_request", "The type has to be project, dataset or model.")
}

pub(super) fn not_in_trash() -> Problem {
    Problem::new(404, "not_found", "Resource not found in trash")
}
