//! Sessions from their start to their end.

use serde_json::json;

use super::super::events::SessionEvent;
use super::super::model::{
    CookieState, CurrentSession, DEVICE_LIFETIME, ENDED_RETENTION, NewSession, ROTATE_AFTER, ROTATED_GRACE,
    RenewedCookie, SESSIONS_MAX,
};
use super::super::store;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Secret, SessionId, Timestamp};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Rows that one cleanup deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;
/// Characters of a User-Agent that are kept.
const AGENT_MAX: usize = 256;

/// Starts a session and returns the cookie value, which is stored nowhere. Where the account would have more than
/// [`SESSIONS_MAX`] sessions, the least recently used one ends, so that the list shows all.
///
/// # Errors
/// [`Error`].
// No permission: the caller has checked every proof that the account needs.
pub fn start(tx: &mut Tx<'_>, actor: &Actor, new: &NewSession) -> Result<(SessionId, Secret<String>), Error> {
    let settings = &tx.site().config.session;
    let (idle, whole) = if new.remember {
        (settings.remember_for, settings.remember_for)
    } else {
        (settings.idle_timeout, settings.absolute_timeout)
    };
    let now = tx.now();
    let id = SessionId::new(now, tx.rng());
    let displaced = store::delete_beyond(tx, new.account, SESSIONS_MAX - 1)?;
    let token = tokens::random_token(tx.rng());
    let mut visitor = new.visitor.clone();
    visitor.agent = visitor.agent.chars().take(AGENT_MAX).collect();
    let row = store::Row {
        account: new.account,
        idle_seconds: i64::try_from(idle.as_secs()).unwrap_or(i64::MAX),
        ends_at: tx.now().plus(whole),
        visitor: &visitor,
        method: &new.method,
        remembered: new.remember,
    };
    store::insert(tx, id, &tokens::digest(token.expose()), &row)?;
    let event = Event::new(SessionEvent::Started).target(id).subject(new.account);
    audit::record(tx, actor, event.data(json!({"remembered": new.remember, "displaced": displaced})))?;
    Ok((id, token))
}

/// Gives the session a new cookie value and stores that its person just proved who they are. The old value is invalid
/// at once. A remembered session stays remembered. `None`: the session has ended.
///
/// # Errors
/// [`Error`].
pub fn renew(tx: &mut Tx<'_>, account: AccountId, session: SessionId) -> Result<Option<RenewedCookie>, Error> {
    let token = tokens::random_token(tx.rng());
    let renewed = store::update_proved(tx, account, session, &tokens::digest(token.expose()))?;
    Ok(renewed.map(|kept| renewed_cookie(tx, token, kept)))
}

fn renewed_cookie(view: &View<'_>, token: Secret<String>, (ends_at, remembered): (Timestamp, bool)) -> RenewedCookie {
    RenewedCookie { token, keep: remembered.then(|| ends_at.since(view.now())) }
}

/// Gives a session whose cookie value is a day old a new one. `presented`, the value of this request, stays valid for
/// a minute, for requests that are under way. `None`: another request was first.
///
/// # Errors
/// [`Error`].
pub fn rotate(tx: &mut Tx<'_>, session: SessionId, presented: &str) -> Result<Option<RenewedCookie>, Error> {
    let token = tokens::random_token(tx.rng());
    let old = tokens::digest(presented);
    let due = tx.now().minus(ROTATE_AFTER);
    let rotated = store::update_rotated(tx, session, &old, &tokens::digest(token.expose()), due)?;
    if rotated.is_some() {
        let until = tx.now().plus(ROTATED_GRACE);
        store::insert_rotated(tx, session, &old, until)?;
    }
    Ok(rotated.map(|kept| renewed_cookie(tx, token, kept)))
}

/// The session in use with this cookie value. `None`: there is none, or its account is not active.
///
/// # Errors
/// [`Error`].
pub fn current(view: &View<'_>, token: &str) -> Result<Option<CurrentSession>, Error> {
    Ok(match cookie_state(view, token)? {
        CookieState::Live(current) => Some(*current),
        CookieState::Ended(_) | CookieState::Reused(..) | CookieState::Unknown => None,
    })
}

/// What the cookie value stands for.
///
/// # Errors
/// [`Error`].
pub fn cookie_state(view: &View<'_>, token: &str) -> Result<CookieState, Error> {
    let digest = tokens::digest(token);
    if let Some(current) = store::find_current(view, &digest)? {
        return Ok(CookieState::Live(Box::new(current)));
    }
    if let Some(rotated) = store::find_rotated(view, &digest)? {
        if rotated.until <= view.now() {
            return Ok(CookieState::Reused(rotated.session, rotated.account));
        }
        let current = store::find_current(view, &rotated.newest)?;
        let live = |current| CookieState::Live(Box::new(CurrentSession { is_newest: false, ..current }));
        return Ok(current.map_or(CookieState::Unknown, live));
    }
    Ok(store::find_ended(view, &digest)?.map_or(CookieState::Unknown, CookieState::Ended))
}

/// Ends a session whose old cookie value was used after it was replaced: two parties have the cookie, and it is unknown
/// which of them is its person (domain 5.1.7).
///
/// # Errors
/// [`Error`].
// No permission: the sender of a copied cookie is not known; the session ends for both browsers.
pub fn end_reused(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, session: SessionId) -> Result<(), Error> {
    if store::delete(tx, account, session)? == 0 {
        return Ok(());
    }
    let event = Event::new(SessionEvent::ReuseDetected).outcome(Outcome::Denied).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"session": session.to_string()})))
}

/// Ends one session of the account. Ending it twice is the same as once.
///
/// # Errors
/// [`Error`].
// No permission: sign-out and the list of sessions name the account of their own session.
pub fn end(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, session: SessionId) -> Result<(), Error> {
    if store::delete(tx, account, session)? == 0 {
        return Ok(());
    }
    audit::record(tx, actor, Event::new(SessionEvent::Revoked).target(session).subject(account))
}

/// Ends a live session of the account. `false`: the account has no such session, or it has ended before.
///
/// # Errors
/// [`Error`].
// No permission: as for `end`.
pub fn end_live(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, session: SessionId) -> Result<bool, Error> {
    let is_live = store::list(tx, account)?.iter().any(|known| known.id == session);
    end(tx, actor, account, session)?;
    Ok(is_live)
}

/// Ends every session of the account except `except`, which stays so that its page can confirm the change. Returns how
/// many. Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
// No permission: a reset, a suspension or a reported sign-in ends them; the caller has checked its link or actor.
pub fn end_all(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, except: Option<SessionId>) -> Result<usize, Error> {
    let ended = store::delete_all(tx, account, except)?;
    if ended > 0 {
        let event =
            Event::new(SessionEvent::RevokedAll).target(account).subject(account).data(json!({"sessions": ended}));
        audit::record(tx, actor, event)?;
    }
    Ok(ended)
}

/// Deletes the account's sessions and devices. It records nothing, because the erasure of the account is the event.
/// Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    Ok(store::delete_all(tx, account, None)? + store::delete_devices(tx, account)?)
}

/// Deletes sessions a day after they expired, counts of wrong tries that no longer cause a wait, and devices whose
/// cookie has expired. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn purge_ended(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    let sessions = store::delete_ended(tx, now.minus(ENDED_RETENTION), PURGE_BATCH_MAX)?;
    let throttles = store::delete_old_throttles(tx, PURGE_BATCH_MAX)?;
    Ok(sessions + throttles + store::delete_old_devices(tx, now.minus(DEVICE_LIFETIME), PURGE_BATCH_MAX)?)
}
