//! The one transaction of each step; what is slow happens before, in `flows`.

use super::error::SigninError;
use super::mails;
use super::model::{NewPerson, SignIn, SignedUp, Started};
use crate::accounts::{self, Account, AccountError, AccountState, CodeAnswer, LinkPurpose, NewAccount};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, EmailAddress, Secret};
use crate::billing;
use crate::db::{self, Tx, View};
use crate::sessions::{self, NewSession};
use crate::{mail, workspaces};

/// Makes a pending account with its workspace and sends the code. Where the address is somebody's already, all is the same
/// but the letter (see [`accounts::send_code`]), so that nothing that follows tells a stranger who has an account.
///
/// # Errors
/// [`AccountError::UsernameTaken`]: usernames are public. With a claim, whose bearer is no stranger:
/// [`AccountError::LinkRefused`] when it is not good, [`AccountError::EmailTaken`], which leaves it good.
pub(super) fn sign_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    mut new: NewAccount,
    claim: &str,
) -> Result<SignedUp, SigninError> {
    if !claim.is_empty() {
        accounts::use_link(tx, LinkPurpose::OperatorClaim, claim)?;
        new.is_operator = true;
        if accounts::is_email_taken(tx, &new.email)? {
            return Err(AccountError::EmailTaken.into());
        }
    }
    let account = accounts::create(tx, actor, &new)?;
    workspaces::create_personal(tx, actor, &account)?;
    accounts::send_code(tx, actor, account.id)?;
    Ok(SignedUp { account: account.id })
}

/// Makes an account at the command line: active with its wallet at once when its address is vouched for, else pending
/// with a code on its way; without a password, a link to set one goes out too.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::EmailTaken`].
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
    workspaces::create_personal(tx, actor, &account)?;
    if new.is_verified {
        open_wallet(tx, &account)?;
    }
    if !has_password {
        reset_link_by_mail(tx, actor, account.id)?;
    } else if !new.is_verified {
        accounts::send_code(tx, actor, account.id)?;
    }
    Ok(account)
}

/// Tries the code; when it is right, the account is active, has its credit, and a session begins.
///
/// # Errors
/// A refusal is the inner result, because the try must be committed.
pub fn verify(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    code: &str,
) -> Result<Result<Secret<String>, AccountError>, SigninError> {
    match accounts::verify_email(tx, actor, account, code)? {
        CodeAnswer::Refused(error) => Ok(Err(error)),
        CodeAnswer::Verified(account) => {
            open_wallet(tx, &account)?;
            let visitor = actor.visitor().cloned().unwrap_or_default();
            let (_, token) = sessions::start(tx, actor, &NewSession { account: account.id, visitor, remember: false })?;
            if let Some(address) = accounts::primary_email(tx, account.id)? {
                let url = tx.site().config.public_url.clone();
                mail::enqueue(tx, Some(account.id), address, &mails::welcome(&account, &url))?;
            }
            Ok(Ok(token))
        }
    }
}

/// The credit that every active account starts with; given once however often it is asked for.
fn open_wallet(tx: &mut Tx<'_>, account: &Account) -> Result<(), SigninError> {
    if let Some(workspace) = workspaces::personal(tx, account.id)? {
        billing::signup_credit(tx, &workspace)?;
    }
    Ok(())
}

/// Where throttling counts what was typed. The pause that a person sees hangs on this alone, so that it tells nothing about
/// which names and addresses belong together, or to anybody.
pub(super) fn typed_bucket(typed: &str) -> String {
    format!("name:{}", typed.trim().to_lowercase())
}

/// Where throttling counts all tries against one account, whatever was typed.
pub(super) fn account_bucket(account: AccountId) -> String {
    format!("account:{account}")
}

/// The account that may sign in by this name, and the password to check. An address counts once it is verified (else a
/// stranger who claimed it would answer for it); suspended accounts do not count, nor those that were tried too often.
pub(super) fn find_for_sign_in(view: &View<'_>, name: &str) -> Result<Option<(Account, Option<String>)>, db::Error> {
    let is_good = |account: &Account| account.state != AccountState::Suspended;
    let Some(account) = accounts::find_by_proved_name(view, name)?.filter(is_good) else { return Ok(None) };
    if sessions::throttled(view, &account_bucket(account.id))?.is_some() {
        return Ok(None);
    }
    let password = accounts::password_hash(view, account.id)?;
    Ok(Some((account, password)))
}

/// Refuses where tries for `bucket` have to wait. Asked before the hash, which costs, and once more after it: of many
/// passwords that are tried at the same moment, no more are told right from wrong than of as many in a row.
pub(super) fn must_not_wait(view: &View<'_>, bucket: &str) -> Result<(), SigninError> {
    sessions::throttled(view, bucket)?.map_or(Ok(()), |throttled| Err(SigninError::Throttled(throttled)))
}

