//! For holders of an API key: account, plan and credit of the key, and public profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};

use super::super::ledger;
use crate::accounts::{self, Account, Username};
use crate::api_keys::api::KeyHolder;
use crate::app::App;
use crate::base::{Credits, Problem, WorkspaceId};
use crate::db;
use crate::http::{Answer, json};
use crate::people::{self, PictureSize, Platform, PublicProfile};
use crate::resources::NO_LIMIT;
use crate::workspaces::{self, Workspace};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    username: String,
    name: String,
    account_type: String,
    plan: String,
    credits_cents: i64,
    counts: Counts,
    teams: Vec<()>,
}

#[derive(Serialize, Default)]
struct Counts {
    projects: u64,
    datasets: u64,
    models: u64,
}

/// `GET /api/account/summary`: the account of the key, its plan, and its credit in whole cents, rounded toward zero.
pub async fn summary(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let (workspace, balance) = wallet(&app, holder.verified.workspace).await?;
    let summary = Summary {
        username: holder.verified.username().to_string(),
        name: holder.verified.display_name().to_string(),
        account_type: workspace.kind,
        plan: workspace.plan,
        credits_cents: balance.cents(),
        counts: Counts::default(),
        teams: Vec::new(),
    };
    answer(&summary)
}

async fn wallet(app: &Arc<App>, id: WorkspaceId) -> Result<(Workspace, Credits), Problem> {
    let read = move |view: &db::View<'_>| Ok::<_, db::Error>((workspaces::find(view, id)?, ledger::balance(view, id)?));
    let (workspace, balance) = app.read_offloaded(read).await?;
    Ok((workspace.ok_or_else(Problem::not_found)?, balance))
}

fn answer(body: &impl Serialize) -> Answer {
    Ok(json::private(200, serde_json::to_string(body).map_err(Problem::internal)?))
}

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
    let (workspace, balance) = wallet(&app, holder.verified.workspace).await?;
    let name = workspace.plan.chars().next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let name = name + workspace.plan.get(1..).unwrap_or_default();
    // The client expects a float. We never calculate with it, and two decimals of a float are exact for every possible
    // balance.
    #[allow(clippy::cast_precision_loss)]
    let balance_available = balance.cents() as f64 / 100.0;
    answer(&UsageSummary {
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

/// The query of [`profile`].
#[derive(Deserialize)]
pub struct ProfileQuery {
    #[serde(default)]
    username: String,
}

#[derive(Serialize)]
struct Profile {
    user: PublicUser,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicUser {
    username: String,
    full_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    account_type: &'static str,
    icon_letter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_case: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    socials: BTreeMap<&'static str, String>,
    follower_count: u32,
    is_followed: bool,
}

/// `GET /api/users?username=`: the public profile of an account. The owner of the key also sees their own company and
/// use case. An account that is not active is not found.
pub async fn profile(app: Data<Arc<App>>, holder: KeyHolder, query: Query<ProfileQuery>) -> Answer {
    holder.require(&app, "account:read")?;
    if query.username.is_empty() {
        return Err(Problem::field("username", "invalid_request", "The username is missing.").into());
    }
    // Accepts only a username: an address or an id must not lead to a person.
    let username = Username::parse(&query.username).map_err(|_| account_not_found())?;
    let own = holder.verified.account;
    let read = move |view: &db::View<'_>| {
        let person = people::public_profile(view, username.as_str())?;
        Ok::<_, db::Error>((person, accounts::find(view, own)?))
    };
    let (person, own) = app.read_offloaded(read).await?;
    let person = person.ok_or_else(account_not_found)?;
    let own = own.filter(|own| own.username == person.username);
    answer(&Profile { user: public_user(&app.config().public_url, person, own) })
}

fn public_user(public_url: &str, person: PublicProfile, own: Option<Account>) -> PublicUser {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let (company, use_case) = own.map(|own| (own.company, own.use_case)).unwrap_or_default();
    let picture = person.picture.map(|name| people::picture_path(&name, PictureSize::Large));
    PublicUser {
        icon_letter: person.display_name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default(),
        socials: person.links.iter().map(|(platform, value)| (platform_name(platform), value.to_owned())).collect(),
        image_url: picture.map(|path| format!("{public_url}{path}")),
        username: person.username,
        full_name: person.display_name,
        account_type: "personal",
        bio: given(person.bio),
        company: given(company),
        use_case: given(use_case),
        follower_count: 0,
        is_followed: false,
    }
}

/// The client's name for a platform.
const fn platform_name(platform: Platform) -> &'static str {
    match platform {
        Platform::GitHub => "github",
        Platform::LinkedIn => "linkedin",
        Platform::X => "twitter",
        Platform::YouTube => "youtube",
        Platform::Scholar => "scholar",
        Platform::Discord => "discord",
        Platform::Website => "website",
    }
}

fn account_not_found() -> Problem {
    Problem::new(404, "not_found", "There is no account with this name")
}
