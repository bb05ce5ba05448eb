//! Credentials in headers, read by one rule at every entry point.

use actix_web::http::header::{self, HeaderMap, HeaderName};

use crate::base::Problem;

/// A header with a credential occurs more than once. It is unclear which one counts: a proxy in front may have checked
/// another one than this server would (RFC 9110 §5.3 forbids to send it twice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatedCredential;

impl RepeatedCredential {
    /// The code, for programs and gateways.
    pub const CODE: &'static str = "repeated_credential";
}

impl From<RepeatedCredential> for Problem {
    fn from(_: RepeatedCredential) -> Self {
        let sentence = "The request has more than one credential, so it is unclear which one counts. Send one.";
        Self::new(401, RepeatedCredential::CODE, sentence)
    }
}

/// The value of a header that may occur once. `None`: the header is missing. A value that is not text is empty, because no
/// credential is.
///
/// # Errors
/// [`RepeatedCredential`].
pub fn sole_header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, RepeatedCredential> {
    let mut sent = headers.get_all(name);
    match (sent.next(), sent.next()) {
        (_, Some(_)) => Err(RepeatedCredential),
        (first, None) => Ok(first.map(|value| value.to_str().unwrap_or_default().trim())),
    }
}

/// The bearer credential of the request (RFC 6750 §2.1). `None`: it has none.
///
/// # Errors
/// [`RepeatedCredential`].
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, RepeatedCredential> {
    Ok(sole_header(headers, &header::AUTHORIZATION)?.and_then(|value| strip_scheme(value, "bearer ")))
}

/// The credential after its scheme, whatever the case of the scheme (RFC 9110 §11.1).
pub fn strip_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (found, rest) = header.split_at_checked(scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_credential_that_is_sent_twice_does_not_count() {
        let with = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            }
            bearer(&headers).map(|found| found.map(str::to_owned))
        };

        assert_eq!(with(&[]), Ok(None));
        assert_eq!(with(&[b"BEARER  dok_1 "]), Ok(Some("dok_1".into())));
        assert_eq!(with(&[b"Basic eDp5"]), Ok(None));
        assert_eq!(with(&[b"Bearer \xe9"]), Ok(None));
        assert_eq!(with(&[b"Bearer dok_1", b"Bearer dok_1"]), Err(RepeatedCredential));
        assert_eq!(with(&[b"Bearer dok_1", b""]), Err(RepeatedCredential));
    }
}
