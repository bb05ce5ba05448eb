//! `GET /v1/revocations`: the feed of early ends, for services that verify tokens offline.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::callers::Caller;
use super::super::model::ServiceScope;
use super::{ServiceRefusals, parse_number};
use crate::app::{App, ConcurrencyLimit};
use crate::base::{Problem, Stopwatch, seconds};
use crate::http::schema::{self, ProblemDocument, ServerProblem};
use crate::http::{Answer, ShutdownSignal, json};
use crate::tokens::{self, FEED_PAGE_MAX, FeedPage};

/// A request can wait this long for news: less than the usual timeout of proxies.
const WAIT_SECONDS_MAX: u64 = 30;
/// The time between two looks of a waiting request, and so the highest delay of news.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(200);
/// Requests that can wait at the same time. A further request is answered at once.
const WAITING: ConcurrencyLimit = ConcurrencyLimit { name: "revocations", max: 1_000 };

/// The query: the position of the reader in the feed, and how long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// The number of the last row that you have read; 0 for all stored rows.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, default = 0, example = 41)]
    after: String,
    /// How many seconds to wait for a new row.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 30, default = 0, example = 30)]
    wait: String,
}

/// One page of the feed.
#[derive(Serialize, ToSchema)]
#[schema(as = RevocationFeed)]
struct Feed {
    #[schema(max_items = 1_000)]
    revocations: Vec<Item>,
    /// The value of `after` for the next request.
    #[schema(example = 42)]
    next: i64,
    /// Whether there may be more rows already.
    more: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Revocation)]
struct Item {
    /// The number of the row.
    #[schema(example = 42)]
    seq: i64,
    /// What ended: all tokens of a key, or all tokens of an account.
    #[schema(schema_with = kind)]
    kind: String,
    /// key_… or acc_…
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
}

/// The names that the triggers of the table write.
fn kind() -> utoipa::openapi::Object {
    schema::one_of("What ended: all tokens of a key, or all tokens of an account.", ["key", "subject"])
}

impl From<FeedPage> for Feed {
    fn from(news: FeedPage) -> Self {
        let items = news.revocations.into_iter().map(|row| Item { seq: row.seq, kind: row.kind, id: row.id });
        Self { revocations: items.collect(), next: news.next, more: news.has_more }
    }
}

/// The revocation feed: the keys and accounts whose tokens ended early.
///
/// Send the number of the last row that you have read. An access token is revoked when a row with a higher number than
/// its claim epoch names its client_id (kind key) or its sub (kind subject). With wait, the answer waits until there is
/// a new row. Rows are stored for a day.
#[utoipa::path(
    get,
    path = "/v1/revocations",
    operation_id = "revocations",
    tag = "verification",
    security(("service" = []), ("serviceBasic" = [])),
    params(FeedQuery),
    responses(
        (status = 200, description = "The rows after this number, at most 1,000.", body = Feed),
        (
            status = 400,
            description = "`after` or `wait` is not such a number.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusals,
        (
            status = 409,
            description = "feed_restarted: a backup was restored, and the feed has not reached this number. Refuse the \
                           tokens that you know, and start again with 0.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn revocations(
    app: Data<Arc<App>>,
    shutdown: ShutdownSignal,
    caller: Caller,
    query: Query<FeedQuery>,
) -> Answer {
    caller.require(ServiceScope::KeysVerify)?;
    let after = parse_number("after", &query.after, i64::MAX.unsigned_abs())?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let wait = seconds(parse_number("wait", &query.wait, WAIT_SECONDS_MAX)?);
    let watch = Stopwatch::start();
    let permit = app.try_permit(WAITING);
    loop {
        let news =
            app.query_inline(|view| tokens::feed_page(view, after, FEED_PAGE_MAX))?.ok_or_else(feed_restarted)?;
        let is_over = watch.elapsed() >= wait || permit.is_none() || shutdown.is_requested();
        if is_over || !news.revocations.is_empty() {
            let body = serde_json::to_string(&Feed::from(news)).map_err(Problem::internal)?;
            return Ok(json::private(200, body));
        }
        tokio::time::sleep(POLL_INTERVAL.min(wait.saturating_sub(watch.elapsed()))).await;
    }
}

fn feed_restarted() -> Problem {
    let sentence = "The feed does not reach this number, because a backup was restored. Refuse every token that you have, and \
                    start again with after=0.";
    Problem::new(409, "feed_restarted", sentence)
}
