//! The API for services: introspection (RFC 7662), forward authentication, token exchange (RFC 8693), feed of
//! revocations.

mod forward_auth;
mod introspect;
mod revocations;
mod token;

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use utoipa::{IntoResponses, OpenApi};

use super::callers::{Caller, Callers};
use crate::base::Problem;
use crate::http::Fault;
use crate::http::schema::ProblemDocument;

pub use forward_auth::{forward_auth, forward_auth_without_session};
pub use introspect::{introspect, introspect_form};
pub use revocations::revocations;
pub use token::token;

/// The description of the operations in this folder.
#[derive(OpenApi)]
#[openapi(paths(forward_auth::forward_auth, introspect::introspect, revocations::revocations, token::token))]
pub struct Description;

/// What the addresses for connected services answer to other callers.
#[derive(IntoResponses)]
#[response(
    status = 401,
    description = "The request does not have the credential of a connected service.",
    content_type = "application/problem+json"
)]
pub struct ServiceRefusal(#[expect(dead_code, reason = "only describes")] ProblemDocument<'static>);

impl FromRequest for Caller {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller_of(request))
    }
}

fn caller_of(request: &HttpRequest) -> Result<Caller, Fault> {
    let callers = request.app_data::<Data<Callers>>().ok_or_else(|| Problem::internal("no callers in the request"))?;
    require_caller(callers, request.headers())
}

/// The service that the request's `Authorization` proves.
///
/// # Errors
/// 401 `invalid_service`.
pub fn require_caller(callers: &Callers, headers: &HeaderMap) -> Result<Caller, Fault> {
    let refused = || Fault(Problem::new(401, "invalid_service", "This needs the credential of a connected service."));
    find_caller(callers, headers)?.ok_or_else(refused)
}

/// The service that `Authorization` authenticates. `None`: the header is missing or not good.
fn find_caller(callers: &Callers, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    // A request with two of them is refused, because it is unclear which one counts.
    let mut sent = headers.get_all(header::AUTHORIZATION);
    let (Some(header), None) = (sent.next().and_then(|value| value.to_str().ok()), sent.next()) else {
        return Ok(None);
    };
    if let Some(credential) = strip_scheme(header, "bearer ") {
        return Ok(callers.find(credential)?);
    }
    // HTTP Basic (RFC 7617): the service's name or id, and its credential, as Apache and Kong send them.
    let pair = strip_scheme(header, "basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    let Some((name, credential)) = pair.split_once(':') else { return Ok(None) };
    let caller = callers.find(credential)?;
    Ok(caller.filter(|caller| name == caller.0.name || name == caller.0.id.to_string()))
}

/// Parses the address from which a key was used, as the service sent it.
fn read_address(text: &str) -> Result<IpAddr, Problem> {
    let invalid =
        || Problem::field("ip", "ip_invalid", "The field ip is not an IP address. Send one, or leave it out.");
    text.parse().map_err(|_| invalid())
}

/// The credential after its scheme, whatever the case of the scheme (RFC 9110 §11.1).
fn strip_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (found, rest) = header.split_at_checked(scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
