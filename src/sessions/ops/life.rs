//! Start, see, end.

use serde_json::json;

use super::super::model::{
    Current, DEVICE_KEPT, ENDED_KEPT, NewSession, ROTATE_AFTER, ROTATED_GRACE, Renewed, SESSIONS_MAX, Session, Shown,
};
use super::super::store;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Secret, SessionId, Timestamp};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Rows one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;
/// Browsers call themselves at length; more than this is noise.
const AGENT_MAX: usize = 256;

/// Starts a session and answers the cookie's value, which is nowhere else. The session of the account that was not seen for
/// longest ends where there would be more than [`SESSIONS_MAX`]: the list shows all.
///
/// # Errors
/// [`Error`].
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
        ends_at: tx.wall().plus(whole),
        visitor: &visitor,
        method: &new.method,
        remembered: new.remember,
    };
    store::insert(tx, id, &tokens::digest(token.expose()), &row)?;
    let event = Event::new("session.started").target(id).subject(new.account);
    audit::record(tx, actor, event.data(json!({"remembered": new.remember, "displaced": displaced})))?;
    Ok((id, token))
}

/// Gives the session a new cookie value and notes that its person just proved who they are; the old value is worthless at
/// once. A remembered session stays remembered. `None`: the session has ended.
///
/// # Errors
/// [`Error`].
pub fn renew(tx: &mut Tx<'_>, account: AccountId, session: SessionId) -> Result<Option<Renewed>, Error> {
    let token = tokens::random_token(tx.rng());
    let renewed = store::update_proved(tx, account, session, &tokens::digest(token.expose()))?;
    Ok(renewed.map(|kept| goes_on(tx, token, kept)))
}

fn goes_on(view: &View<'_>, token: Secret<String>, (ends_at, remembered): (Timestamp, bool)) -> Renewed {
    Renewed { token, keep: remembered.then(|| ends_at.since(view.wall())) }
}

/// Gives a session whose cookie is a day old a new value; the one that was shown is good for another minute, for requests
/// that are under way. `None`: one of those was first.
///
/// # Errors
/// [`Error`].
pub fn rotate(tx: &mut Tx<'_>, session: SessionId, shown: &str) -> Result<Option<Renewed>, Error> {
    let token = tokens::random_token(tx.rng());
    let old = tokens::digest(shown);
    let due = tx.wall().minus(ROTATE_AFTER);
    let rotated = store::update_rotated(tx, session, &old, &tokens::digest(token.expose()), due)?;
    if rotated.is_some() {
        let until = tx.wall().plus(ROTATED_GRACE);
        store::insert_rotated(tx, session, &old, until)?;
    }
    Ok(rotated.map(|kept| goes_on(tx, token, kept)))
}

/// The session in use behind a cookie. `None`: there is none, or its account is not active.
///
/// # Errors
/// [`Error`].
pub fn current(view: &View<'_>, token: &str) -> Result<Option<Current>, Error> {
    Ok(match show(view, token)? {
        Shown::Live(current) => Some(*current),
        Shown::Over(_) | Shown::Copied(..) | Shown::Unknown => None,
    })
}

/// What is behind the value of a cookie.
///
/// # Errors
/// [`Error`].
pub fn show(view: &View<'_>, token: &str) -> Result<Shown, Error> {
    let digest = tokens::digest(token);
    if let Some(current) = store::find_current(view, &digest)? {
        return Ok(Shown::Live(Box::new(current)));
    }
    if let Some(rotated) = store::find_rotated(view, &digest)? {
        if rotated.until <= view.wall() {
            return Ok(Shown::Copied(rotated.session, rotated.account));
        }
        let current = store::find_current(view, &rotated.newest)?;
        let live = |current| Shown::Live(Box::new(Current { is_newest: false, ..current }));
        return Ok(current.map_or(Shown::Unknown, live));
    }
    Ok(store::find_over(view, &digest)?.map_or(Shown::Unknown, Shown::Over))
}

/// Ends a session whose old cookie was shown by somebody long after it was replaced: one of the two who have it is not its
/// person, and nobody can tell which (domain 5.1.7).
///
/// # Errors
/// [`Error`].
pub fn end_copied(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, session: SessionId) -> Result<(), Error> {
    if store::delete(tx, account, session)? == 0 {
        return Ok(());
    }
    let event = Event::new("session.reuse_detected").outcome(Outcome::Denied).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"session": session.to_string()})))
}

/// Notes that the session was seen, where [`Current::needs_touch`] says so. One that has ended stays ended.
///
/// # Errors
/// [`Error`].
pub fn touch(tx: &mut Tx<'_>, session: SessionId) -> Result<(), Error> {
    store::update_seen(tx, session)
}

/// The account's live sessions, the last seen first.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, account: AccountId) -> Result<Vec<Session>, Error> {
    store::list(view, account)
}

/// Ends one session of the account. Ending it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn end(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, session: SessionId) -> Result<(), Error> {
    if store::delete(tx, account, session)? == 0 {
        return Ok(());
    }
    audit::record(tx, actor, Event::new("session.revoked").target(session).subject(account))
}

/// Ends every session of the account but `except`, which stays so that its page can confirm the change. Answers how many.
/// Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn end_all(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, except: Option<SessionId>) -> Result<usize, Error> {
    let ended = store::delete_all(tx, account, except)?;
    if ended > 0 {
        let event = Event::new("session.revoked_all").target(account).subject(account).data(json!({"sessions": ended}));
        audit::record(tx, actor, event)?;
    }
    Ok(ended)
}

/// Deletes the account's sessions and devices without a word: its erasure is the event.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    Ok(store::delete_all(tx, account, None)? + store::delete_devices(tx, account)?)
}

/// Deletes sessions a day after they ended, counts of wrong tries that hold nobody up any more, and devices whose browser
/// forgot them.
///
/// # Errors
/// [`Error`].
pub fn purge_ended(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    let sessions = store::delete_ended(tx, now.minus(ENDED_KEPT), PURGE_BATCH_MAX)?;
    let throttles = store::delete_old_throttles(tx, PURGE_BATCH_MAX)?;
    Ok(sessions + throttles + store::delete_old_devices(tx, now.minus(DEVICE_KEPT), PURGE_BATCH_MAX)?)
}
