//! Who stands at the door: the visitor's address after trusted proxies, and the person behind the cookie.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, header};

use super::front::Reader;
use crate::app::App;
use crate::base::{Chance, Visitor};
use crate::crypto::tokens;
use crate::http::{Identity, SESSION, VisitorOf, csrf};
use crate::sessions;

/// Notes visitor and person in the request, for extractors, as far as whoever reads the path needs them.
pub(super) async fn mark(app: &Arc<App>, request: &ServiceRequest, reader: Reader) {
    match reader {
        Reader::Page => {}
        Reader::KeyHolder => {
            request.extensions_mut().insert(VisitorOf(visitor_of(app, request)));
            return;
        }
        Reader::Service => return,
        // A gateway asks for every request behind it, mostly about a key: then there is nobody to look for.
        Reader::Gateway => {
            // Parsing cookies keeps a list in the request, even of none.
            let has_cookies = request.headers().contains_key(header::COOKIE);
            if let Some(cookie) = has_cookies.then(|| request.cookie(SESSION)).flatten() {
                mark_person(app, request, cookie.value()).await;
            }
            return;
        }
    }
    request.extensions_mut().insert(VisitorOf(visitor_of(app, request)));
    match request.cookie(SESSION) {
        Some(cookie) => mark_person(app, request, cookie.value()).await,
        None if request.method() == Method::GET && request.cookie(csrf::VISIT).is_none() => {
            let token = tokens::random_token(&mut Chance::system());
            request.extensions_mut().insert(csrf::NewVisit(token.expose().clone()));
        }
        None => {}
    }
}

async fn mark_person(app: &Arc<App>, request: &ServiceRequest, token: &str) {
    let current = match app.glance(|view| sessions::current(view, token)) {
        Ok(Some(current)) => current,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "A session could not be looked up; its request is treated as a stranger's.");
            return;
        }
    };
    if current.needs_touch(app.now()) {
        let id = current.id;
        if let Err(error) = app.write(move |tx| sessions::touch(tx, id)).await {
            tracing::warn!(%error, "A session's last sight could not be noted.");
        }
    }
    request.extensions_mut().insert(Identity {
        account: current.account,
        workspace: current.workspace,
        session: current.id,
        username: current.username,
        display_name: current.display_name,
    });
}

fn visitor_of(app: &App, request: &ServiceRequest) -> Visitor {
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let listen = &app.config().listen;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let forwarded = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = peer.map(|peer| {
        first_untrusted(peer, forwarded, |hop| listen.trusted_proxies.iter().any(|network| network.contains(&hop)))
    });
    Visitor { address: address.map(|address| address.to_string()).unwrap_or_default(), agent: agent.to_owned() }
}

/// Walks from the connection outward, from the right of `X-Forwarded-For`, past every hop that is trusted: the first one
/// that is not is the visitor. What a visitor wrote further left is never believed.
fn first_untrusted(peer: IpAddr, forwarded: &str, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer;
    let mut hops = forwarded.rsplit(',').map(str::trim);
    while is_trusted(address) {
        match hops.next().and_then(|hop| hop.parse().ok()) {
            Some(hop) => address = hop,
            None => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_hops_are_walked_past() {
        let trusted = |hop: IpAddr| hop.to_string().starts_with("10.");
        let of = |peer: &str, forwarded: &str| first_untrusted(peer.parse().unwrap(), forwarded, trusted).to_string();

        assert_eq!(of("10.0.0.1", "6.6.6.6, 203.0.113.9"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", "203.0.113.9, 10.0.0.2"), "203.0.113.9");
        assert_eq!(of("198.51.100.1", "203.0.113.9"), "198.51.100.1");
        assert_eq!(of("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(of("10.0.0.1", ""), "10.0.0.1");
    }
}
