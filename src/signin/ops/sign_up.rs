//! New accounts: sign-up, verification of the address, accounts created by the operator.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::model::{NewPerson, PendingSignUp, Proof, SignInOutcome, WaitingSignUp};
use super::super::oauth;
use super::activation::{open_wallet, welcome};
use super::claims::void_other_claims;
use super::reset_link::reset_link_by_mail;
use super::sign_in::start_session;
use crate::accounts::{self, Account, AccountError, AccountState, NewAccount, Username};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::{self, Decided, Decision, Tx, View};
use crate::sessions::{self, LoginThrottle};
use crate::{factors, workspaces};

/// Makes a username free that only sign-ups without a proof of their address have: `own`, which this one replaces, and others
/// that are older than half an hour.
///
/// # Errors
/// [`db::Error`].
// No permission: it is a part of the creation of an account.
pub(in crate::signin) fn clear_name(
    tx: &mut Tx<'_>,
    actor: &Actor,
    username: &Username,
    own: Option<AccountId>,
) -> Result<(), db::Error> {
    for replaced in accounts::sign_ups_in_the_way(tx, username, own)? {
        void_sign_up(tx, actor, replaced)?;
    }
    Ok(())
}

/// Ends a sign-up whose address was not verified, because its person starts again.
///
/// # Errors
/// [`db::Error`].
// No permission: the cookie of the sign-up, or its password, proves its person.
pub fn restart_sign_up(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), db::Error> {
    let person = accounts::find(tx, account)?.filter(|person| person.state == AccountState::Pending);
    person.map_or(Ok(()), |person| void_sign_up(tx, actor, person.id))
}

/// The sign-up with this username and address that waits for its code. `None`: there is none.
///
/// # Errors
/// [`SigninError::Throttled`] after too many wrong passwords and codes of it; [`SigninError::Db`].
// No permission: a read, whose result is only compared with a password.
pub(in crate::signin) fn waiting_sign_up(
    view: &View<'_>,
    username: &str,
    address: &EmailAddress,
) -> Result<Option<WaitingSignUp>, SigninError> {
    let person = accounts::find_by_username(view, username)?.filter(|person| person.state == AccountState::Pending);
    let Some(account) = person.map(|person| person.id) else { return Ok(None) };
    if accounts::primary_email(view, account)?.is_none_or(|own| own.folded() != address.folded()) {
        return Ok(None);
    }
    let throttle = LoginThrottle::for_sign_up_code(account);
    throttle.check::<SigninError>(view)?;
    let serial_key = throttle.serial_key().to_owned();
    Ok(Some(WaitingSignUp { account, serial_key, password: accounts::password_hash(view, account)? }))
}

/// Counts a wrong password of a sign-up that waits for its code.
///
/// # Errors
/// [`db::Error`].
// No event: a sign-up without a proved address is nobody's account yet.
pub(in crate::signin) fn note_wrong_sign_up(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    LoginThrottle::for_sign_up_code(account).note_failure(tx)
}

fn void_sign_up(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), db::Error> {
    let name = accounts::void_sign_up(tx, account)?;
    workspaces::rename_personal(tx, account, &name)?;
    oauth::forget(tx, account)?;
    factors::forget(tx, account)?;
    audit::record(tx, actor, Event::new(SigninEvent::SignUpReplaced).target(account).subject(account))
}

/// Creates a pending account with its workspace and sends the code. If the address already has an account, everything
/// is the same except the mail (see [`accounts::send_code`]), so an anonymous caller cannot learn who has an account. `own`: an
/// earlier sign-up of this browser, which this one replaces.
///
/// # Errors
/// [`AccountError::UsernameTaken`]: usernames are public. [`SigninError::TooManyMails`], counted in the same way for all.
// No permission: sign-up is for visitors; the flow checks whether it is open.
pub(in crate::signin) fn sign_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    new: &NewAccount,
    own: Option<AccountId>,
) -> Result<PendingSignUp, SigninError> {
    accounts::must_be_free(tx, &new.username, own)?;
    sessions::count_mail::<SigninError>(tx, actor, &new.email, None)?;
    clear_name(tx, actor, &new.username, own)?;
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
    clear_name(tx, actor, &person.username, None)?;
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
/// [`AccountError::CodeRefused`], [`AccountError::CodeMalformed`]; [`SigninError::Throttled`] after too many.
// No permission: the code is the proof.
pub fn verify(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, code: &str) -> Decided<SignInOutcome, SigninError> {
    // The caller signed up with this browser or knows the password, so nobody else can use up its tries.
    let throttle = LoginThrottle::for_sign_up_code(account);
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
