//! Sends webhooks. Each service has a queue of its own and at most one call at a time, so a service that is slow or dead delays
//! only itself. A webhook whose result could not be stored is sent again: twice is better than never.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::model::{CallResult, Delivery};
use super::ops::{self, OutgoingWebhook};
use super::{InboxError, store};
use crate::app::App;
use crate::base::{ServiceId, Stopwatch, made_visible, seconds};
use crate::outbound::{CallError, FailedPost, Reply};

/// How long a service whose webhooks cannot be read or stored waits.
const AFTER_FAULT: Duration = seconds(5);
/// How much of an answer is stored, in characters.
const ANSWER_MAX: usize = 500;

/// The services that are being called.
#[derive(Clone, Default)]
struct Calling(Arc<Mutex<HashSet<ServiceId>>>);

/// The only call to a service. The next one can begin when it is dropped.
struct CallPermit(Calling, ServiceId);

impl Calling {
    /// `None`: the service is being called.
    fn try_permit(&self, service: ServiceId) -> Option<CallPermit> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service);
        is_free.then(|| CallPermit(self.clone(), service))
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Sends webhooks when they are due, until the future is dropped; calls that wait for an answer end with it.
pub async fn deliver_webhooks(app: Arc<App>) {
    let (calling, mut calls) = (Calling::default(), JoinSet::new());
    let mut wake = app.commands_wake();
    loop {
        match app.query_inline(store::list_due_services) {
            Ok(due) => {
                for service in due {
                    let Some(permit) = calling.try_permit(service) else { continue };
                    let app = app.clone();
                    calls.spawn(async move {
                        let _permit = permit;
                        if let Err(error) = deliver_to(&app, service).await {
                            tracing::error!(%service, %error, "Webhooks could not be read or stored. They are sent later.");
                            tokio::time::sleep(AFTER_FAULT).await;
                        }
                    });
                }
            }
            Err(error) => {
                tracing::error!(%error, "The due webhooks could not be read. The server tries again in five seconds.");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
        tokio::select! {
            // A commit of this process wakes us. The timeout finds what is due by the time, and what other processes send.
            _ = wake.changed() => {}
            () = tokio::time::sleep(seconds(1)) => {}
            // A service may have more by now.
            Some(_) = calls.join_next() => {}
        }
    }
}

/// Sends every webhook that is due, and returns when none is. Services do not wait for each other.
///
/// # Errors
/// [`InboxError`] if a result could not be stored.
pub async fn deliver_due(app: &Arc<App>) -> Result<usize, InboxError> {
    let due = app.query_inline(store::list_due_services)?;
    let sent = join_all(due.into_iter().map(|service| deliver_to(app, service))).await;
    sent.into_iter().sum()
}

/// Sends the webhooks of one service that are due, one after the other. Returns how many.
async fn deliver_to(app: &Arc<App>, service: ServiceId) -> Result<usize, InboxError> {
    let mut count = 0;
    while let Some(webhook) = app.read_inline(|view| ops::next_webhook(view, service))? {
        let result = send(app, &webhook).await;
        let delivery = &result.delivery;
        let is_taken = delivery.failure.is_none();
        app.metrics().note_webhook(is_taken);
        if !is_taken {
            let (command, status) = (webhook.command.id, delivery.status);
            tracing::warn!(%service, %command, status, failure = delivery.failure, "A webhook was not taken.");
        }
        app.write(move |tx| ops::record_delivery(tx, &webhook.command, &webhook.url, &result)).await?;
        count += 1;
    }
    Ok(count)
}

async fn send(app: &App, webhook: &OutgoingWebhook) -> CallResult {
    let (at, watch) = (app.now(), Stopwatch::start());
    let headers = webhook.headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = app.http_client().post_webhook(&webhook.url, &headers, webhook.body.clone()).await;
    let duration = watch.elapsed();
    match answer {
        Ok(Reply { status, body, retry_after }) => {
            let answer = made_visible(&String::from_utf8_lossy(&body), ANSWER_MAX);
            let delivery = Delivery { at, duration, status: Some(status), answer, failure: failure_of(status) };
            CallResult { delivery, retry_after: retry_after.filter(|_| matches!(status, 429 | 503)) }
        }
        Err(FailedPost { status, error }) => {
            let failure = match error {
                CallError::Failed(reason) => made_visible(&format!("the call failed: {reason}"), ANSWER_MAX),
                error => error.to_string(),
            };
            let delivery = Delivery { at, duration, status, answer: String::new(), failure: Some(failure) };
            CallResult { delivery, retry_after: None }
        }
    }
}

/// Why an answer with this status does not count. `None`: it does.
fn failure_of(status: u16) -> Option<String> {
    match status {
        200..300 => None,
        300..400 => Some(format!("the service answered {status}, and redirects are not followed")),
        410 => Some("the service answered 410: it wants no more webhooks".to_owned()),
        _ => Some(format!("the service answered {status}")),
    }
}
