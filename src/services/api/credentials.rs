//! How a service says who it is: with a bearer credential, HTTP Basic, or in the form (RFC 6749 §2.3.1).

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::callers::{Caller, Callers};
use crate::base::Problem;
use crate::http::{Field, decode_form_part, sole_header, strip_scheme};

/// The code for a request that does not prove to be from a connected service.
pub(super) const NO_SERVICE: &str = "invalid_service";

/// The problem of a request without a good credential of a service.
pub(super) fn no_service() -> Problem {
    Problem::new(
        401,
        NO_SERVICE,
        "The credential of the service is missing, wrong or revoked. Send it as \"Authorization: Bearer dos_…\", or ask the operator for a new one.",
    )
}

/// The service that `Authorization` authenticates. `None`: the header is missing.
///
/// # Errors
/// 401 for a header that is sent twice, or without the credential of a service.
pub fn caller_in_headers(callers: &Callers, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    let Some(header) = sole_header(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    if let Some(credential) = strip_scheme(header, "bearer ") {
        return callers.find(credential)?.ok_or_else(no_service).map(Some);
    }
    // HTTP Basic (RFC 7617): the service's name or id, and its credential. Apache and Kong send both as they are, OAuth
    // clients encode both as in a form (RFC 6749 §2.3.1); a name and a credential are the same either way.
    let pair = strip_scheme(header, "basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    let (name, credential) = pair.split_once(':').ok_or_else(no_service)?;
    let decoded = |text| decode_form_part(text).ok_or_else(no_service);
    named_caller(callers, &decoded(name)?, &decoded(credential)?).map(Some)
}

/// The service that the form authenticates with `client_id` and `client_secret`; otherwise the one of the headers. `None`:
/// neither has a credential.
///
/// # Errors
/// 401 for a wrong credential, and for a `client_id` that is not the one of the credential. 400 for two good ones, because a
/// request must use one method (RFC 6749 §2.3).
pub(super) fn caller_in_form(
    callers: &Callers,
    in_headers: Option<Caller>,
    fields: &[Field<'_>],
) -> Result<Option<Caller>, Problem> {
    let sent = |name: &str| {
        let mut values = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(no_service()),
            (first, None) => Ok(first.map(|(_, value)| value.trim())),
        }
    };
    // Proofs that this server cannot check are not taken for none.
    if sent("client_assertion")?.is_some() {
        return Err(no_service());
    }
    let in_form = match (sent("client_id")?, sent("client_secret")?) {
        (Some(name), Some(secret)) => Some(named_caller(callers, name, secret)?),
        (None, Some(secret)) => Some(callers.find(secret)?.ok_or_else(no_service)?),
        (Some(name), None) => {
            if in_headers.as_ref().is_some_and(|caller| !caller.service.is_named(name)) {
                return Err(no_service());
            }
            None
        }
        (None, None) => None,
    };
    match (in_headers, in_form) {
        (Some(_), Some(_)) => {
            let sentence =
                "The credential of the service is in the Authorization header and in the form. Send it once.";
            Err(Problem::new(400, "invalid_request", sentence))
        }
        (in_headers, in_form) => Ok(in_headers.or(in_form)),
    }
}

fn named_caller(callers: &Callers, name: &str, credential: &str) -> Result<Caller, Problem> {
    let caller = callers.find(credential.trim())?.ok_or_else(no_service)?;
    if caller.service.is_named(name) { Ok(caller) } else { Err(no_service()) }
}
