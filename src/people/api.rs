//! Whether a username is free, for the sign-up page while a person types. Usernames are public, so this tells nothing
//! that a public profile would not. It has a rate limit all the same, so that a program cannot copy the list of
//! usernames.

use actix_web::web::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::accounts::{self, AccountError, Username};
use crate::app::NetworkQuota;
use crate::base::Problem;
use crate::db;
use crate::http::page::AppData;
use crate::http::schema::{ErrorBody, ServerError};
use crate::http::{Answer, VisitorOf, json};

/// Requests of one network: a person who types makes at most two in a second.
const CHECKS: NetworkQuota = NetworkQuota { name: "username_check", per_minute: 60 };

/// The description of the operation in this file.
#[derive(OpenApi)]
#[openapi(paths(check_username))]
pub struct Description;

/// The query of the request.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsernameQuery {
    /// The wanted username.
    #[serde(default)]
    #[param(required, example = "ada")]
    username: String,
    /// Whether to suggest a similar username if this one is not available.
    #[serde(default)]
    #[param(example = true)]
    suggest: bool,
}

#[derive(Serialize, ToSchema)]
struct UsernameAvailability {
    #[schema(example = false)]
    available: bool,
    /// Why the username is not available, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "This username is taken. Choose another one.")]
    reason: Option<String>,
    /// A stable code for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, required = false, example = "username_taken")]
    code: Option<&'static str>,
    /// A similar username that is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ada-2")]
    suggestion: Option<String>,
}

/// Tells whether a username is available.
///
/// For pages, while a person types. Each network may send 60 requests per minute.
#[utoipa::path(
    get,
    path = "/api/username/check",
    operation_id = "checkUsername",
    tag = "sign-up",
    security(),
    params(UsernameQuery),
    responses(
        (status = 200, description = "Whether the username is available.", body = UsernameAvailability),
        (status = 400, description = "The query cannot be read.", body = ErrorBody),
        (
            status = 429,
            description = "There were too many requests from this network.",
            body = ErrorBody,
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
        ServerError
    )
)]
pub async fn check_username(app: AppData, visitor: VisitorOf, query: Query<UsernameQuery>) -> Answer {
    app.admit(CHECKS, &visitor.0).map_err(|seconds| Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(429, "too_many_requests", "Too many usernames were checked. Wait a moment, then try again.")
    })?;
    let query = query.into_inner();
    let availability = app
        .read_offloaded(move |view| {
            let fault = match Username::parse(&query.username) {
                Err(fault) => Some(AccountError::Username(fault)),
                Ok(name) => match accounts::must_be_free(view, &name, None) {
                    Err(AccountError::Db(error)) => return Err(error),
                    tried => tried.err(),
                },
            };
            let wants_suggestion = fault.is_some() && query.suggest;
            let suggestion = if wants_suggestion { accounts::suggest_username(view, &query.username)? } else { None };
            let problem = fault.map(Problem::from);
            Ok::<_, db::Error>(UsernameAvailability {
                available: problem.is_none(),
                code: problem.as_ref().map(|problem| problem.code),
                reason: problem.map(|problem| problem.sentence),
                suggestion: suggestion.map(|name| name.as_str().to_owned()),
            })
        })
        .await?;
    Ok(json::private(200, serde_json::to_string(&availability).map_err(Problem::internal)?))
}
