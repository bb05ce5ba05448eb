//! What services must report again after a backup was restored.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::usage;
use crate::app::App;
use crate::base::{Problem, Timestamp};
use crate::http::schema::{ProblemDocument, ServerProblem};
use crate::http::{Answer, json};
use crate::services::api::ServiceRefusals;
use crate::services::{Caller, ServiceScope};

/// The query: the last restore that the service knows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WatermarkQuery {
    /// `restored_at` of the answer after which you last reported everything again, RFC 3339. Without it, all restores
    /// count.
    #[serde(default)]
    #[param(value_type = String, format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    after: String,
}

/// Up to when the usage that was acknowledged is certainly stored.
#[derive(Serialize, ToSchema)]
#[schema(as = Watermark)]
struct WatermarkResponse {
    /// 1, and a higher number after each restore of a backup.
    #[schema(minimum = 1, example = 2)]
    epoch: i64,
    /// When a backup was last restored. Missing: none was restored since `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    restored_at: Option<String>,
    /// Usage whose acknowledgement came at this time or later, by the clock of this server, may be lost. Missing: none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-05-03T08:55:00.000Z")]
    resend_since: Option<String>,
}

/// Since when usage must be reported again, because a backup was restored.
///
/// A restore loses the usage that was acknowledged after the backup was made. Ask when your program starts, and every few
/// minutes. If resend_since is a time, report again everything whose acknowledgement had this time or a later one in its
/// header Date; what was stored is a duplicate and is not counted twice. Usage of an authorization that was lost too is charged
/// as without one, at the price of now: send it as before. Then store restored_at, and send it as after from then on.
#[utoipa::path(
    get,
    path = "/v1/ingest/watermark",
    operation_id = "usageWatermark",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(WatermarkQuery),
    responses(
        (status = 200, description = "Up to when the usage is certainly stored.", body = WatermarkResponse),
        (
            status = 400,
            description = "`after` is not an RFC 3339 time.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusals,
        ServerProblem
    )
)]
pub async fn watermark(app: Data<Arc<App>>, caller: Caller, query: Query<WatermarkQuery>) -> Answer {
    caller.require(ServiceScope::UsageWrite)?;
    let after = match query.after.as_str() {
        "" => None,
        text => Some(Timestamp::parse_rfc3339(text).ok_or_else(bad_time)?),
    };
    let found = app.read_inline(|view| usage::watermark(view, after))?;
    json::ok(&WatermarkResponse {
        epoch: found.epoch,
        restored_at: found.restored_at.map(Timestamp::rfc3339),
        resend_since: found.resend_since.map(Timestamp::rfc3339),
    })
}

fn bad_time() -> Problem {
    let sentence = "after has to be an RFC 3339 time: restored_at of an earlier answer. Or leave it out.";
    Problem::field("after", "bad_time", sentence)
}
