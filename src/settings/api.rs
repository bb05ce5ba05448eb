//! For holders of an API key: account, plan and credit of the key, and public profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};

use super::model::ProfileForReader;
use super::ops::profile_for_reader;
use crate::accounts::Username;
use crate::app::App;
use crate::base::Problem;
use crate::billing::{self, Wallet};
use crate::http::{Answer, json};
use crate::people::{self, PictureSize, Platform};
use crate::verification::api::KeyHolder;

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
    let id = holder.verified.workspace;
    let Wallet { workspace, balance } = app.read_offloaded(move |view| billing::wallet(view, id)).await?;
    let summary = Summary {
        username: holder.verified.username().to_string(),
        name: holder.verified.display_name().to_string(),
        account_type: workspace.kind,
        plan: workspace.plan,
        credits_cents: balance.cents(),
        counts: Counts::default(),
        teams: Vec::new(),
    };
    json::ok(&summary)
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
    let reader = holder.verified.account;
    let read = app.read_offloaded(move |view| profile_for_reader(view, reader, username.as_str())).await?;
    let found = read.ok_or_else(account_not_found)?;
    json::ok(&Profile { user: public_user(&app.config().public_url, found) })
}

fn public_user(public_url: &str, ProfileForReader { profile, own }: ProfileForReader) -> PublicUser {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let (company, use_case) = own.map(|own| (own.company, own.use_case)).unwrap_or_default();
    let picture = profile.picture.map(|name| people::picture_path(&name, PictureSize::Large));
    let first = profile.display_name.chars().next();
    PublicUser {
        icon_letter: first.map(|first| first.to_uppercase().collect()).unwrap_or_default(),
        socials: profile.links.iter().map(|(platform, value)| (platform_name(platform), value.to_owned())).collect(),
        image_url: picture.map(|path| format!("{public_url}{path}")),
        username: profile.username,
        full_name: profile.display_name,
        account_type: "personal",
        bio: given(profile.bio),
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
