//! The usage summary of a wallet, for holders of an API key.

use std::sync::Arc;

use actix_web::web::Data;
use serde::Serialize;

use super::super::{Wallet, ops};
use crate::app::App;
use crate::http::{Answer, json};
use crate::resources::NO_LIMIT;
use crate::verification::api::KeyHolder;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageSummary {
    plan: Plan,
    metrics: [Metric; 1],
    training_credit: TrainingCredit,
    features: Features,
    credits_cents: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    plan_id: String,
    name: String,
    status: &'static str,
    cancel_at_period_end: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    metric_id: &'static str,
    kind: &'static str,
    period: &'static str,
    limit: u64,
    used: u64,
    remaining: u64,
    overage_allowed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrainingCredit {
    monthly_grant: f64,
    balance_available: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    private_projects: bool,
    teams: bool,
    enterprise_license: bool,
}

/// `GET /api/billing/usage-summary`: the plan, its limits, and the credit in whole cents and in credits with two
/// decimals.
pub async fn usage_summary(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "billing:read")?;
    let id = holder.verified.workspace;
    let Wallet { workspace, balance } = app.read_offloaded(move |view| ops::wallet(view, id)).await?;
    let name = workspace.plan.chars().next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let name = name + workspace.plan.get(1..).unwrap_or_default();
    // The client expects a float. We never calculate with it, and two decimals of a float are exact for every possible
    // balance.
    #[allow(clippy::cast_precision_loss)]
    let balance_available = balance.cents() as f64 / 100.0;
    json::ok(&UsageSummary {
        plan: Plan { plan_id: workspace.plan, name, status: "active", cancel_at_period_end: false },
        metrics: [Metric {
            metric_id: "storage_bytes",
            kind: "GAUGE",
            period: "NONE",
            limit: NO_LIMIT,
            used: 0,
            remaining: NO_LIMIT,
            overage_allowed: false,
        }],
        training_credit: TrainingCredit { monthly_grant: 0.0, balance_available },
        features: Features { private_projects: true, teams: false, enterprise_license: false },
        credits_cents: balance.cents(),
    })
}
