//! Who stands at the door: the visitor's address after trusted proxies, and the person behind the cookie.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header;

use super::front::{EXCHANGE_PATH, EXPOSURES_PATH, Reader};
use crate::app::App;
use crate::base::{Chance, Visitor, Zone};
use crate::crypto::tokens;
use crate::http::{Face, Identity, SESSION, VisitorOf, csrf, visitor_at};
use crate::{factors, sessions};

/// Notes visitor and person in the request, for extractors, as far as whoever reads the path needs them.
pub(super) async fn mark(app: &Arc<App>, request: &ServiceRequest, reader: Reader) {
    match reader {
        Reader::Page => {}
        Reader::KeyHolder => {
            request.extensions_mut().insert(VisitorOf(visitor_of(app, request)));
            return;
        }
        Reader::Service => {
            // Where strangers are counted by where they come from, and where a key's own program stands at the door.
            if [EXPOSURES_PATH, EXCHANGE_PATH].contains(&request.path()) {
                request.extensions_mut().insert(VisitorOf(visitor_of(app, request)));
            }
            return;
        }
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
    let address = peer.map(|peer| {
        visitor_at(peer, request.headers(), |hop| listen.trusted_proxies.iter().any(|network| network.contains(&hop)))
    });
    Visitor { address: address.map(|address| address.to_string()).unwrap_or_default(), agent: agent.to_owned() }
}
