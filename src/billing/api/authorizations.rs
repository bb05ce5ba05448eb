//! `/v1/usage/quote`, `authorize`, `settle` and `release`: services ask before they spend.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::Schema;
use utoipa::{IntoResponses, ToSchema};

use super::super::ledger::LedgerError;
use super::super::usage::UsageError;
use super::super::usage::authorizations::{self, AuthorizationState, Closed, UsageRequest};
use super::usage_events;
use crate::app::App;
use crate::base::{Actor, ApiKeyId, HoldId, Problem, Quantity, WorkspaceId};
use crate::db::Tx;
use crate::http::schema::{self, ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, json};
use crate::services::api::{ServiceRefusals, ServiceWrite, Written};
use crate::services::{Caller, ServiceScope};

/// Usage that has not happened yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlannedUsage)]
struct UsageBody {
    /// The workspace that pays.
    #[schema(value_type = String, required = true, example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: Option<String>,
    /// What is going to be used: a `sku` of the price list.
    #[schema(value_type = String, required = true, example = "gpu.h100")]
    sku: Option<String>,
    #[schema(schema_with = quantity_schema, required = true)]
    quantity: Option<Value>,
    /// The id of the API key that it is used with. Then its budget counts too.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    key: Option<String>,
}

fn quantity_schema() -> Schema {
    usage_events::quantity_schema(r"^[0-9]+(\.[0-9]{1,6})?$", "3600")
}

/// Which authorization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthorizationName)]
struct AuthorizationBody {
    /// Its id, from the answer of `authorize`.
    #[schema(value_type = String, required = true, example = "hold_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    authorization: Option<String>,
}

/// What usage would cost.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageQuote)]
struct QuoteAnswer {
    /// What would be authorized, in credits: the price of the quantity, with the margin of this service.
    #[schema(example = "3.60")]
    amount: String,
    /// What can be spent now, in credits: by the workspace, and by the key if one is named. Below zero: what is owed.
    #[schema(example = "25.00")]
    available: String,
}

/// What the service may charge.
#[derive(Serialize, ToSchema)]
#[schema(as = Authorization)]
struct AuthorizationAnswer {
    /// Its id, for the events of the usage and for its end.
    #[schema(example = "hold_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    authorization: String,
    /// What is authorized, in credits.
    #[schema(example = "3.60")]
    amount: String,
    /// From then on no credit is reserved for it. Usage that is reported later is charged all the same.
    #[schema(format = DateTime, example = "2026-05-04T09:00:00.000Z")]
    expires_at: String,
}

/// An authorization that has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedAuthorization)]
struct ClosedAnswer {
    #[schema(example = "hold_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    authorization: String,
    #[schema(schema_with = ends)]
    state: &'static str,
    /// What its usage has cost so far, in credits.
    #[schema(example = "1.50")]
    charged: String,
}

fn ends() -> utoipa::openapi::Object {
    let ends = [AuthorizationState::Settled, AuthorizationState::Released];
    schema::one_of("How it ended first.", ends.map(AuthorizationState::as_str))
}

/// What all of these addresses refuse. `code` says which.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only describes")]
pub enum Refusals {
    /// The body cannot be read, or a member is wrong: `bad_quantity`, `unknown_sku`, `unknown_key`. `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Wrong(ProblemDocument<'static>),
    /// There is no such workspace or authorization, or this service may not use it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument<'static>),
}

/// What a question about a price refuses.
#[derive(IntoResponses)]
#[response(
    status = 422,
    description = "It costs more than the largest amount of a wallet.",
    content_type = "application/problem+json"
)]
pub struct NoSuchAmount(#[expect(dead_code, reason = "only describes")] ProblemDocument<'static>);

/// What a write refuses that is repeated with another body.
#[derive(IntoResponses)]
#[response(
    status = 409,
    description = "The Idempotency-Key was used for another request, or its first request is not finished.",
    content_type = "application/problem+json"
)]
pub struct Mismatch(#[expect(dead_code, reason = "only describes")] ProblemDocument<'static>);

/// What usage would cost. Nothing is reserved.
#[utoipa::path(
    post,
    path = "/v1/usage/quote",
    operation_id = "quoteUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = UsageBody,
    responses(
        (status = 200, description = "What it would cost, and what can be spent.", body = QuoteAnswer),
        ServiceRefusals,
        Refusals,
        NoSuchAmount,
        TooLarge,
        ServerProblem
    )
)]
pub async fn quote(app: Data<Arc<App>>, caller: Caller, body: Result<Bytes, actix_web::Error>) -> Answer {
    caller.require(ServiceScope::UsageWrite)?;
    let asked = read_usage(&body.map_err(json::body_problem)?)?;
    let actor = caller.actor();
    let quote = app.read_offloaded(move |view| authorizations::quote(view, &actor, &asked)).await?;
    json::ok(&QuoteAnswer { amount: quote.amount.to_string(), available: quote.available.to_string() })
}

