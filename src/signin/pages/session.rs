//! What the script of a page asks about the session it is in.

use actix_web::HttpResponse;
use serde::Serialize;

use crate::base::Problem;
use crate::http::{Answer, Form, SignedIn, json};

#[derive(Serialize)]
struct Left {
    /// Whole seconds until the session ends, if nothing more is asked of it.
    seconds: u64,
    /// Whether asking something does not make it longer.
    r#final: bool,
}

/// `GET /session/left`: how long the session still lives. The one request that does not count as being there, so that a page
/// may ask as often as it likes and all tabs are told the same.
pub async fn session_left(who: SignedIn) -> Answer {
    let left = Left { seconds: who.identity.left.seconds, r#final: who.identity.left.is_final };
    Ok(json::private(200, serde_json::to_string(&left).map_err(Problem::ours)?))
}

/// `POST /session/stay`: somebody is there. Like every other request it counts, and it does nothing else.
pub async fn stay(_who: SignedIn, _form: Form) -> HttpResponse {
    HttpResponse::NoContent().finish()
}
