//! Finds out who sends a request: the address behind trusted proxies, and the person whose session cookie it has.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header;

use super::pages::{READ_NOTICE, READ_NOTICE_PATH};
use super::route::{Access, ClientKind, Route};
use crate::app::App;
use crate::base::{Actor, Problem, RequestClass, Rng, Visitor, Warning, Zone};
use crate::crypto::tokens;
use crate::db::View;
use crate::http::diagnosis;
use crate::http::{
    Avatar, DEVICE, Dismissal, EntryRefused, Identity, RenewedCookie, RequestId, SESSION, SessionTimeLeft,
    SignOutNotice, StandingNotice, StandingNotices, UnreadableHop, VisitorOf, client_address, csrf,
};
use crate::sessions::{CookieState, CurrentSession, End};
use crate::signin::SigninFlash;
use crate::{db, factors, inbox, mail, restore, sessions};

/// Whether [`attach`] has nothing to do: true for most requests of services and gateways.
fn needs_no_identity(request: &ServiceRequest, client: ClientKind, route: Option<&Route>) -> bool {
    match client {
        ClientKind::Page | ClientKind::KeyHolder => false,
        ClientKind::Service => !route.is_some_and(|route| route.needs_visitor),
        // A gateway asks about every request it receives. Most of them have a key and no cookie.
        ClientKind::Gateway => !request.headers().contains_key(header::COOKIE),
    }
}

/// Puts the visitor and the person into the request for the extractors, as far as requests of this kind need them.
///
/// # Errors
/// 400 `forwarded_unreadable` if a trusted proxy does not say where the request came from.
pub(super) async fn attach(
    app: &Arc<App>,
    request: &ServiceRequest,
    client: ClientKind,
    route: Option<&'static Route>,
) -> Result<(), Problem> {
    if needs_no_identity(request, client, route) {
        return Ok(());
    }
    match client {
        // A file that everybody gets in the same form: caches may keep it, so it must not come with a cookie.
        ClientKind::Page if route.is_some_and(|route| route.counted_as == Some(RequestClass::Asset)) => return Ok(()),
        ClientKind::Page => {
            if let Some(route) = route.filter(|route| matches!(route.access, Access::Public | Access::Pending)) {
                request.extensions_mut().insert(csrf::OpenForm { gives_way_unless: route.gives_way_unless });
            }
        }
        ClientKind::KeyHolder | ClientKind::Service => {
            let visitor = visitor_of(app, request)?;
            request.extensions_mut().insert(VisitorOf(visitor));
            return Ok(());
        }
        ClientKind::Gateway => {
            if let Some(cookie) = request.cookie(SESSION) {
                // A gateway does not pass cookies back to the browser, so the cookie is not rotated.
                let _ = attach_person(app, request, cookie.value(), client, route).await;
            }
            return Ok(());
        }
    }
    let visitor = visitor_of(app, request)?;
    request.extensions_mut().insert(VisitorOf(visitor.clone()));
    match request.cookie(SESSION) {
        Some(cookie) => {
            if let Some(current) = attach_person(app, request, cookie.value(), client, route).await {
                let session = Some((current.account, current.id));
                request.extensions_mut().insert(VisitorOf(Visitor { session, ..visitor }));
                rotate(app, request, &current, cookie.value(), route).await;
            }
        }
        None if request.method() == Method::GET && request.cookie(csrf::VISIT).is_none() => {
            let token = tokens::random_token(&mut Rng::system());
            request.extensions_mut().insert(csrf::NewVisit(token.expose().clone()));
        }
        None => {}
    }
    Ok(())
}

/// What operators see on every page: a restore, mail that waits, and what services have not done.
fn notices(view: &View<'_>, is_operator: bool, read: Option<&str>) -> Result<StandingNotices, db::Error> {
    let restored = restore::notice(view, is_operator, read)?.map(|restore::Notice { id, sentences }| StandingNotice {
        sentences,
        dismissal: Some(Dismissal { id, action: READ_NOTICE_PATH }),
    });
    let waiting = mail::notice(view, is_operator)?.map(|sentences| StandingNotice { sentences, dismissal: None });
    let overdue = inbox::notice(view, is_operator)?.map(|sentences| StandingNotice { sentences, dismissal: None });
    Ok(StandingNotices(restored.into_iter().chain(waiting).chain(overdue).collect()))
}

