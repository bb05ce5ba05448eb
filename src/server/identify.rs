//! Who stands at the door: the visitor's address after trusted proxies, and the person behind the cookie.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};

use super::front::Reader;
use crate::app::App;
use crate::base::{Chance, Visitor, Zone};
use crate::crypto::tokens;
use crate::http::{Face, Identity, SESSION, VisitorOf, csrf};
use crate::{factors, sessions};

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
                mark_person(app, request, cookie.value(), reader).await;
            }
            return;
        }
    }
    request.extensions_mut().insert(VisitorOf(visitor_of(app, request)));
    match request.cookie(SESSION) {
        Some(cookie) => mark_person(app, request, cookie.value(), reader).await,
        None if request.method() == Method::GET && request.cookie(csrf::VISIT).is_none() => {
            let token = tokens::random_token(&mut Chance::system());
            request.extensions_mut().insert(csrf::NewVisit(token.expose().clone()));
        }
        None => {}
    }
}

async fn mark_person(app: &Arc<App>, request: &ServiceRequest, token: &str, reader: Reader) {
    let found = app.glance(|view| {
        let Some(current) = sessions::current(view, token)? else { return Ok(None) };
        let owes_factor = factors::is_owed(view, current.account)?;
        Ok(Some((current, owes_factor)))
    });
    let (current, owes_factor) = match found {
        // Behind a gateway there is no page where the factor could be set up.
        Ok(Some((_, true))) if reader == Reader::Gateway => return,
        Ok(Some(found)) => found,
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
        proved_at: current.proved_at,
        owes_factor,
        face: Face { picture: current.picture, colour: current.colour },
        theme: current.theme,
        language: current.language,
        zone: Zone::of(&current.time_zone),
    });
}

fn visitor_of(app: &App, request: &ServiceRequest) -> Visitor {
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let listen = &app.config().listen;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let forwarded = forwarded_for(request.headers());
    let address = peer.map(|peer| {
        first_untrusted(peer, &forwarded, |hop| listen.trusted_proxies.iter().any(|network| network.contains(&hop)))
    });
    Visitor { address: address.map(|address| address.to_string()).unwrap_or_default(), agent: agent.to_owned() }
}

/// All of `X-Forwarded-For`. Several lines are one list in their order (RFC 9110 §5.3): a proxy may add its own line below
/// the visitor's instead of lengthening it.
fn forwarded_for(headers: &HeaderMap) -> String {
    let lines = headers.get_all("x-forwarded-for").map(|line| String::from_utf8_lossy(line.as_bytes()));
    lines.collect::<Vec<_>>().join(",")
}

/// Walks from the connection outward, from the right of `X-Forwarded-For`, past every hop that is trusted: the first one
/// that is not is the visitor. What a visitor wrote further left is never believed. An IPv4 address mapped into IPv6, as a
/// socket of both families tells it (RFC 4291 §2.5.5.2), is taken as what it is.
fn first_untrusted(peer: IpAddr, forwarded: &str, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer.to_canonical();
    let mut hops = forwarded.rsplit(',').map(str::trim);
    while is_trusted(address) {
        match hops.next().and_then(|hop| hop.parse::<IpAddr>().ok()) {
            Some(hop) => address = hop.to_canonical(),
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
        assert_eq!(of("::ffff:10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2"), "203.0.113.9");
        assert_eq!(of("::ffff:198.51.100.1", "203.0.113.9"), "198.51.100.1");
        assert_eq!(of("10.0.0.1", "::ffff:203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn several_lines_are_one_list_and_the_last_hop_is_the_proxys() {
        let lines = |lines: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let name = header::HeaderName::from_static("x-forwarded-for");
                headers.append(name, header::HeaderValue::from_bytes(line).unwrap());
            }
            let peer = "10.0.0.1".parse().unwrap();
            first_untrusted(peer, &forwarded_for(&headers), |hop| hop.to_string().starts_with("10.")).to_string()
        };

        // The visitor's own line comes first, the proxy's second.
        assert_eq!(lines(&[b"6.6.6.6", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(lines(&[b"6.6.6.6, 10.0.0.7", b"203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(lines(&[b"\xff", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(lines(&[b"\xff, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(lines(&[]), "10.0.0.1");
    }
}
