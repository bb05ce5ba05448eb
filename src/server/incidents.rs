//! Security events that no operation records, because nothing was changed: forged forms, people who must wait, keys that are
//! refused again and again.

use std::sync::atomic::Ordering;

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header;

use super::route::ClientKind;
use crate::app::{App, NetworkQuota};
use crate::base::{Problem, SecurityEvent, Visitor};
use crate::http::{VisitorOf, client_address};

/// Refused keys of one network a minute that may be a program with an old key.
const KEYS_REFUSED: NetworkQuota = NetworkQuota { name: "keys refused", per_minute: 20 };
/// Events of one network a minute that are logged. More say nothing new.
const LOGGED: NetworkQuota = NetworkQuota { name: "incidents logged", per_minute: 30 };

/// Notes that a request was refused, if the reason is about security.
pub(super) fn note_refusal(app: &App, request: &HttpRequest, client: ClientKind, problem: &Problem) {
    match problem.code {
        "cross_site" | "csrf" => note(app, "form.refused", &visitor(request), problem.code),
        _ if problem.status == 401 && client == ClientKind::KeyHolder => {
            note_refused_key(app, request.head(), &visitor(request));
        }
        _ => {}
    }
}

/// Notes that a person must wait because of wrong proofs, or of too many requests.
pub(super) fn note_throttled(app: &App, request: &HttpRequest) {
    app.metrics().throttled.fetch_add(1, Ordering::Relaxed);
    note(app, "auth.throttled", &visitor(request), "too_many_tries");
}

/// Notes that a gateway was told that a key is refused. Its client counts, not the gateway.
pub(super) fn note_refused_by_gateway(app: &App, head: &RequestHead, request: String) {
    let Some(peer) = head.peer_addr else { return };
    let proxies = [&app.config().listen.trusted_proxies, &app.config().forward_auth.allow];
    let is_trusted = |hop| proxies.iter().any(|known| known.iter().any(|network| network.contains(&hop)));
    let address = client_address(peer.ip(), head.headers(), is_trusted).unwrap_or(peer.ip()).to_string();
    note_refused_key(app, head, &Visitor { address, request, ..Visitor::default() });
}

/// Only keys are counted: a request without one comes from a person who is not signed in.
fn note_refused_key(app: &App, head: &RequestHead, visitor: &Visitor) {
    let has_key = head.headers().contains_key(header::AUTHORIZATION) || head.headers().contains_key("x-api-key");
    if has_key && app.admit(KEYS_REFUSED, visitor).is_err() {
        note(app, "key.refused", visitor, "many_keys_refused");
    }
}

fn note(app: &App, name: &'static str, visitor: &Visitor, reason: &'static str) {
    if app.admit(LOGGED, visitor).is_ok() {
        let (visitor, request) = (visitor.address.clone(), visitor.request.clone());
        let (outcome, actor, account) = ("denied", "anonymous", String::new());
        let event = SecurityEvent { name, outcome, actor, visitor, account, reason, request };
        app.metrics().note_security(&event);
    }
}

fn visitor(request: &HttpRequest) -> Visitor {
    request.extensions().get::<VisitorOf>().map(|visitor| visitor.0.clone()).unwrap_or_default()
}