/// Authorizes usage before it happens, so that no two programs spend the same credit.
///
/// What it costs is reserved in the wallet of the workspace, and in the budget of the key if one is named: all of it, or
/// nothing. Report the usage with the id in `authorization`, as often as you like: it is charged at the price of now. Settle it
/// when the usage has ended, or release it if there was none. The policy of a service can be to check only: then nothing is
/// reserved. For what costs nothing, no credit is needed. With 403 `account_not_active`, the person of the workspace is suspended.
#[utoipa::path(
    post,
    path = "/v1/usage/authorize",
    operation_id = "authorizeUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = UsageBody,
    responses(
        (status = 201, description = "It is authorized.", body = AuthorizationAnswer),
        ServiceRefusals,
        Refusals,
        (
            status = 402,
            description = "`insufficient_credit`: the workspace cannot spend so much. `insufficient_budget`: the key cannot.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        Mismatch,
        NoSuchAmount,
        TooLarge,
        ServerProblem
    )
)]
pub async fn authorize(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let write = ServiceWrite::new(&caller, Some(ServiceScope::UsageWrite), &request)?;
    let asked = read_usage(&body)?;
    write
        .run(&app, &body, move |tx, actor| {
            let made = authorizations::authorize(tx, actor, &asked)?;
            let answer = AuthorizationAnswer {
                authorization: made.id.to_string(),
                amount: made.amount.to_string(),
                expires_at: made.expires_at.rfc3339(),
            };
            Ok::<_, UsageError>(Written::new(201, &answer).about(made.workspace))
        })
        .await
}

/// Ends an authorization whose usage has ended. What was reserved and not used can be spent again.
///
/// Usage that is reported later is charged all the same, at the same price. Twice is the same as once; if it was released before,
/// it stays released.
#[utoipa::path(
    post,
    path = "/v1/usage/settle",
    operation_id = "settleUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = AuthorizationBody,
    responses(
        (status = 200, description = "It has ended.", body = ClosedAnswer),
        ServiceRefusals,
        Refusals,
        Mismatch,
        TooLarge,
        ServerProblem
    )
)]
pub async fn settle(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    end(&app, &caller, &request, body, authorizations::settle).await
}

/// Ends an authorization whose usage has not happened. What was reserved can be spent again.
///
/// Twice is the same as once; if it was settled before, it stays settled.
#[utoipa::path(
    post,
    path = "/v1/usage/release",
    operation_id = "releaseUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = AuthorizationBody,
    responses(
        (status = 200, description = "It has ended.", body = ClosedAnswer),
        ServiceRefusals,
        Refusals,
        Mismatch,
        TooLarge,
        ServerProblem
    )
)]
pub async fn release(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    end(&app, &caller, &request, body, authorizations::release).await
}

async fn end(
    app: &Data<Arc<App>>,
    caller: &Caller,
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    operation: fn(&mut Tx<'_>, &Actor, HoldId) -> Result<Closed, UsageError>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let write = ServiceWrite::new(caller, Some(ServiceScope::UsageWrite), request)?;
    let name = needed(json::parse::<AuthorizationBody>(&body)?.authorization, "authorization")?;
    let id = HoldId::parse(&name).ok_or(UsageError::UnknownAuthorization)?;
    write
        .run(app, &body, move |tx, actor| {
            let closed = operation(tx, actor, id)?;
            let state = closed.state.as_str();
            let answer = ClosedAnswer { authorization: id.to_string(), state, charged: closed.charged.to_string() };
            Ok::<_, UsageError>(Written::new(200, &answer).about(closed.workspace))
        })
        .await
}

fn read_usage(body: &Bytes) -> Result<UsageRequest, Problem> {
    let UsageBody { workspace, sku, quantity, key } = json::parse(body)?;
    let (workspace, sku) = (needed(workspace, "workspace")?, needed(sku, "sku")?);
    let quantity = needed(quantity, "quantity")?;
    Ok(UsageRequest {
        workspace: WorkspaceId::parse(&workspace).ok_or(UsageError::UnknownWorkspace)?,
        sku,
        quantity: read_quantity(&quantity).ok_or_else(bad_quantity)?,
        key: key.map(|key| ApiKeyId::parse(&key).ok_or(LedgerError::UnknownKey)).transpose()?,
    })
}

/// As in an event: a decimal as text, or a whole number, because a number with a point is not exact in many programs.
fn read_quantity(value: &Value) -> Option<Quantity> {
    let whole = || value.as_u64().map(|number| number.to_string());
    Quantity::parse(&value.as_str().map(str::to_owned).or_else(whole)?).ok()
}

fn bad_quantity() -> Problem {
    let sentence = "quantity has to be a whole number, or text with a number of at most six decimals, above zero and up to \
                    1000000000. Correct it.";
    Problem::field("quantity", "bad_quantity", sentence)
}

fn needed<T>(value: Option<T>, member: &'static str) -> Result<T, Problem> {
    value.ok_or_else(|| Problem { field: Some(member), ..Problem::missing_member(member) })
}
