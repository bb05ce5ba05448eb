//! `/v1/resources/batch`: many resources at once, and full syncs.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::flows::{self, LastBatch};
use super::super::model::{BatchResult, NUMBER_MAX, NewResource};
use super::super::ops;
use super::body::{Members, read_listed};
use super::resource::ResourceRequest;
use super::{Refusals, received, write_of};
use crate::app::App;
use crate::base::Problem;
use crate::http::schema::ServerProblem;
use crate::http::{Answer, json};
use crate::services::Caller;
use crate::services::api::{ServiceRefusals, Written};

/// A resource with its id.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedResource {
    /// The service's own id of the resource.
    #[schema(min_length = 1, max_length = 200, example = "model-1")]
    id: String,
    #[serde(flatten)]
    resource: ResourceRequest,
}

/// Many resources.
#[derive(ToSchema)]
#[schema(as = ResourceBatch)]
#[expect(dead_code, reason = "only describes")]
struct BatchRequest {
    /// 0 to 1,000 resources, each with its `id`. A parent comes before what is below it.
    #[schema(max_items = 1000)]
    resources: Vec<ListedResource>,
    /// They are part of a full sync.
    full_sync: Option<FullSync>,
}

/// A full sync: everything that the service has, in as many batches as it needs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes")]
struct FullSync {
    /// A number that is higher for each full sync, such as the seconds since 1970 at its begin.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64, example = 1_777_798_800)]
    generation: i64,
    /// Whether this is the last batch. What the sync did not name is marked as missing then. Nothing is deleted.
    ends: Option<bool>,
}

/// What happened to the resources of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourceBatchResult)]
struct BatchAnswer {
    #[schema(example = 998)]
    created: usize,
    #[schema(example = 1)]
    updated: usize,
    #[schema(example = 0)]
    unchanged: usize,
    /// Those that were refused. The others are registered.
    rejected: Vec<RejectedResource>,
    /// How many resources the full sync did not name. Missing: the sync does not end with this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0)]
    missing: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct RejectedResource {
    /// The place in the batch, from 0.
    #[schema(example = 3)]
    index: usize,
    #[schema(example = "stale_version")]
    code: &'static str,
    #[schema(example = "Version 7 of this resource is registered.")]
    error: String,
}

struct Batch {
    resources: Vec<Result<NewResource, ResourceError>>,
    generation: Option<i64>,
    ends: bool,
}

fn read_batch(body: &[u8]) -> Result<Batch, Problem> {
    let mut members = Members::parse(body, &["resources", "full_sync"])?;
    let resources = members.take_resources()?;
    let (mut generation, mut ends) = (None, false);
    if let Some(sync) = members.take("full_sync") {
        let rule = "an object with a generation, a whole number of 0 or more, and maybe ends, true or false";
        let fault = || Problem::from(ResourceError::Bad { member: "full_sync", code: "bad_full_sync", rule });
        let mut sync = Members::of(sync).ok_or_else(fault)?;
        sync.only(&["generation", "ends"])?;
        let wrong = ResourceError::Bad { member: "full_sync", code: "bad_full_sync", rule };
        generation = Some(sync.whole("generation", 0..=NUMBER_MAX, wrong)?.ok_or_else(fault)?);
        ends = sync.take("ends").map(|ends| ends.as_bool().ok_or_else(fault)).transpose()?.unwrap_or(false);
    }
    Ok(Batch { resources: resources.into_iter().map(read_listed).collect(), generation, ends })
}

/// Registers up to 1,000 resources.
///
/// One that is refused does not affect the others: the answer says which were rejected, and why. For a full sync, send
/// everything with the same generation, and end it with the last batch: what it did not name is marked as missing, and nothing
/// is deleted. The same last batch again gets the same answer.
#[utoipa::path(
    post,
    path = "/v1/resources/batch",
    operation_id = "putResources",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = BatchRequest,
    responses(
        (status = 200, description = "The resources are registered, except those that are rejected.", body = BatchAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn put_batch(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let Batch { resources, generation, ends } = json::parse_large(body.clone(), read_batch).await?;
    if let (true, Some(generation)) = (ends, generation) {
        let (digest, repeatable) = (Sha256::digest(&body).into(), write.repeatable(&body));
        let last = LastBatch { actor: write.actor, generation, resources, digest, repeatable };
        let (answer, is_repetition) = flows::end_sync(&app, last, render_last).await?;
        return Ok(json::repeatable(200, answer, is_repetition));
    }
    write
        .run(&app, &body, move |tx, actor| {
            let answer = BatchAnswer::from(ops::put_batch(tx, actor, resources, generation)?);
            Ok::<_, ResourceError>(Written::new(200, &answer))
        })
        .await
}

fn render_last(result: BatchResult<ResourceError>, missing: usize) -> String {
    let answer = BatchAnswer { missing: Some(missing), ..BatchAnswer::from(result) };
    serde_json::to_string(&answer).unwrap_or_default()
}

impl From<BatchResult<ResourceError>> for BatchAnswer {
    fn from(result: BatchResult<ResourceError>) -> Self {
        let rejected = result.rejected.into_iter().map(|rejected| {
            let problem = Problem::from(rejected.error);
            RejectedResource { index: rejected.index, code: problem.code, error: problem.sentence }
        });
        Self {
            created: result.created,
            updated: result.updated,
            unchanged: result.unchanged,
            rejected: rejected.collect(),
            missing: None,
        }
    }
}
