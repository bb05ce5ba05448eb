//! Start, see, end.

use serde_json::json;

use super::model::{Current, NewSession, Renewed, SEEN_STEP, Session, Throttled, pause_after};
use super::store;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, Secret, SessionId, hours};
use crate::crypto::tokens;
use crate::db::{Error, Tx, View};

/// Rows one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;
/// Browsers call themselves at length; more than this is noise.
const AGENT_MAX: usize = 256;

/// Starts a session and answers the cookie's value, which is nowhere else.
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
    let token = tokens::random_token(tx.rng());
    let mut visitor = new.visitor.clone();
    visitor.agent = visitor.agent.chars().take(AGENT_MAX).collect();
    let row = store::Row {
        account: new.account,
        idle_seconds: i64::try_from(idle.as_secs()).unwrap_or(i64::MAX),
        ends_at: now.plus(whole),
        visitor: &visitor,
        method: &new.method,
        remembered: new.remember,
    };
    store::insert(tx, id, &tokens::digest(token.expose()), &row)?;
    let event = Event::of("session.started").target(id).subject(new.account).data(json!({"remembered": new.remember}));
    audit::record(tx, actor, event)?;
    Ok((id, token))
}

/// Gives the session a new cookie value and notes that its person just proved who they are; the old value is worthless at
/// once. A remembered session stays remembered. `None`: the session has ended.
///
/// # Errors
/// [`Error`].
pub fn renew(tx: &mut Tx<'_>, account: AccountId, session: SessionId) -> Result<Option<Renewed>, Error> {
    let token = tokens::random_token(tx.rng());
    let now = tx.now();
    let renewed = store::update_proved(tx, account, session, &tokens::digest(token.expose()))?;
    Ok(renewed.map(|(ends_at, remembered)| Renewed { token, keep: remembered.then(|| ends_at.since(now)) }))
}

/// The session behind a cookie. `None`: unknown, ended, or its account is not active.
///
/// # Errors
/// [`Error`].
pub fn current(view: &View<'_>, token: &str) -> Result<Option<Current>, Error> {
    store::find_current(view, &tokens::digest(token))
}

/// Notes that the session was seen, where [`Current::needs_touch`] says so.
///
/// # Errors
/// [`Error`].
pub fn touch(tx: &mut Tx<'_>, session: SessionId) -> Result<(), Error> {
    store::update_seen(tx, session)
}

impl Current {
    /// Whether the last note of being seen is more than a minute old.
    pub fn needs_touch(&self, now: crate::base::Timestamp) -> bool {
        now.since(self.last_seen_at) >= SEEN_STEP
    }
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
    audit::record(tx, actor, Event::of("session.revoked").target(session).subject(account))
}

/// Ends every session of the account but `except`, which stays so that its page can confirm the change. Answers how many.
/// Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn end_all(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, except: Option<SessionId>) -> Result<usize, Error> {
    let ended = store::delete_all(tx, account, except)?;
    if ended > 0 {
        let event = Event::of("session.revoked_all").target(account).subject(account).data(json!({"sessions": ended}));
        audit::record(tx, actor, event)?;
    }
    Ok(ended)
}

/// Deletes the account's sessions without a word: its erasure is the event.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    store::delete_all(tx, account, None)
}

/// Deletes sessions that have ended and throttles nobody touched for a day.
///
/// # Errors
/// [`Error`].
pub fn purge_ended(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(hours(24));
    Ok(store::delete_ended(tx, PURGE_BATCH_MAX)? + store::delete_old_throttles(tx, before, PURGE_BATCH_MAX)?)
}

fn bucket(view: &View<'_>, what: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("throttle:{what}").as_bytes())
}

/// Whether proofs for `what` (an account, a typed name, a network) must wait. `None`: go on.
///
/// # Errors
/// [`Error`].
pub fn throttled(view: &View<'_>, what: &str) -> Result<Option<Throttled>, Error> {
    let until = store::find_throttle(view, &bucket(view, what))?.map(|(_, until)| until);
    let wait = until.map(|until| until.since(view.now())).filter(|wait| !wait.is_zero());
    Ok(wait.map(|wait| Throttled { wait_seconds: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }))
}

/// Counts a failed proof for `what`.
///
/// # Errors
/// [`Error`].
pub fn note_failure(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    let bucket = bucket(tx, what);
    let failures = store::count_failure(tx, &bucket)?;
    let until = tx.now().plus(pause_after(failures));
    store::update_throttle(tx, &bucket, until)
}

/// A proof succeeded: failures before it no longer count.
///
/// # Errors
/// [`Error`].
pub fn clear_failures(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    let bucket = bucket(tx, what);
    store::delete_throttle(tx, &bucket)
}
