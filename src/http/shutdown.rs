//! Whether the server is about to stop: long-polling handlers answer at once then, and connections end after their next
//! answer.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use tokio::sync::watch;

use super::Fault;
use crate::base::Problem;

/// Says whether a stop of the server was requested. Clones say the same.
#[derive(Clone, Default)]
pub struct ShutdownSignal(Arc<State>);

#[derive(Default)]
struct State {
    is_requested: AtomicBool,
    last_answers: AtomicUsize,
    waiting: watch::Sender<()>,
}

impl ShutdownSignal {
    /// Requests the stop.
    pub fn request(&self) {
        self.0.is_requested.store(true, Ordering::Relaxed);
        self.0.waiting.send_replace(());
    }

    /// Whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::Relaxed)
    }

    /// Waits until the stop is requested.
    pub async fn requested(&self) {
        let mut changed = self.0.waiting.subscribe();
        while !self.is_requested() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Counts an answer after which its connection is closed, because the stop was requested.
    pub fn count_last_answer(&self) {
        self.0.last_answers.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were closed with an answer since the stop was requested.
    pub fn last_answers(&self) -> usize {
        self.0.last_answers.load(Ordering::Relaxed)
    }
}

impl FromRequest for ShutdownSignal {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let shutdown = request.app_data::<Data<ShutdownSignal>>().map(|shutdown| shutdown.get_ref().clone());
        ready(shutdown.ok_or_else(|| Fault(Problem::internal("no shutdown signal in the request"))))
    }
}
