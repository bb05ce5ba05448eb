//! The usage summary of a wallet, for holders of an API key.

use std::sync::Arc;

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{BillingError, Wallet, allowances, ops};
use crate::app::App;
use crate::base::Credits;
use crate::config::LimitKey;
use crate::db::View;
use crate::http::schema::{self, ServerError};
use crate::http::{Answer, json};
use crate::resources::{self, NO_LIMIT};
use crate::verification::api::{KeyHolder, KeyRefusals};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsageSummary {
    plan: Plan,
    #[schema(value_type = Vec<Metric>)]
    metrics: [Metric; 1],
    training_credit: TrainingCredit,
    features: Features,
    /// The credit that can be spent, in whole cents, rounded toward zero.
    #[schema(example = 500)]
    credits_cents: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Plan {
    #[schema(example = "free")]
    plan_id: String,
    #[schema(example = "Free")]
    name: String,
    #[schema(schema_with = plan_status)]
    status: &'static str,
    cancel_at_period_end: bool,
}

fn plan_status() -> utoipa::openapi::Object {
    schema::one_of("Whether the plan is paid.", ["active", "past_due"])
}

/// A limit of the plan, and what is used of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[schema(schema_with = metric_id)]
    metric_id: &'static str,
    #[schema(schema_with = metric_kind)]
    kind: &'static str,
    #[schema(schema_with = metric_period)]
    period: &'static str,
    /// 9007199254740991: there is no limit.
    #[schema(example = 9007199254740991u64)]
    limit: u64,
    used: u64,
    remaining: u64,
    overage_allowed: bool,
}

const METRIC_ID: &str = "storage_bytes";
const METRIC_KIND: &str = "GAUGE";
const METRIC_PERIOD: &str = "NONE";

fn metric_id() -> utoipa::openapi::Object {
    schema::one_of("What is measured.", [METRIC_ID])
}

fn metric_kind() -> utoipa::openapi::Object {
    schema::one_of("A gauge: the present amount.", [METRIC_KIND])
}

fn metric_period() -> utoipa::openapi::Object {
    schema::one_of("A gauge has no period.", [METRIC_PERIOD])
}

/// In credits, with two decimals.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TrainingCredit {
    monthly_grant: f64,
    #[schema(example = 5.0)]
    balance_available: f64,
}

/// What the plan includes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Features {
    private_projects: bool,
    teams: bool,
    enterprise_license: bool,
}

/// The plan, its limits and the credit.
#[utoipa::path(
    get,
    path = "/api/billing/usage-summary",
    operation_id = "usageSummary",
    tag = "key holders",
    security(("apiKey" = ["billing:read"])),
    responses((status = 200, description = "The summary.", body = UsageSummary), KeyRefusals, ServerError)
)]
pub async fn usage_summary(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "billing:read")?;
    let id = holder.verified.workspace;
    let read = move |view: &View<'_>| {
        let wallet = ops::wallet(view, id)?;
        Ok::<_, BillingError>((wallet, resources::used_bytes(view, id)?, allowances::find(view, id)?))
    };
    let (Wallet { workspace, available }, used, allowance) = app.read_offloaded(read).await?;
    let plan = app.config().plan(&workspace.plan);
    let limit = plan.limits.get(LimitKey::StorageBytes).and_then(|limit| u64::try_from(limit).ok());
    let limit = limit.unwrap_or(NO_LIMIT);
    // The client expects a float. We never calculate with it, and two decimals of a float are exact for every possible
    // balance.
    #[allow(clippy::cast_precision_loss)]
    let in_credits = |amount: Credits| amount.cents() as f64 / 100.0;
    let monthly_grant = in_credits(allowance.map_or(Credits::ZERO, |allowance| allowance.amount));
    json::ok(&UsageSummary {
        plan: Plan { plan_id: workspace.plan, name: plan.name.clone(), status: "active", cancel_at_period_end: false },
        metrics: [Metric {
            metric_id: METRIC_ID,
            kind: METRIC_KIND,
            period: METRIC_PERIOD,
            limit,
            used,
            remaining: limit.saturating_sub(used),
            overage_allowed: false,
        }],
        training_credit: TrainingCredit { monthly_grant, balance_available: in_credits(available) },
        features: Features { private_projects: true, teams: false, enterprise_license: false },
        credits_cents: available.cents(),
    })
}
