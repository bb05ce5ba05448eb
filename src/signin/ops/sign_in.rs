//! Sign-in after a proof: the second step if there is one, and the start of the session.

use serde_json::json;

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::model::{Proof, SignInOutcome};
use super::failures::clear_failures;
use super::not_me::notify_new_device;
use super::resend::resend_code;
use crate::accounts::{self, Account, AccountError, AccountState};
use crate::audit::{self, Event};
use crate::base::Actor;
use crate::db::Tx;
use crate::factors::{self, PendingSignIn};
use crate::sessions::{self, NewSession};

/// Continues a sign-in after any proof: a code if the address is not verified, the second step if the account has a
/// second factor, else a session. Every sign-in method ends here, so that these conditions are checked in one place.
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
// No permission: the caller has checked the first proof.
pub(in crate::signin) fn sign_in(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    proof: &Proof,
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let account = person.id;
    if person.state == AccountState::Pending {
        // Where no code is sent now, the page says when the last one was.
        let is_sent = accounts::sent_code(tx, account)?.is_some_and(|sent| sent.is_valid);
        match if is_sent { Ok(()) } else { resend_code(tx, actor, account) } {
            Ok(()) | Err(SigninError::Account(AccountError::CodeTooSoon { .. }) | SigninError::TooManyMails(_)) => {
                return Ok(SignInOutcome::VerificationPending(account));
            }
            Err(error) => return Err(error),
        }
    }
    let method = proof.as_str();
    if !proof.is_complete() && factors::enrolled(tx, account)?.is_any() {
        let event =
            Event::new(SigninEvent::FactorAsked).target(account).subject(account).data(json!({"method": method}));
        audit::record(tx, actor, event)?;
        let pending = PendingSignIn { account, method: method.to_owned(), remember };
        return Ok(SignInOutcome::MfaPending(factors::start_pending_sign_in(tx, &pending)?));
    }
    start_session(tx, actor, person, method, remember)
}

/// Starts a session after every required proof. Earlier failures no longer count, and the session that the browser had
/// before ends. The person gets a mail if the browser is new to the account. Sessions of operators are never remembered
/// (domain 5.1.7). `method`: the proofs, for the list of sessions and the audit log.
///
/// # Errors
/// [`SigninError::Disowned`]: a sign-in was reported, and the account has no new password yet. [`SigninError::Db`].
// No permission: the caller has checked every proof that the account needs.
pub(in crate::signin) fn start_session(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    method: &str,
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let account = person.id;
    if accounts::keys_locked_at(tx, account)?.is_some() {
        return Err(SigninError::Disowned);
    }
    clear_failures(tx, actor, person)?;
    let visitor = actor.visitor().cloned().unwrap_or_default();
    // The cookie of the browser is replaced, so its previous session could no longer be used or ended (ASVS 5.0 7.2.4).
    if let Some((owner, before)) = visitor.session {
        sessions::end(tx, actor, owner, before)?;
    }
    let device = sessions::note_device(tx, account, &visitor)?;
    let remember = remember && !person.is_operator;
    let new = NewSession { account, visitor, remember, method: method.to_owned() };
    let (session, token) = sessions::start(tx, actor, &new)?;
    let event = Event::new(SigninEvent::Succeeded).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"method": method, "new_device": device.is_new})))?;
    if device.is_new {
        notify_new_device(tx, person, session, &new)?;
    }
    let keep = remember.then_some(tx.site().config.session.remember_for);
    Ok(SignInOutcome::Session { token, keep, device: device.cookie })
}
