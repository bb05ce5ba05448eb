//! Forms: read completely, with limits, and only from pages of this site.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::{Fault, Identity, csrf};
use crate::app::App;
use crate::base::{Problem, Secret};

/// The maximum number of fields in a form.
const FIELDS_MAX: usize = 500;

/// The field with the path at which the person continues.
const NEXT: &str = "next";

/// The code of the problem that the middleware answers with the page of [`ContinueAt`].
pub const ALREADY_SIGNED_IN: &str = "already_signed_in";

/// Where a person continues who is signed in already: what the form named, which may be anything.
#[derive(Clone)]
pub struct ContinueAt(pub String);

/// The fields of a form that passed the CSRF checks. A handler that changes something has this parameter, so it cannot
/// forget the checks.
pub struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first value of a field. Empty: the form does not have the field.
    pub fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The first value of a field that holds a secret, such as a password.
    pub fn secret(&self, name: &str) -> Secret<String> {
        Secret::new(self.text(name).to_owned())
    }

    /// All values of a field, such as those of ticked checkboxes.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether the form has a field, which may be empty.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// Whether a checkbox is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Refuses a form that signs in, when its person has signed in with another window since they opened it: they continue
    /// with that session.
    fn give_way(&self, request: &HttpRequest) -> Result<(), Problem> {
        let unless = request.extensions().get::<csrf::OpenForm>().and_then(|open| open.gives_way_unless);
        let signs_in = unless.is_some_and(|fields| fields.iter().all(|field| self.text(field).is_empty()));
        let is_signed_in = request.extensions().get::<Identity>().is_some();
        if !(signs_in && is_signed_in && csrf::was_opened_before_sign_in(request)) {
            return Ok(());
        }
        request.extensions_mut().insert(ContinueAt(self.text(NEXT).to_owned()));
        Err(Problem::new(409, ALREADY_SIGNED_IN, "You have signed in with another window. Reload this page."))
    }
}

impl FromRequest for Form {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Fault>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let body = Bytes::from_request(&request, payload);
        Box::pin(async move {
            let app =
                request.app_data::<Data<Arc<App>>>().ok_or_else(|| Problem::internal("no app in the request"))?.clone();
            csrf::require_same_origin(&request, &app.config().public_url, app.config().demo)?;
            csrf::require_cookie(&request)?;
            let is_form = request
                .headers()
                .get(actix_web::http::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
            if !is_form {
                return Err(malformed("Its Content-Type must be application/x-www-form-urlencoded.").into());
            }
            let body = body.await.map_err(super::json::body_problem)?;
            let form = Self { fields: decode_owned(&body)? };
            csrf::check(&app, &request, form.text(csrf::FIELD))?;
            form.give_way(&request)?;
            Ok(form)
        })
    }
}

fn malformed(what: &str) -> Problem {
    Problem::new(400, "malformed_form", format!("The form could not be read. {what}"))
}

/// A field of a form: its name and its value, borrowed from the body if they needed no decoding.
pub type Field<'b> = (Cow<'b, str>, Cow<'b, str>);

/// Decodes `application/x-www-form-urlencoded` (WHATWG URL §5.1). Refuses what is not UTF-8 instead of guessing. Copies
/// only what is percent-encoded.
pub fn decode(body: &[u8]) -> Result<Vec<Field<'_>>, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("Send it as UTF-8."))?;
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let mut fields = Vec::new();
    for pair in pairs {
        if fields.len() >= FIELDS_MAX {
            return Err(malformed("It has too many fields."));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode_part(name), decode_part(value));
        let (Some(name), Some(value)) = (name, value) else {
            return Err(malformed("A field is not percent-encoded UTF-8."));
        };
        fields.push((name, value));
    }
    Ok(fields)
}

/// Like [`decode`], but the fields do not borrow from the body.
pub fn decode_owned(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    Ok(decode(body)?.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// Decodes one name or value of a form. `None`: it is not percent-encoded UTF-8.
pub fn decode_part(part: &str) -> Option<Cow<'_, str>> {
    if part.bytes().all(|byte| !matches!(byte, b'+' | b'%' | 0)) {
        return Some(Cow::Borrowed(part));
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut byte = [0u8; 1];
                hex::decode_to_slice(after.get(..2)?, &mut byte).ok()?;
                bytes.push(byte[0]);
                rest = &after[2..];
                continue;
            }
            other => bytes.push(*other),
        }
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_exactly_or_refused() {
        let fields = decode(b"a=1&b=x+y%20%C3%A9&a=2&c").unwrap();
        assert_eq!(fields[1], ("b".into(), "x y é".into()));
        assert_eq!(fields.len(), 4);

        for bad in [&b"a=%"[..], b"a=%zz", b"a=%ff", b"\xff=1", b"a=%00"] {
            assert_eq!(decode(bad).unwrap_err().code, "malformed_form");
        }
        assert!(decode("a=1&".repeat(501).as_bytes()).is_err());
    }
}
