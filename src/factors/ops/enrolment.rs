//! All factors of a person at once.

use std::time::Duration;

use serde_json::json;

use super::super::events::FactorEvent;
use super::super::store;
use super::super::totp::step_at;
use crate::accounts::{self, Account};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, ClockStep, SessionId, Timestamp, minutes};
use crate::config::FactorsRequired;
use crate::db::{Error, Tx, View};
use crate::mail::{self, PlainMessage};
use crate::sessions;

/// Rows of each kind that one cleanup deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;
/// How far the clock may be set back so that a person who just used a code waits until it has passed that time again. Until
/// then, recovery codes and passkeys work.
const CLOCK_SLACK: Duration = minutes(10);

/// Whether this site requires a factor from the person.
pub fn is_required(view: &View<'_>, person: &Account) -> bool {
    match view.site().config.factors.required {
        FactorsRequired::Everybody => true,
        FactorsRequired::Operators => person.is_operator,
    }
}

/// Whether the person must have a factor and has none: then they can only open the pages to set one up. This runs for
/// every request of a session, so it reads nothing for persons who need no factor.
///
/// # Errors
/// [`Error`].
pub fn must_enrol(view: &View<'_>, account: AccountId, is_operator: bool) -> Result<bool, Error> {
    let everybody = view.site().config.factors.required == FactorsRequired::Everybody;
    if !everybody && !is_operator {
        return Ok(false);
    }
    store::must_enrol(view, account, everybody)
}

/// Removes the app, recovery codes and passkeys that were added at `since` or later, and stops a reset that was
/// requested since then: a thief may have added them. Returns whether there were any. The caller ends the sessions and
/// tells the person.
///
/// # Errors
/// [`Error`].
// No permission: the caller has checked a link that was mailed to the person.
pub fn remove_since(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, since: Timestamp) -> Result<bool, Error> {
    let (totp, codes) = store::delete_since(tx, account, since)?;
    let passkeys = store::list_passkeys_since(tx, account, since)?;
    store::delete_set_up(tx, account)?;
    store::delete_all_pending(tx, account)?;
    if store::find_reset(tx, account)?.is_some_and(|reset| reset.asked_at >= since) {
        store::delete_reset(tx, account)?;
    }
    let reverted = json!({"reverted": true});
    if totp > 0 {
        let event = Event::new(FactorEvent::TotpDisabled).target(account).subject(account).data(reverted.clone());
        audit::record(tx, actor, event)?;
    }
    for passkey in &passkeys {
        store::delete_passkey(tx, account, *passkey)?;
        let event = Event::new(FactorEvent::PasskeyRemoved).target(*passkey).subject(account).data(reverted.clone());
        audit::record(tx, actor, event)?;
    }
    if !store::find_enrolled(tx, account)?.is_any() {
        store::delete_codes(tx, account)?;
    }
    Ok(totp + codes + passkeys.len() > 0)
}

/// Deletes every row about the person. It records nothing, because their erasure is the event.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    store::delete_all(tx, account)?;
    store::delete_handle(tx, account)
}

/// Deletes expired challenges, pending sign-ins and set-ups. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, Error> {
    store::delete_old(tx, PURGE_BATCH_MAX)
}

/// Ends what people began and did not finish, of all accounts: pending sign-ins, set-ups, challenges and waiting resets.
/// Every code that an authenticator app has shown until now counts as used. A restored database needs this, because it
/// does not know what was used or cancelled after it was copied. Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn end_unfinished(tx: &mut Tx<'_>) -> Result<(), Error> {
    store::delete_unfinished_of_all(tx)?;
    use_up_codes(tx, tx.now())
}

/// Follows a step of the clock of more than ten minutes: codes up to now count as used, and none beyond. After a step back,
/// the last accepted code would otherwise be later than all codes of the next hours or years. A shorter step changes nothing,
/// so a code that was accepted stays refused, and its owner waits. `now`: the time after the step.
///
/// A code that was accepted while the clock was ahead is accepted again when that time comes: only an app whose clock was
/// ahead too had shown it.
///
/// # Errors
/// [`Error`].
pub fn follow_clock(tx: &mut Tx<'_>, step: ClockStep, now: Timestamp) -> Result<(), Error> {
    let (ClockStep::Forward(by) | ClockStep::Back(by)) = step;
    if by <= CLOCK_SLACK { Ok(()) } else { use_up_codes(tx, now) }
}

fn use_up_codes(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    // The step after the current one may have been used too, by an app whose clock is ahead.
    store::set_steps(tx, step_at(now) + 1)
}

/// Ends what was begun before the person changed how they sign in, or distrusts it: every session but `except`, sign-ins that
/// still owe their second factor, and mailed links that help somebody to come in. Links that undo a change stay valid: a thief
/// may be the one who makes it. Returns how many sessions ended.
///
/// # Errors
/// [`Error`].
// No permission: the caller has checked the actor, a link or a code.
pub fn end_other_access(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    except: Option<SessionId>,
) -> Result<usize, Error> {
    store::delete_all_pending(tx, account)?;
    accounts::revoke_links(tx, account)?;
    sessions::end_all(tx, actor, account, except)
}

/// Does what follows every change of factors: ends the other ways in, and tells the person.
pub(super) fn after_change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    message: impl FnOnce(&Account, &str) -> PlainMessage,
) -> Result<(), Error> {
    end_other_access(tx, actor, account, actor.session())?;
    let site = tx.site().config.public_url.clone();
    if let (Some(person), Some(address)) = (accounts::find(tx, account)?, accounts::primary_email(tx, account)?) {
        mail::enqueue(tx, Some(account), address, &message(&person, &site))?;
    }
    Ok(())
}
