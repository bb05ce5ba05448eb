//! `GET /v1/revocations`: what ended before its time, for services that verify tokens without asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};

use super::super::callers::Caller;
use crate::app::App;
use crate::base::{Problem, Stopwatch, seconds};
use crate::http::{Answer, Leaving, json};
use crate::tokens::{self, FEED_PAGE_MAX, News};

/// A request may wait as long for news: less than proxies wait for an answer.
const WAIT_SECONDS_MAX: u64 = 30;
/// How often a request that waits looks: so old is news at most when it is told.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(200);
/// Requests that may wait at the same time; one more is answered at once, and asks again.
const WAITING_MAX: usize = 1_000;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Where the reader is in the feed.
#[derive(Deserialize)]
pub struct Place {
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

impl From<News> for Feed {
    fn from(news: News) -> Self {
        let more = news.revocations.len() == FEED_PAGE_MAX as usize;
        let items = news.revocations.into_iter().map(|row| Item { seq: row.seq, kind: row.kind, id: row.id });
        Self { revocations: items.collect(), next: news.next, more }
    }
}

/// `GET /v1/revocations?after=SEQ&wait=SECONDS`: what ended after that number, a thousand rows at most. Without news the answer
/// waits for some, `wait` seconds at most.
pub async fn revocations(app: Data<Arc<App>>, leaving: Leaving, _caller: Caller, place: Query<Place>) -> Answer {
    let after = read("after", &place.after, i64::MAX.unsigned_abs())?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let wait = seconds(read("wait", &place.wait, WAIT_SECONDS_MAX)?);
    let watch = Stopwatch::start();
    let turn = Turn::taken();
    loop {
        let news = app.query_inline(|view| tokens::news(view, after, FEED_PAGE_MAX))?.ok_or_else(begun_anew)?;
        let is_over = watch.elapsed() >= wait || turn.is_none() || leaving.is_now();
        if is_over || !news.revocations.is_empty() {
            let body = serde_json::to_string(&Feed::from(news)).map_err(Problem::ours)?;
            return Ok(json::private(200, body));
        }
        tokio::time::sleep(LOOK_EVERY.min(wait.saturating_sub(watch.elapsed()))).await;
    }
}

fn read(name: &'static str, text: &str, most: u64) -> Result<u64, Problem> {
    if text.is_empty() {
        return Ok(0);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= most).ok_or_else(|| {
        Problem::field(name, "invalid_request", format!("{name} is a whole number from 0 to {most}. Send such a one."))
    })
}

fn begun_anew() -> Problem {
    let sentence = "The feed has not come that far: a backup was restored. Refuse every token that you hold, and begin again with \
                    after=0.";
    Problem::new(409, "feed_restarted", sentence)
}

/// One of the requests that may wait.
struct Turn;

impl Turn {
    /// `None`: there are too many.
    fn taken() -> Option<Self> {
        let turn = Self;
        // The one that is too many gives its place back by being dropped.
        (WAITING.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}
