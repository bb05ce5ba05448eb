//! The API for services: introspection (RFC 7662), forward authentication, token exchange (RFC 8693), feed of
//! revocations, inbox, enrolment and manifest.

mod credentials;
mod forward_auth;
mod inbox;
mod introspect;
mod own;
mod revocations;
mod token;
mod write;

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use utoipa::{IntoResponses, OpenApi};

use super::callers::{Caller, Callers};
use crate::base::{self, Problem};
use crate::http::schema::ProblemDocument;
use crate::http::{Fault, Field, RequestId};

pub use credentials::caller_in_headers;
pub use forward_auth::{forward_auth, forward_auth_without_session};
pub use inbox::{AckHandlers, acknowledge, inbox};
pub use introspect::{introspect, introspect_form};
pub use own::{enrol, own, put_own};
pub use revocations::revocations;
pub use token::token;
pub use write::{ServiceWrite, Written};

/// The description of the operations in this folder.
#[derive(OpenApi)]
#[openapi(paths(
    forward_auth::forward_auth,
    inbox::inbox,
    inbox::acknowledge,
    introspect::introspect,
    own::enrol,
    own::own,
    own::put_own,
    revocations::revocations,
    token::token
))]
pub struct Description;

/// What the addresses for connected services answer to other callers, and to services that lack the scope.
#[derive(IntoResponses)]
pub enum ServiceRefusals {
    /// The request does not have the credential of a connected service.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemDocument<'static>),
    /// The service does not have the scope that this needs.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument<'static>),
}

impl FromRequest for Caller {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller_of(request))
    }
}

fn caller_of(request: &HttpRequest) -> Result<Caller, Fault> {
    let callers = request.app_data::<Data<Callers>>().ok_or_else(|| Problem::internal("no callers in the request"))?;
    let caller = caller_in_headers(callers, request.headers())?.ok_or_else(credentials::no_service)?;
    Ok(Caller { request: RequestId::of(request), ..caller })
}

/// The value of a field of the form. An empty one counts as not sent (RFC 6749 §3.2).
///
/// # Errors
/// 400 for a field that is sent twice.
fn sole_field<'f>(fields: &'f [Field<'_>], name: &'static str) -> Result<Option<&'f str>, Problem> {
    let mut sent = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
    match (sent.next(), sent.next()) {
        (Some(_), Some(_)) => {
            Err(Problem::field(name, "invalid_request", format!("The form has {name} twice. Send it once.")))
        }
        (first, _) => Ok(first.map(|(_, value)| value.trim())),
    }
}

/// A number in the query. An empty text is 0.
///
/// # Errors
/// 400 for another text, and for a number above `most`.
fn parse_number(name: &'static str, text: &str, most: u64) -> Result<u64, Problem> {
    if text.is_empty() {
        return Ok(0);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= most).ok_or_else(|| {
        Problem::field(name, "invalid_request", format!("{name} has to be a whole number from 0 to {most}."))
    })
}

/// Parses the address from which a key was used, as the service sent it.
fn read_address(text: &str) -> Result<IpAddr, Problem> {
    base::parse_address(text).ok_or_else(|| {
        Problem::field("ip", "ip_invalid", "The field ip is not an IP address. Send one, or leave it out.")
    })
}
