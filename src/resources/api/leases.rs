//! `/v1/leases`: places that are reserved before something is created.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data, Path};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::model::{LEASE_DEFAULT, LEASE_MAX, Lease, NewLease};
use super::super::ops;
use super::batch::ListedResource;
use super::body::{Members, read_listed};
use super::limits::quantity;
use super::resource::{DONE, DoneAnswer, ResourceAnswer};
use super::{Refusals, received, write_of};
use crate::app::App;
use crate::base::{LeaseId, Problem};
use crate::http::Answer;
use crate::http::schema::ServerProblem;
use crate::services::Caller;
use crate::services::api::{ServiceRefusals, Written};

/// What to reserve.
#[derive(ToSchema)]
#[schema(as = LeaseDescription)]
#[expect(dead_code, reason = "only describes")]
struct LeaseRequest {
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    /// A type of resources; or `training`, `image` or `video`.
    #[schema(example = "model")]
    r#type: String,
    /// How many. Without it: 1.
    #[schema(minimum = 1, maximum = 1000, example = 1)]
    quantity: Option<i64>,
    /// The bytes of all of them together. Without it: 0.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64, example = 5_400_000)]
    size: Option<i64>,
    /// How long it lasts. Without it: an hour.
    #[schema(minimum = 1, maximum = 86400, example = 3600)]
    seconds: Option<i64>,
}

/// How long a lease lasts from now on.
#[derive(ToSchema)]
#[schema(as = LeaseRenewal)]
#[expect(dead_code, reason = "only describes")]
struct RenewRequest {
    /// Without it: an hour.
    #[schema(minimum = 1, maximum = 86400, example = 3600)]
    seconds: Option<i64>,
}

/// What was created.
#[derive(ToSchema)]
#[schema(as = LeaseCommit)]
#[expect(dead_code, reason = "only describes")]
struct CommitRequest {
    /// As many resources as the lease reserves at most, each with its `id`.
    #[schema(max_items = 1000)]
    resources: Vec<ListedResource>,
}

/// A reserved place.
#[derive(Serialize, ToSchema)]
#[schema(as = Lease)]
struct LeaseAnswer {
    #[schema(example = "lse_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    lease: String,
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    #[schema(example = "model")]
    r#type: String,
    #[schema(example = 1)]
    quantity: i64,
    #[schema(example = 5_400_000)]
    size: i64,
    /// From then on it reserves nothing.
    #[schema(format = DateTime, example = "2026-05-03T10:00:00.000Z")]
    expires_at: String,
}

impl From<Lease> for LeaseAnswer {
    fn from(lease: Lease) -> Self {
        Self {
            lease: lease.id.to_string(),
            workspace: lease.workspace.to_string(),
            r#type: lease.kind,
            quantity: lease.quantity,
            size: lease.size_bytes,
            expires_at: lease.expires_at.rfc3339(),
        }
    }
}

/// How long, from the member `seconds`.
fn lasts(members: &Members) -> Result<Duration, ResourceError> {
    let rule = "a whole number of seconds from 1 to 86400";
    let fault = ResourceError::Bad { member: "seconds", code: "bad_seconds", rule };
    let most = i64::try_from(LEASE_MAX.as_secs()).unwrap_or(i64::MAX);
    let seconds = members.whole("seconds", 1..=most, fault)?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LEASE_DEFAULT, Duration::from_secs))
}

fn id_of(path: &Path<String>) -> Result<LeaseId, Problem> {
    LeaseId::parse(path.as_str()).ok_or_else(|| ResourceError::NoLease.into())
}

