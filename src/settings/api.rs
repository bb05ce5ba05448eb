//! For holders of an API key: account, plan and credit of the key, and public profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::model::ProfileForReader;
use super::ops::profile_for_reader;
use crate::accounts::Username;
use crate::app::App;
use crate::base::Problem;
use crate::billing::{self, BillingError, Wallet};
use crate::config::LimitKey;
use crate::db::View;
use crate::http::schema::{self, ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::people::{self, PictureSize, Platform};
use crate::resources;
use crate::verification::api::{KeyHolder, KeyRefusals};

/// The description of the operations in this file.
#[derive(OpenApi)]
#[openapi(paths(summary, profile, follow))]
pub struct Description;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountSummary {
    #[schema(example = "ada")]
    username: String,
    /// The display name.
    #[schema(example = "Ada Lovelace")]
    name: String,
    #[schema(schema_with = account_type)]
    account_type: String,
    #[schema(example = "free")]
    plan: String,
    /// The credit that can be spent, in whole cents, rounded toward zero.
    #[schema(example = 500)]
    credits_cents: i64,
    counts: ResourceCounts,
    #[schema(value_type = Vec<Object>)]
    teams: Vec<()>,
}

/// The kind of a workspace.
fn account_type() -> utoipa::openapi::Object {
    schema::one_of("The kind of workspace.", ["personal", "team"])
}

/// How many resources the workspace has, with those in the trash.
#[derive(Serialize, ToSchema)]
struct ResourceCounts {
    projects: u64,
    datasets: u64,
    models: u64,
}

/// The owner of the key, the plan and the credit.
#[utoipa::path(
    get,
    path = "/api/account/summary",
    operation_id = "accountSummary",
    tag = "key holders",
    security(("apiKey" = ["account:read"])),
    responses((status = 200, description = "The summary.", body = AccountSummary), KeyRefusals, ServerError)
)]
pub async fn summary(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let id = holder.verified.workspace;
    let read = move |view: &View<'_>| {
        let count = |limit| resources::count(view, id, limit);
        let counts = ResourceCounts {
            projects: count(LimitKey::Projects)?,
            datasets: count(LimitKey::Datasets)?,
            models: count(LimitKey::Models)?,
        };
        Ok::<_, BillingError>((billing::wallet(view, id)?, counts))
    };
    let (Wallet { workspace, available }, counts) = app.read_offloaded(read).await?;
    let summary = AccountSummary {
        username: holder.verified.username().to_string(),
        name: holder.verified.display_name().to_string(),
        account_type: workspace.kind,
        plan: workspace.plan,
        credits_cents: available.cents(),
        counts,
        teams: Vec::new(),
    };
    json::ok(&summary)
}

/// The query of [`profile`].
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProfileQuery {
    /// The username of the person.
    #[serde(default)]
    #[param(required, example = "ada")]
    username: String,
}

#[derive(Serialize, ToSchema)]
struct Profile {
    user: PublicUser,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PublicUser {
    #[schema(example = "ada")]
    username: String,
    /// The display name.
    #[schema(example = "Ada Lovelace")]
    full_name: String,
    /// The address of the picture. Missing: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri", example = "https://account.example.org/avatars/7c1f0a.256.webp")]
    image_url: Option<String>,
    #[schema(schema_with = account_type)]
    account_type: &'static str,
    /// The first letter of the name, for those without a picture.
    #[schema(example = "A")]
    icon_letter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Writes programs for engines.")]
    bio: Option<String>,
    /// Only for the owner of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Analytical Engines")]
    company: Option<String>,
    /// Only for the owner of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Research")]
    use_case: Option<String>,
    /// The names or addresses of the person on other platforms, by platform.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"github": "ada"}))]
    socials: BTreeMap<&'static str, String>,
    #[schema(example = 0)]
    follower_count: u32,
    #[schema(example = false)]
    is_followed: bool,
}

/// The public profile of a person.
///
/// The owner of the key also gets their own company and use case. An account that is not active is not found.
#[utoipa::path(
    get,
    path = "/api/users",
    operation_id = "profile",
    tag = "key holders",
    security(("apiKey" = ["account:read"])),
    params(ProfileQuery),
    responses(
        (status = 200, description = "The profile.", body = Profile),
        (status = 400, description = "The username is missing.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no active account with this username.", body = ErrorBody),
        ServerError
    )
)]
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

/// Follows a person, or not any more.
///
/// This site has no followers, so it is always refused.
#[utoipa::path(
    patch,
    path = "/api/users",
    operation_id = "follow",
    tag = "key holders",
    security(("apiKey" = ["account:read"])),
    responses(KeyRefusals, ServerError)
)]
pub async fn follow(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    Err(Problem::new(403, "not_available", "Permission denied for this operation").into())
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
    Problem::new(404, "not_found", "There is no account with this name.")
}
