//! Who stands at the door: the visitor's address after trusted proxies, and the person behind the cookie.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header;

use super::front::{EXCHANGE_PATH, EXPOSURES_PATH, Reader};
use crate::app::App;
use crate::base::{Actor, Rng, Visitor, Zone};
use crate::crypto::tokens;
use crate::http::{DEVICE, Face, Identity, Renewed, SESSION, SessionLeft, SignedOut, VisitorOf, csrf, visitor_at};
use crate::sessions::{Current, End, Shown};
use crate::{factors, sessions};

/// Whether [`mark`] has nothing to do: most services and gateways, for every request of theirs.
fn is_nobody_to_mark(request: &ServiceRequest, reader: Reader) -> bool {
    match reader {
        Reader::Page | Reader::KeyHolder => false,
        // Where strangers are counted by where they come from, and where a key's own program stands at the door.
        Reader::Service => ![EXPOSURES_PATH, EXCHANGE_PATH].contains(&request.match_info().as_str()),
        // A gateway asks for every request behind it, mostly about a key: then there is nobody to look for.
        Reader::Gateway => !request.headers().contains_key(header::COOKIE),
    }
}

/// Notes visitor and person in the request, for extractors, as far as whoever reads the path needs them.
pub(super) async fn mark(app: &Arc<App>, request: &ServiceRequest, reader: Reader) {
    if is_nobody_to_mark(request, reader) {
        return;
    }
    match reader {
        Reader::Page => {}
        Reader::KeyHolder | Reader::Service => {
            let visitor = visitor_of(app, request);
            request.extensions_mut().insert(VisitorOf(visitor));
            return;
        }
        Reader::Gateway => {
            if let Some(cookie) = request.cookie(SESSION) {
                // A gateway keeps no cookie for anybody, so this is no time for a new one.
                let _ = mark_person(app, request, cookie.value(), reader).await;
            }
            return;
        }
    }
    let visitor = visitor_of(app, request);
    request.extensions_mut().insert(VisitorOf(visitor.clone()));
    match request.cookie(SESSION) {
        Some(cookie) => {
            if let Some(current) = mark_person(app, request, cookie.value(), reader).await {
                let session = Some((current.account, current.id));
                request.extensions_mut().insert(VisitorOf(Visitor { session, ..visitor }));
                rotate(app, request, &current, cookie.value()).await;
            }
        }
        None if request.method() == Method::GET && request.cookie(csrf::VISIT).is_none() => {
            let token = tokens::random_token(&mut Rng::system());
            request.extensions_mut().insert(csrf::NewVisit(token.expose().clone()));
        }
        None => {}
    }
}

/// The script of a page asks here how long the session still lives; asking must not make it longer.
const QUIET: &str = "/session/left";

/// Notes the person behind a cookie. Answers their session, where it is in use.
async fn mark_person(app: &Arc<App>, request: &ServiceRequest, token: &str, reader: Reader) -> Option<Current> {
    let found = app.query_inline(|view| {
        let shown = sessions::show(view, token)?;
        let owes_factor = match &shown {
            Shown::Live(current) => factors::is_owed(view, current.account, current.is_operator)?,
            Shown::Over(_) | Shown::Copied(..) | Shown::Unknown => false,
        };
        Ok((shown, owes_factor))
    });
    let (mut current, owes_factor) = match found {
        // Behind a gateway there is no page where the factor could be set up.
        Ok((Shown::Live(_), true)) if reader == Reader::Gateway => return None,
        Ok((Shown::Live(current), owes_factor)) => (*current, owes_factor),
        Ok((Shown::Over(end), _)) => {
            let said = if end == End::Idle { "ended-idle" } else { "ended-age" };
            request.extensions_mut().insert(SignedOut(said));
            return None;
        }
        Ok((Shown::Copied(session, account), _)) => {
            let actor = Actor::Anonymous(visitor_of(app, request));
            if let Err(error) = app.write(move |tx| sessions::end_copied(tx, &actor, account, session)).await {
                tracing::error!(%error, "A session whose cookie was copied could not be ended; its old cookie opens nothing.");
            }
            request.extensions_mut().insert(SignedOut("ended"));
            return None;
        }
        Ok((Shown::Unknown, _)) => {
            request.extensions_mut().insert(SignedOut("ended"));
            return None;
        }
        Err(error) => {
            tracing::error!(%error, "A session could not be looked up; its request is treated as a stranger's.");
            return None;
        }
    };
    let now = app.now();
    if request.path() != QUIET && current.needs_touch(now) {
        let id = current.id;
        match app.write(move |tx| sessions::touch(tx, id)).await {
            Ok(()) => current.last_seen_at = now,
            Err(error) => tracing::warn!(%error, "A session's last sight could not be noted."),
        }
    }
    let left = current.left(now);
    request.extensions_mut().insert(Identity {
        account: current.account,
        workspace: current.workspace,
        session: current.id,
        username: current.username.clone(),
        display_name: current.display_name.clone(),
        proved_at: current.proved_at,
        left: SessionLeft { seconds: left.seconds, is_final: left.is_final },
        owes_factor,
        face: Face { picture: current.picture.clone(), colour: current.colour.clone() },
        theme: current.theme.clone(),
        language: current.language.clone(),
        zone: Zone::new(&current.time_zone),
    });
    Some(current)
}

/// Gives a session whose cookie is a day old a new one, with a page that its person looks at. Not with a form: the page it
/// came from may be sent once more, and its token hangs on the cookie.
async fn rotate(app: &Arc<App>, request: &ServiceRequest, current: &Current, shown: &str) {
    let is_look = request.method() == Method::GET && request.path() != QUIET;
    if !is_look || !current.needs_rotation(app.now()) {
        return;
    }
    let (id, shown) = (current.id, shown.to_owned());
    match app.write(move |tx| sessions::rotate(tx, id, &shown)).await {
        Ok(Some(renewed)) => {
            request.extensions_mut().insert(Renewed { token: renewed.token, keep: renewed.keep });
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "A session's cookie could not be renewed; it is tried again."),
    }
}

fn visitor_of(app: &App, request: &ServiceRequest) -> Visitor {
    // Before anything of the request is borrowed: the first who asks for cookies has them parsed into its extensions.
    let device = request.cookie(DEVICE).and_then(|cookie| sessions::read_device(app.keyring(), cookie.value()));
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let listen = &app.config().listen;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let address = peer.map(|peer| {
        visitor_at(peer, request.headers(), |hop| listen.trusted_proxies.iter().any(|network| network.contains(&hop)))
    });
    Visitor {
        address: address.map(|address| address.to_string()).unwrap_or_default(),
        agent: agent.to_owned(),
        device,
        session: None,
    }
}
