//! `/v1/limits/check`: would it fit into the plan?

use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::model::{LEASE_QUANTITY_MAX, Standing};
use super::super::ops;
use super::body::Members;
use super::{Refusals, received};
use crate::app::App;
use crate::base::Problem;
use crate::config::LimitKey;
use crate::db::View;
use crate::http::schema::{self, ServerProblem};
use crate::http::{Answer, json};
use crate::services::api::ServiceRefusals;
use crate::services::{Caller, ServiceScope};

/// What the service wants to create.
#[derive(ToSchema)]
#[schema(as = LimitQuestion)]
#[expect(dead_code, reason = "only describes")]
struct CheckRequest {
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
}

/// Whether it would fit.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitAnswer)]
struct CheckAnswer {
    allowed: bool,
    /// The plan of the workspace.
    #[schema(example = "free")]
    plan: String,
    /// The limits that were compared.
    limits: Vec<LimitStanding>,
    /// Why it would not fit. Missing: it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "limit_reached")]
    code: Option<&'static str>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "The plan of this workspace allows 3 models, and 3 are used or reserved.")]
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LimitStanding {
    #[schema(schema_with = limit_names)]
    limit: &'static str,
    /// Missing: there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    max: Option<i64>,
    /// With what is in the trash.
    #[schema(example = 2)]
    used: i64,
    /// By leases that are open.
    #[schema(example = 1)]
    reserved: i64,
}

fn limit_names() -> utoipa::openapi::Object {
    schema::one_of("What is limited.", LimitKey::ALL.map(LimitKey::as_str))
}

impl From<Standing> for LimitStanding {
    fn from(standing: Standing) -> Self {
        let Standing { limit, max, used, reserved } = standing;
        Self { limit: limit.as_str(), max, used, reserved }
    }
}

/// How many, from the member `quantity`.
pub(super) fn quantity(members: &Members) -> Result<i64, ResourceError> {
    Ok(members.whole("quantity", 1..=LEASE_QUANTITY_MAX, ResourceError::bad_quantity())?.unwrap_or(1))
}

/// Whether something could be created now.
///
/// Nothing is reserved: two services that ask at the same time can get the same answer for the last place. A lease reserves it.
#[utoipa::path(
    post,
    path = "/v1/limits/check",
    operation_id = "checkLimits",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = CheckRequest,
    responses(
        (status = 200, description = "Whether it would fit.", body = CheckAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn check_limits(app: Data<Arc<App>>, caller: Caller, body: Result<Bytes, actix_web::Error>) -> Answer {
    caller.require(ServiceScope::ResourcesWrite)?;
    let members = Members::parse(&received(body)?, &["workspace", "type", "quantity", "size"])?;
    let (workspace, kind, quantity) = (members.workspace()?, members.kind()?, quantity(&members)?);
    let (size, actor) = (members.size()?, caller.actor());
    let ask = move |view: &View<'_>| ops::check_limits(view, &actor, workspace, &kind, quantity, size);
    let answer = app.read_offloaded(ask).await?;
    let problem = answer.refusal.map(Problem::from);
    json::ok(&CheckAnswer {
        allowed: problem.is_none(),
        plan: answer.plan,
        limits: answer.standings.into_iter().map(LimitStanding::from).collect(),
        code: problem.as_ref().map(|problem| problem.code),
        error: problem.map(|problem| problem.sentence),
    })
}
