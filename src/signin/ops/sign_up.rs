//! New accounts: sign-up, verification of the address, accounts created by the operator.

use super::super::error::SigninError;
use super::super::model::{NewPerson, PendingSignUp, Proof, SignInOutcome};
use super::activation::{open_wallet, welcome};
use super::claims::void_other_claims;
use super::reset_link::reset_link_by_mail;
use super::sign_in::start_session;
use crate::accounts::{self, Account, AccountError, NewAccount};
use crate::base::{AccountId, Actor};
use crate::db::{Decided, Decision, Tx};
use crate::sessions::LoginThrottle;
use crate::workspaces;

/// Creates a pending account with its workspace and sends the code. If the address already has an account, everything
/// is the same except the mail (see [`accounts::send_code`]), so an anonymous caller cannot learn who has an account.
///
/// # Errors
/// [`AccountError::UsernameTaken`]: usernames are public.
// No permission: sign-up is for visitors; the flow checks whether it is open.
pub(in crate::signin) fn sign_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    new: &NewAccount,
) -> Result<PendingSignUp, SigninError> {
    let account = accounts::create(tx, actor, new)?;
    workspaces::create_personal(tx, actor, &account)?;
    accounts::send_code(tx, actor, account.id)?;
    Ok(PendingSignUp { account: account.id })
}

/// Creates an account from the command line. If its address counts as verified, it is active at once and has its
/// wallet; else it is pending and a code is mailed. Without a password, a link to set one is mailed.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::EmailTaken`].
// No permission: only the command line calls it.
pub fn create_account(tx: &mut Tx<'_>, actor: &Actor, person: NewPerson) -> Result<Account, SigninError> {
    if accounts::is_email_taken(tx, &person.email)? {
        return Err(AccountError::EmailTaken.into());
    }
    let has_password = person.password.is_some();
    let new = NewAccount {
        username: person.username,
        email: person.email,
        is_verified: person.is_verified,
        password: person.password,
        is_operator: person.is_operator,
    };
    let account = accounts::create(tx, actor, &new)?;
    if new.is_operator {
        accounts::revoke_claims(tx)?;
    }
    workspaces::create_personal(tx, actor, &account)?;
    if new.is_verified {
        void_other_claims(tx, actor, account.id, &new.email)?;
        open_wallet(tx, &account)?;
    }
    if !has_password {
        reset_link_by_mail(tx, actor, account.id)?;
    } else if !new.is_verified {
        accounts::send_code(tx, actor, account.id)?;
    }
    Ok(account)
}

/// Checks the code. When it is right, the account becomes active, gets its credit, and a session starts. A wrong code is
/// counted, so its refusal is committed.
///
/// # Errors
/// [`AccountError::CodeRefused`]; [`SigninError::Throttled`] after too many.
// No permission: the code is the proof.
pub fn verify(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, code: &str) -> Decided<SignInOutcome, SigninError> {
    // The caller signed up with this browser or knows the password, so the throttle is the one of the account.
    let throttle = LoginThrottle::new(account);
    throttle.check::<SigninError>(tx)?;
    match accounts::verify_email(tx, actor, account, code)? {
        Decision::Refused(error) => {
            throttle.note_failure(tx)?;
            Ok(Decision::Refused(error.into()))
        }
        Decision::Done(account) => {
            open_wallet(tx, &account)?;
            if let Some(address) = accounts::primary_email(tx, account.id)? {
                void_other_claims(tx, actor, account.id, &address)?;
            }
            let started = start_session(tx, actor, &account, Proof::Code.as_str(), false)?;
            welcome(tx, &account)?;
            Ok(Decision::Done(started))
        }
    }
}
