//! The JSON API: resources, limits and leases for services; storage and trash for holders of an API key.

mod activity;
mod batch;
mod body;
mod items;
mod leases;
mod leftovers;
mod limits;
mod listing;
mod resource;
mod storage;
mod trash;

use actix_web::HttpRequest;
use actix_web::web::Bytes;
use utoipa::{IntoResponses, OpenApi};

pub use activity::report_activity;
pub use batch::put_batch;
pub use items::items;
pub use leases::{commit_lease, grant_lease, release_lease, renew_lease};
pub use leftovers::trash_leftovers;
pub use limits::check_limits;
pub use resource::{delete, get, list, put, restore as restore_resource, trash as trash_resource};
pub use storage::storage;
pub use trash::{delete_trash, restore, trash};

use crate::base::Problem;
use crate::http::json;
use crate::http::schema::ProblemDocument;
use crate::services::api::ServiceWrite;
use crate::services::{Caller, ServiceScope};

/// The description of the operations in this folder.
#[derive(OpenApi)]
#[openapi(paths(
    resource::list,
    resource::put,
    resource::get,
    resource::delete,
    resource::trash,
    resource::restore,
    batch::put_batch,
    limits::check_limits,
    leases::grant_lease,
    leases::commit_lease,
    leases::renew_lease,
    leases::release_lease,
    activity::report_activity,
    storage::storage,
    items::items,
    trash::trash,
    trash::restore,
    leftovers::trash_leftovers,
    trash::delete_trash
))]
pub struct Description;

/// What an operation about resources refuses. `code` says which.
#[derive(IntoResponses)]
pub enum Refusals {
    /// The body cannot be read, or a member or parameter is wrong. `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Wrong(ProblemDocument<'static>),
    /// `limit_reached`: it would be more than the plan of the workspace allows. `insufficient_scope`: the service does not have the
    /// scope that this needs.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument<'static>),
    /// There is no such resource, lease or workspace, or this service may not use it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument<'static>),
    /// It contradicts what is stored: `stale_version`, `parent_in_trash`, `lease_ended`. Or the Idempotency-Key was used for
    /// another request.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDocument<'static>),
    /// The resource was deleted for good, and its id cannot be used again.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemDocument<'static>),
    /// The body is too large, or one resource is larger than the plan allows.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDocument<'static>),
}

/// A write of a service, which needs the scope for resources.
fn write_of(caller: &Caller, request: &HttpRequest) -> Result<ServiceWrite, Problem> {
    ServiceWrite::new(caller, Some(ServiceScope::ResourcesWrite), request)
}

/// The body of a request.
fn received(body: Result<Bytes, actix_web::Error>) -> Result<Bytes, Problem> {
    body.map_err(json::body_problem)
}