/// Notes a wrong password. About nobody when the account was erased while the password was checked: what is recorded about
/// somebody who is gone would stay for ever.
pub(super) fn refuse(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: Option<AccountId>,
    typed: &str,
) -> Result<(), SigninError> {
    must_not_wait(tx, &typed_bucket(typed))?;
    sessions::note_failure(tx, &typed_bucket(typed))?;
    let mut event = Event::of("auth.signin_failed").outcome(Outcome::Failure);
    // Somebody who was erased meanwhile must not get a key for private parts again.
    let known = account.map(|account| accounts::find(tx, account)).transpose()?.flatten();
    if let Some(account) = known.map(|known| known.id) {
        sessions::note_failure(tx, &account_bucket(account))?;
        event = event.target(account).subject(account);
    }
    Ok(audit::record(tx, actor, event)?)
}

/// Begins a session after a right password; an account that still has to prove its address gets a code instead.
/// `checked` is the stored password that was found right: it must still be the one.
///
/// # Errors
/// [`SigninError::Throttled`]: wrong ones that were tried at the same moment came first. [`SigninError::BadCredentials`]:
/// the password was changed, or the account stopped, while this one was checked.
pub(super) fn admit(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    checked: Option<&str>,
    form: &SignIn,
) -> Result<Started, SigninError> {
    must_not_wait(tx, &typed_bucket(&form.name))?;
    let (person, stored) = find_for_sign_in(tx, &form.name)?
        .filter(|(found, _)| found.id == account)
        .ok_or(SigninError::BadCredentials)?;
    if stored.as_deref() != checked {
        return Err(SigninError::BadCredentials);
    }
    forget_failures(tx, &person, &form.name)?;
    let remember = form.remember;
    if person.state == AccountState::Pending {
        match accounts::resend_code(tx, actor, account) {
            Ok(()) | Err(AccountError::CodeTooSoon { .. }) => return Ok(Started::MustVerify(account)),
            Err(error) => return Err(error.into()),
        }
    }
    let visitor = actor.visitor().cloned().unwrap_or_default();
    let (_, token) = sessions::start(tx, actor, &NewSession { account, visitor, remember })?;
    audit::record(tx, actor, Event::of("auth.signin_succeeded").target(account).subject(account))?;
    let keep = remember.then_some(tx.site().config.session.remember_for);
    Ok(Started::Session { token, keep })
}

fn forget_failures(tx: &mut Tx<'_>, person: &Account, typed: &str) -> Result<(), db::Error> {
    sessions::clear_failures(tx, &typed_bucket(typed))?;
    sessions::clear_failures(tx, &account_bucket(person.id))
}

/// Mails a link to set a password to the account behind the address, where there is one. The answer is the same, and so is
/// what is written, but for the letter: a link that nobody gets waits for its end like the others.
pub(super) fn request_reset(tx: &mut Tx<'_>, actor: &Actor, address: &EmailAddress) -> Result<(), SigninError> {
    match accounts::find_by_email(tx, address)?.filter(|account| account.state != AccountState::Suspended) {
        Some(account) => reset_link_by_mail(tx, actor, account.id),
        None => {
            accounts::issue_link(tx, LinkPurpose::PasswordReset, None)?;
            Ok(audit::record(tx, actor, Event::of("auth.password_reset_requested"))?)
        }
    }
}

/// Mails a link to set a password; good for 30 minutes, once.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn reset_link_by_mail(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    let person = accounts::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let address = accounts::primary_email(tx, account)?.ok_or(AccountError::NotFound)?;
    let token = accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(account))?;
    let site = tx.site().config.public_url.clone();
    let link = format!("{site}/reset?token={}", token.expose());
    mail::enqueue(tx, Some(account), address, &mails::password_reset(&person, link, &site))?;
    Ok(audit::record(tx, actor, Event::of("auth.password_reset_requested").target(account).subject(account))?)
}

/// Sets the new password, ends every session and every other link. Following the link proved the address too; tries that
/// failed before no longer count, so that the person can come in.
pub(super) fn reset(tx: &mut Tx<'_>, actor: &Actor, token: &str, phc: &str) -> Result<(), SigninError> {
    let account = accounts::use_link(tx, LinkPurpose::PasswordReset, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    if person.state == AccountState::Pending {
        let person = accounts::verify_by_operator(tx, actor, account)?;
        open_wallet(tx, &person)?;
    }
    accounts::set_password(tx, actor, account, phc)?;
    sessions::end_all(tx, actor, account, None)?;
    accounts::revoke_links(tx, account)?;
    forget_failures(tx, &person, &person.username)?;
    if let Some(address) = accounts::primary_email(tx, account)? {
        forget_failures(tx, &person, address.as_str())?;
    }
    Ok(audit::record(tx, actor, Event::of("auth.password_reset_completed").target(account).subject(account))?)
}

/// The first operator's one-time link: whoever follows it signs up as operator, whatever the sign-up mode.
///
/// # Errors
/// [`db::Error`].
pub fn claim_link(tx: &mut Tx<'_>) -> Result<String, db::Error> {
    let token = accounts::issue_link(tx, LinkPurpose::OperatorClaim, None)?;
    Ok(format!("{}/signup?claim={}", tx.site().config.public_url, token.expose()))
}
