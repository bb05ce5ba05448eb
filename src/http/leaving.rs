//! Whether the server is about to stop: answers that wait for something stop waiting then.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use tokio::sync::watch;

use super::Fault;
use crate::base::Problem;

/// Told once that the server stops.
#[derive(Clone)]
pub struct Leaving(watch::Receiver<bool>);

impl Leaving {
    /// Follows what `told` says.
    pub fn following(told: &watch::Sender<bool>) -> Self {
        Self(told.subscribe())
    }

    /// Whether the server stops.
    pub fn is_now(&self) -> bool {
        *self.0.borrow()
    }
}

impl FromRequest for Leaving {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let leaving = request.app_data::<Data<Leaving>>().map(|leaving| leaving.get_ref().clone());
        ready(leaving.ok_or_else(|| Fault(Problem::ours("nobody says when the server stops"))))
    }
}
