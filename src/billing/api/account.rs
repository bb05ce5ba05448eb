//! For holders of a key: whose it is, what the plan and the credit are, and what is public of a person.

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

/// `GET /api/account/summary`: whose key this is, the plan and the credit in whole cents, rounded toward zero.
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
    let look = move |view: &db::View<'_>| Ok::<_, db::Error>((workspaces::find(view, id)?, ledger::balance(view, id)?));
    let (workspace, balance) = app.read_offloaded(look).await?;
    Ok((workspace.ok_or_else(Problem::not_found)?, balance))
}

fn answer(body: &impl Serialize) -> Answer {
    Ok(json::private(200, serde_json::to_string(body).map_err(Problem::ours)?))
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

/// `GET /api/billing/usage-summary`: the plan, what it allows, and the credit: in whole cents, and in credits of which the
/// cents are shown.
pub async fn usage_summary(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "billing:read")?;
    let (workspace, balance) = wallet(&app, holder.verified.workspace).await?;
    let name = workspace.plan.chars().next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let name = name + workspace.plan.get(1..).unwrap_or_default();
    // A shape of the client's, and never calculated with: two decimals of a float are exact far beyond any wallet.
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

/// Who is looked for.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    username: String,
}

#[derive(Serialize)]
struct Profile {
    user: Public,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Public {
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

/// `GET /api/users?username=`: what is public of a person; of oneself, also where one works and what for. Somebody who is not
/// active is not found, as is a name that nobody has.
pub async fn profile(app: Data<Arc<App>>, holder: KeyHolder, wanted: Query<Wanted>) -> Answer {
    holder.require(&app, "account:read")?;
    if wanted.username.is_empty() {
        return Err(Problem::field("username", "invalid_request", "The username is missing.").into());
    }
    // A username and nothing else: an address or an id must not lead to a person.
    let username = Username::parse(&wanted.username).map_err(|_| nobody())?;
    let own = holder.verified.account;
    let look = move |view: &db::View<'_>| {
        let person = people::public_profile(view, username.as_str())?;
        Ok::<_, db::Error>((person, accounts::find(view, own)?))
    };
    let (person, own) = app.read_offloaded(look).await?;
    let person = person.ok_or_else(nobody)?;
    let own = own.filter(|own| own.username == person.username);
    answer(&Profile { user: public(&app.config().public_url, person, own) })
}

fn public(public_url: &str, person: PublicProfile, own: Option<Account>) -> Public {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let (company, use_case) = own.map(|own| (own.company, own.use_case)).unwrap_or_default();
    let picture = person.picture.map(|name| people::picture_path(&name, PictureSize::Large));
    Public {
        icon_letter: person.display_name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default(),
        socials: person.links.iter().map(|(platform, value)| (social(platform), value.to_owned())).collect(),
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

/// What the client calls a platform.
const fn social(platform: Platform) -> &'static str {
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

fn nobody() -> Problem {
    Problem::new(404, "not_found", "There is no account of this name")
}
