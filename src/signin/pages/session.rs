//! How long the session still lasts, for the script of the pages.

use actix_web::HttpResponse;
use serde::Serialize;

use crate::base::Problem;
use crate::http::{Answer, Form, SignedIn, json};

#[derive(Serialize)]
struct RemainingTime {
    /// Whole seconds until the session ends if no further request is made.
    seconds: u64,
    /// Whether a further request cannot extend the session.
    r#final: bool,
}

/// `GET /session/left`: how long the session still lasts. It is the only request that does not count as activity, so a
/// page may ask as often as it likes, and all tabs get the same answer.
pub async fn session_left(who: SignedIn) -> Answer {
    let remaining = RemainingTime { seconds: who.identity.left.seconds, r#final: who.identity.left.is_final };
    Ok(json::private(200, serde_json::to_string(&remaining).map_err(Problem::internal)?))
}

/// `POST /session/stay`: the person is still there. Like every other request it counts as activity; it does nothing
/// else.
pub async fn stay(_who: SignedIn, _form: Form) -> HttpResponse {
    HttpResponse::NoContent().finish()
}