/// Whether the request counts as use of the session.
fn is_use(route: Option<&Route>) -> bool {
    route.is_none_or(|route| route.touches_session)
}

/// Puts the person of a session cookie into the request. Returns their session. `None`: the session is not live, or the
/// request may not use it.
async fn attach_person(
    app: &Arc<App>,
    request: &ServiceRequest,
    token: &str,
    client: ClientKind,
    route: Option<&Route>,
) -> Option<CurrentSession> {
    let read_notice = request.cookie(READ_NOTICE).map(|cookie| cookie.value().to_owned());
    // In one transaction: three statements then take the locks of the file once, which are system calls.
    let lookup = app.read_inline(|view| {
        let state = sessions::cookie_state(view, token)?;
        let must_enrol_factor = match &state {
            CookieState::Live(current) => factors::must_enrol(view, current.account, current.is_operator)?,
            CookieState::Ended(_) | CookieState::Reused(..) | CookieState::Unknown => false,
        };
        let notices = match &state {
            CookieState::Live(current) if client == ClientKind::Page => {
                notices(view, current.is_operator, read_notice.as_deref())?
            }
            _ => StandingNotices::default(),
        };
        Ok::<_, db::Error>((state, must_enrol_factor, notices))
    });
    let (mut current, must_enrol_factor, notices) = match lookup {
        // Behind a gateway there is no page to set up the missing factor.
        Ok((CookieState::Live(_), true, _)) if client == ClientKind::Gateway => return None,
        Ok((CookieState::Live(current), must_enrol_factor, notices)) => (*current, must_enrol_factor, notices),
        Ok((CookieState::Ended(end), ..)) => {
            let flash = match end {
                End::Idle => SigninFlash::EndedIdle,
                End::Age => SigninFlash::EndedAge,
            };
            request.extensions_mut().insert(SignOutNotice(flash.into()));
            return None;
        }
        Ok((CookieState::Reused(session, account), ..)) => {
            let actor = Actor::Anonymous(visitor_of(app, request).unwrap_or_default());
            if let Err(error) = app.write(move |tx| sessions::end_reused(tx, &actor, account, session)).await {
                tracing::error!(%error, "A session whose cookie was copied could not be ended. The old cookie is refused.");
            }
            request.extensions_mut().insert(SignOutNotice(SigninFlash::Ended.into()));
            return None;
        }
        Ok((CookieState::Unknown, ..)) => {
            request.extensions_mut().insert(SignOutNotice(SigninFlash::Ended.into()));
            return None;
        }
        Err(error) => {
            tracing::error!(%error, "A session could not be looked up. Its request is treated as anonymous.");
            return None;
        }
    };
    let now = app.now();
    if is_use(route) && current.needs_touch(now) {
        let id = current.id;
        match app.write(move |tx| sessions::touch(tx, id)).await {
            Ok(()) => current.last_seen_at = now,
            Err(error) => tracing::warn!(%error, "The time of the last request of a session could not be stored."),
        }
    }
    if must_enrol_factor && !route.is_some_and(|route| route.is_open_without_factor) {
        request.extensions_mut().insert(EntryRefused(factor_owed()));
    }
    let StandingNotices(mut notices) = notices;
    // The browser remembers only one that was read, so there is one at a time to dismiss.
    if current.is_operator && notices.iter().all(|notice| notice.dismissal.is_none()) {
        let mut warnings = app.readiness().warnings().into_iter();
        let unread = warnings.find(|warning| read_notice.as_deref() != Some(&warning.id));
        notices.extend(unread.map(|Warning { id, sentence }| StandingNotice {
            sentences: vec![sentence],
            dismissal: Some(Dismissal { id, action: READ_NOTICE_PATH }),
        }));
    }
    request.extensions_mut().insert(StandingNotices(notices));
    let remaining = current.remaining(now);
    request.extensions_mut().insert(Identity {
        account: current.account,
        workspace: current.workspace,
        session: current.id,
        username: current.username.clone(),
        display_name: current.display_name.clone(),
        proved_at: current.proved_at,
        left: SessionTimeLeft { seconds: remaining.seconds, is_final: remaining.is_final },
        must_enrol_factor,
        is_operator: current.is_operator,
        avatar: Avatar { picture: current.picture.clone(), colour: current.colour.clone() },
        theme: current.theme.clone(),
        language: current.language.clone(),
        zone: Zone::new(&current.time_zone),
    });
    Some(current)
}

