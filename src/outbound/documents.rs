//! A cache for documents of other machines that are needed often and change rarely, such as key sets. They are cached
//! for an hour.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{CallError, HttpClient};
use crate::base::{Timestamp, hours, minutes, seconds};

/// How long a document is used without fetching it again.
const FRESH_FOR: Duration = hours(1);
/// How long an old document is still used if it cannot be fetched again.
const STALE_FOR: Duration = hours(24);
/// The minimum time between two forced reloads. An attacker can force one with a token that names an unknown key.
const RELOAD_EVERY: Duration = minutes(1);
/// After a failure with no document in the cache, further calls fail at once for this long instead of waiting as well.
const FAILS_FOR: Duration = seconds(5);
/// The maximum time for an answer, including the time that a call waits for another one which fetches the same
/// document.
const WAIT_MAX: Duration = seconds(10);
/// The maximum number of cached documents. Their URLs come from the configuration and from documents that it names.
const DOCUMENTS_MAX: usize = 64;

/// How fresh a document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A document from the cache that is less than an hour old.
    Cached,
    /// A new one, because the cached document lacks something. It is fetched at most once a minute.
    Reload,
}

#[derive(Default)]
pub(super) struct Documents(std::sync::Mutex<HashMap<String, Arc<Mutex<Document>>>>);

#[derive(Default)]
struct Document {
    bytes: Option<(Arc<Vec<u8>>, Timestamp)>,
    failed: Option<(CallError, Timestamp)>,
    reloaded_at: Option<Timestamp>,
}

impl Documents {
    fn at(&self, url: &str) -> Arc<Mutex<Document>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DOCUMENTS_MAX && !all.contains_key(url) {
            all.clear();
        }
        all.entry(url.to_owned()).or_default().clone()
    }
}

impl HttpClient {
    /// The document at `url`, from the cache if it is fresh enough.
    ///
    /// # Errors
    /// [`CallError`]. An answer with another status than 200 is [`CallError::Failed`].
    pub async fn document(&self, url: &str, now: Timestamp, freshness: Freshness) -> Result<Arc<Vec<u8>>, CallError> {
        let document = self.documents.at(url);
        let fetch = async {
            let mut document = document.lock().await;
            self.fetch_document(url, &mut document, now, freshness).await
        };
        tokio::time::timeout(WAIT_MAX, fetch).await.unwrap_or(Err(CallError::TooSlow))
    }

    async fn fetch_document(
        &self,
        url: &str,
        document: &mut Document,
        now: Timestamp,
        freshness: Freshness,
    ) -> Result<Arc<Vec<u8>>, CallError> {
        // A time in the future is from before the clock was set back.
        let is_within = |since: Timestamp, span: Duration| since <= now.plus(minutes(1)) && now.since(since) < span;
        let is_recent = document.reloaded_at.is_some_and(|at| is_within(at, RELOAD_EVERY));
        if let Some((bytes, at)) = &document.bytes
            && is_within(*at, FRESH_FOR)
            && (freshness == Freshness::Cached || is_recent)
        {
            return Ok(bytes.clone());
        }
        if let Some((error, at)) = &document.failed
            && document.bytes.is_none()
            && is_within(*at, FAILS_FOR)
        {
            return Err(error.clone());
        }
        if freshness == Freshness::Reload {
            // Set before the call, so that a failed reload counts as well.
            document.reloaded_at = Some(now);
        }
        // If this future is dropped before it ends, the next call fails fast instead of waiting as long.
        document.failed = Some((CallError::TooSlow, now));
        let answer = self.get(url, &[]).await.and_then(|reply| match reply.status {
            200 => Ok(Arc::new(reply.body)),
            status => Err(CallError::Failed(format!("{url} answered {status}"))),
        });
        match (answer, &document.bytes) {
            (Ok(bytes), _) => {
                document.bytes = Some((bytes.clone(), now));
                document.failed = None;
                Ok(bytes)
            }
            (Err(_), Some((bytes, at))) if is_within(*at, STALE_FOR) => Ok(bytes.clone()),
            (Err(error), _) => {
                document.failed = Some((error.clone(), now));
                Err(error)
            }
        }
    }
}
