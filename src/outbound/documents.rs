//! Documents of other machines that are asked for often and change rarely, such as their keys: kept for an hour.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{CallError, Caller};
use crate::base::{Timestamp, hours, minutes, seconds};

/// How long a document is good without another look.
const KEPT_FOR: Duration = hours(1);
/// How long one that could not be renewed still serves.
const STALE_FOR: Duration = hours(24);
/// Between two looks because somebody says that the document is out of date: whoever says so may be lying.
const NEWER_EVERY: Duration = minutes(1);
/// After a failure without anything to fall back on, others fail at once for this long instead of waiting, too.
const FAILS_FOR: Duration = seconds(5);
/// Until an answer, waiting for somebody else's look included.
const PATIENCE: Duration = seconds(10);
/// Addresses kept at most; they come from settings and from what these lead to.
const DOCUMENTS_MAX: usize = 64;

/// How fresh a document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of the last hour will do.
    Kept,
    /// The one that is kept lacks something: look again, once a minute at most.
    Newer,
}

#[derive(Default)]
pub(super) struct Documents(std::sync::Mutex<HashMap<String, Arc<Mutex<Document>>>>);

#[derive(Default)]
struct Document {
    bytes: Option<(Arc<Vec<u8>>, Timestamp)>,
    failed: Option<(CallError, Timestamp)>,
    renewed_at: Option<Timestamp>,
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

impl Caller {
    /// The document at `url`, from memory where it is fresh enough.
    ///
    /// # Errors
    /// [`CallError`]; an answer that is not 200 is [`CallError::Failed`].
    pub async fn document(&self, url: &str, now: Timestamp, wanted: Wanted) -> Result<Arc<Vec<u8>>, CallError> {
        let document = self.documents.at(url);
        let look = async {
            let mut document = document.lock().await;
            self.look(url, &mut document, now, wanted).await
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or(Err(CallError::TooSlow))
    }

    async fn look(
        &self,
        url: &str,
        document: &mut Document,
        now: Timestamp,
        wanted: Wanted,
    ) -> Result<Arc<Vec<u8>>, CallError> {
        let is_within = |since: Timestamp, span: Duration| now.since(since) < span;
        let is_recent = document.renewed_at.is_some_and(|at| is_within(at, NEWER_EVERY));
        if let Some((bytes, at)) = &document.bytes
            && is_within(*at, KEPT_FOR)
            && (wanted == Wanted::Kept || is_recent)
        {
            return Ok(bytes.clone());
        }
        if let Some((error, at)) = &document.failed
            && document.bytes.is_none()
            && is_within(*at, FAILS_FOR)
        {
            return Err(error.clone());
        }
        if wanted == Wanted::Newer {
            // Noted before the look, so that one that fails counts too.
            document.renewed_at = Some(now);
        }
        // Should nobody wait for the end of this, the next one does not wait as long.
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
