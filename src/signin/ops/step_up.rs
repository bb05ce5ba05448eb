//! Proving once more who one is, before something that a borrowed browser must not do.

use super::super::error::SigninError;
use super::enter::must_not_wait;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::Tx;
use crate::sessions::{self, Renewed};

/// Where wrong proofs of somebody who is signed in are counted: apart from the tries of strangers, who could else keep a
/// person from their own account.
pub(in crate::signin) fn step_up_bucket(account: AccountId) -> String {
    format!("step-up:{account}")
}

/// Takes a proof that was found right: the session is fresh, and its cookie has a new value (ASVS 5.0 7.2.4).
///
/// # Errors
/// [`SigninError::Throttled`]: wrong ones that were tried at the same moment came first. [`SigninError::SignedOut`]: the
/// session ended while the proof was checked.
pub(in crate::signin) fn step_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
) -> Result<Renewed, SigninError> {
    must_not_wait(tx, &step_up_bucket(account))?;
    let renewed = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    sessions::clear_failures(tx, &step_up_bucket(account))?;
    audit::record(tx, actor, Event::of("auth.stepup_succeeded").target(account).subject(account))?;
    Ok(renewed)
}

/// Notes a wrong proof.
///
/// # Errors
/// [`SigninError::Throttled`], [`SigninError::Db`].
pub(in crate::signin) fn refuse_step_up(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    must_not_wait(tx, &step_up_bucket(account))?;
    sessions::note_failure(tx, &step_up_bucket(account))?;
    let event = Event::of("auth.stepup_failed").outcome(Outcome::Failure).target(account).subject(account);
    Ok(audit::record(tx, actor, event)?)
}
