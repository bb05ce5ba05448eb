//! `/admin/services`: the services that are connected to this site.

mod actions;
mod detail;
mod grant;
mod list;
mod secrets;
mod webhook;
mod webhook_card;

pub use actions::{change, confirm_disconnect, confirm_rotate, disconnect, rotate};
pub use detail::detail;
pub use list::{create, list};
pub use webhook::{enrol_code, ping, rotate_webhook_secret, set_webhook};

use super::Tag;
use crate::base::{Problem, ServiceId};
use crate::services::{Service, ServiceCredential, ServiceError};

const PATH: &str = "/admin/services";

/// The id in a path, as the operations take it.
fn parse_id(path: &str) -> Result<ServiceId, Problem> {
    ServiceId::parse(path).ok_or_else(Problem::not_found)
}

/// A service that is not there is answered like a path that does not exist.
fn to_problem(error: ServiceError) -> Problem {
    match error {
        ServiceError::NotFound => Problem::not_found(),
        other => other.into(),
    }
}

/// How a service is doing, by what is stored about it.
fn service_tag(service: &Service, valid_credentials: usize) -> Tag {
    match (service.disconnected_at, valid_credentials) {
        (Some(_), _) => Tag { word: "Disconnected", colour: "" },
        (None, 0) => Tag { word: "No valid credential", colour: "warn" },
        (None, _) => Tag { word: "Connected", colour: "ok" },
    }
}

fn credential_tag(credential: &ServiceCredential, now: crate::base::Timestamp) -> Tag {
    match credential.state(now) {
        "active" => Tag { word: "Active", colour: "ok" },
        "retiring" => Tag { word: "Retiring", colour: "warn" },
        "replaced" => Tag { word: "Replaced", colour: "" },
        _ => Tag { word: "Revoked", colour: "" },
    }
}
