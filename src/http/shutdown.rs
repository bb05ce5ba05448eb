//! Whether the server is about to stop: long-polling handlers answer at once then.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use tokio::sync::watch;

use super::Fault;
use crate::base::Problem;

/// Says whether a stop of the server was requested.
#[derive(Clone)]
pub struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    /// A signal that follows `requested`.
    pub fn subscribe(requested: &watch::Sender<bool>) -> Self {
        Self(requested.subscribe())
    }

    /// Whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
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
