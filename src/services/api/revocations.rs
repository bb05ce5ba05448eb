//! `GET /v1/revocations`: the feed of early ends, for services that verify tokens offline.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};

use super::super::callers::Caller;
use crate::app::{App, ConcurrencyLimit};
use crate::base::{Problem, Stopwatch, seconds};
use crate::http::{Answer, ShutdownSignal, json};
use crate::tokens::{self, FEED_PAGE_MAX, FeedPage};

/// A request can wait this long for news: less than the usual timeout of proxies.
const WAIT_SECONDS_MAX: u64 = 30;
/// The time between two looks of a waiting request, and so the highest delay of news.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(200);
/// Requests that can wait at the same time. A further request is answered at once.
const WAITING: ConcurrencyLimit = ConcurrencyLimit { name: "revocations", max: 1_000 };

/// The query: the position of the reader in the feed, and how long to wait.
#[derive(Deserialize)]
pub struct FeedQuery {
    #[serde(default)]
    after: String,
    #[serde(default)]
    wait: String,
}

#[derive(Serialize)]
struct Feed {
    revocations: Vec<Item>,
    next: i64,
    more: bool,
}

#[derive(Serialize)]
struct Item {
    seq: i64,
    kind: String,
    id: String,
}

impl From<FeedPage> for Feed {
    fn from(news: FeedPage) -> Self {
        let more = news.revocations.len() == FEED_PAGE_MAX as usize;
        let items = news.revocations.into_iter().map(|row| Item { seq: row.seq, kind: row.kind, id: row.id });
        Self { revocations: items.collect(), next: news.next, more }
    }
}

/// `GET /v1/revocations?after=SEQ&wait=SECONDS`: what ended after that number, at most 1,000 rows. If there is no news,
/// the response waits for it, at most `wait` seconds.
pub async fn revocations(
    app: Data<Arc<App>>,
    shutdown: ShutdownSignal,
    _caller: Caller,
    query: Query<FeedQuery>,
) -> Answer {
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

fn parse_number(name: &'static str, text: &str, most: u64) -> Result<u64, Problem> {
    if text.is_empty() {
        return Ok(0);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= most).ok_or_else(|| {
        Problem::field(name, "invalid_request", format!("{name} has to be a whole number from 0 to {most}."))
    })
}

fn feed_restarted() -> Problem {
    let sentence = "The feed does not reach this number, because a backup was restored. Refuse every token that you have, and \
                    start again with after=0.";
    Problem::new(409, "feed_restarted", sentence)
}