/// The code of the problem that the middleware answers with the page to set up a factor.
pub(super) const FACTOR_OWED: &str = "factor_owed";

fn factor_owed() -> Problem {
    Problem::new(
        403,
        FACTOR_OWED,
        "You must set up a second factor before you can use this page. Go to Security and add one.",
    )
}

/// Gives a session a new cookie once a day, together with a page. Not with the response to a form: a browser may send
/// the page's form again, and its CSRF token is bound to the cookie.
async fn rotate(
    app: &Arc<App>,
    request: &ServiceRequest,
    current: &CurrentSession,
    cookie: &str,
    route: Option<&Route>,
) {
    let is_page_view = request.method() == Method::GET && is_use(route);
    if !is_page_view || !current.needs_rotation(app.now()) {
        return;
    }
    let (id, cookie) = (current.id, cookie.to_owned());
    match app.write(move |tx| sessions::rotate(tx, id, &cookie)).await {
        Ok(Some(renewed)) => {
            request.extensions_mut().insert(RenewedCookie { token: renewed.token, keep: renewed.keep });
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, "The cookie of a session could not be renewed. The next page tries again.")
        }
    }
}

fn visitor_of(app: &App, request: &ServiceRequest) -> Result<Visitor, Problem> {
    // Read before the extensions are borrowed: the first access to cookies stores the parsed cookies there.
    let device = request.cookie(DEVICE).and_then(|cookie| sessions::read_device(app.keyring(), cookie.value()));
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let listen = &app.config().listen;
    let peer = request.peer_addr().map(|peer| peer.ip());
    if let Some(peer) = peer {
        tell_untrusted_proxy(app, peer, request);
    }
    let is_trusted = |hop| listen.trusted_proxies.iter().any(|network| network.contains(&hop));
    let address = peer.map(|peer| client_address(peer, request.headers(), is_trusted).map_err(|hop| (peer, hop)));
    let address = address.transpose().map_err(|(peer, hop)| {
        tell_unreadable_hop(app, peer, &hop);
        Problem::from(hop)
    })?;
    Ok(Visitor {
        address: address.map(|address| address.to_string()).unwrap_or_default(),
        agent: agent.to_owned(),
        device,
        session: None,
        request: RequestId::of(request.request()),
    })
}

/// Says once that a trusted proxy does not say where requests come from.
fn tell_unreadable_hop(app: &App, peer: IpAddr, UnreadableHop(hop): &UnreadableHop) {
    let sentence = format!(
        "A proxy that is trusted does not say where a request comes from: behind {}, its X-Forwarded-For or Forwarded names {hop:?}, which is no IP address. Such requests are refused. Let the proxy send the address of the visitor; domicile doctor tests it.",
        peer.to_canonical()
    );
    // The first one is kept, whatever the next one names.
    let warning = Warning { id: "2".into(), sentence: sentence.clone() };
    if app.readiness().warnings().iter().all(|known| known.id != warning.id)
        && app.readiness().set_warning("unreadable hop", warning)
    {
        tracing::warn!("{sentence}");
    }
}

/// Says once that a proxy forwards requests whose visitors are not told apart, because it is not trusted. Only for a peer in
/// a private network: anybody else may send the header as well.
fn tell_untrusted_proxy(app: &App, peer: IpAddr, request: &ServiceRequest) {
    let peer = peer.to_canonical();
    let is_private = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local() || peer.is_unicast_link_local(),
    };
    let is_trusted = || app.config().listen.trusted_proxies.iter().any(|network| network.contains(&peer));
    // `domicile doctor` sends the header itself, to see what a proxy does to it.
    let is_doctor = || diagnosis::answer(request.request(), app.config(), app.keyring(), app.now()).is_some();
    if !is_private || !request.headers().contains_key("x-forwarded-for") || is_trusted() || is_doctor() {
        return;
    }
    let sentence = format!(
        "A proxy at {peer} forwards requests, but it is not in listen.trusted_proxies, so all visitors behind it count as one: many wrong passwords of one visitor would delay everybody. Add its address: trusted_proxies = [\"{peer}\"]"
    );
    // The id is the same for every proxy, so that an operator reads it once.
    let warning = Warning { id: "1".into(), sentence: sentence.clone() };
    if app.readiness().warnings().iter().all(|known| known.id != warning.id)
        && app.readiness().set_warning("untrusted proxy", warning)
    {
        tracing::warn!("{sentence}");
    }
}