/// Reserves places and bytes of a workspace, for a day at most.
///
/// Ask for a lease before you create something, and commit it with what you created: then two programs that create at the same
/// time cannot both take the last place. A lease of the type `training` counts as a training that runs: renew it while it runs,
/// and release it at its end.
#[utoipa::path(
    post,
    path = "/v1/leases",
    operation_id = "grantLease",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = LeaseRequest,
    responses(
        (status = 201, description = "The place is reserved.", body = LeaseAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn grant_lease(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let members = Members::parse(&body, &["workspace", "type", "quantity", "size", "seconds"])?;
    let new = NewLease {
        workspace: members.workspace()?,
        kind: members.kind()?,
        quantity: quantity(&members)?,
        size_bytes: members.size()?,
        lasts: lasts(&members)?,
    };
    write
        .run(&app, &body, move |tx, actor| {
            let lease = LeaseAnswer::from(ops::grant_lease(tx, actor, &new)?);
            Ok::<_, ResourceError>(Written::new(201, &lease).about(new.workspace))
        })
        .await
}

/// What was created with a lease.
#[derive(Serialize, ToSchema)]
#[schema(as = CommittedLease)]
struct CommitAnswer {
    resources: Vec<ResourceAnswer>,
}

/// Registers what was created with a lease, and ends it.
///
/// Places that are left are free again. If one of the resources is refused, none is registered, and the lease stays.
#[utoipa::path(
    post,
    path = "/v1/leases/{id}/commit",
    operation_id = "commitLease",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The id of the lease.", example = "lse_01k0r3v9qz8h2f7n5m4c6x1b0a")),
    request_body = CommitRequest,
    responses(
        (status = 200, description = "The resources are registered.", body = CommitAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn commit_lease(
    app: Data<Arc<App>>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let id = id_of(&path)?;
    let mut members = Members::parse(&body, &["resources"])?;
    let resources = members.take_resources()?;
    let resources = resources.into_iter().map(read_listed).collect::<Result<Vec<_>, _>>()?;
    write
        .run(&app, &body, move |tx, actor| {
            let created = ops::commit(tx, actor, id, &resources)?;
            // All of them are in the workspace of the lease.
            let workspace = created.first().map(|resource| resource.workspace);
            let resources = created.into_iter().map(|resource| ResourceAnswer::of(tx, resource));
            let written = Written::new(200, &CommitAnswer { resources: resources.collect::<Result<_, _>>()? });
            Ok::<_, ResourceError>(workspace.into_iter().fold(written, Written::about))
        })
        .await
}

/// Lets a lease last longer: so many seconds from now on.
#[utoipa::path(
    post,
    path = "/v1/leases/{id}/renew",
    operation_id = "renewLease",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The id of the lease.", example = "lse_01k0r3v9qz8h2f7n5m4c6x1b0a")),
    request_body = RenewRequest,
    responses(
        (status = 200, description = "It lasts longer.", body = LeaseAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn renew_lease(
    app: Data<Arc<App>>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let id = id_of(&path)?;
    let lasts = if body.is_empty() { LEASE_DEFAULT } else { lasts(&Members::parse(&body, &["seconds"])?)? };
    write
        .run(&app, &body, move |tx, actor| {
            let lease = ops::renew(tx, actor, id, lasts)?;
            let workspace = lease.workspace;
            Ok::<_, ResourceError>(Written::new(200, &LeaseAnswer::from(lease)).about(workspace))
        })
        .await
}

/// Gives a lease back. Twice is the same as once.
#[utoipa::path(
    post,
    path = "/v1/leases/{id}/release",
    operation_id = "releaseLease",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The id of the lease.", example = "lse_01k0r3v9qz8h2f7n5m4c6x1b0a")),
    responses(
        (status = 200, description = "It reserves nothing any more.", body = DoneAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn release_lease(app: Data<Arc<App>>, caller: Caller, path: Path<String>, request: HttpRequest) -> Answer {
    let write = write_of(&caller, &request)?;
    let id = id_of(&path)?;
    write
        .run(&app, &Bytes::new(), move |tx, actor| {
            ops::release(tx, actor, id)?;
            Ok::<_, ResourceError>(Written::new(200, &DONE))
        })
        .await
}
