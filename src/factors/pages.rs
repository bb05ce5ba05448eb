//! What the pages exchange with the script of passkeys.

use actix_web::HttpResponse;

use super::model::{Assertion, PasskeyChallenge};
use crate::http::{Form, json};

/// A challenge as JSON for the script: its ticket, and the options of `navigator.credentials`.
pub fn challenge_response(challenge: PasskeyChallenge) -> HttpResponse {
    let body = serde_json::json!({"ticket": challenge.ticket.expose(), "options": challenge.options});
    json::private(200, body.to_string())
}

/// The ticket of a challenge and the answer of the browser, which the script put into the form. `None`: there is no
/// answer.
pub fn assertion_from(form: &Form) -> Option<Assertion> {
    let (ticket, credential) = (form.text("ticket").to_owned(), form.text("credential").to_owned());
    (!credential.is_empty()).then_some(Assertion { ticket, credential })
}
