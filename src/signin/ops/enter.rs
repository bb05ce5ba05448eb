//! Coming in: who may try, what a right or wrong proof does, and the session that begins.

use serde_json::json;

use super::super::error::SigninError;
use super::super::model::{Proof, SignIn, Started};
use crate::accounts::{self, Account, AccountError, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Secret};
use crate::db::{self, Tx, View};
use crate::factors::{self, Half};
use crate::sessions::{self, NewSession};

/// Where throttling counts what was typed. The pause that a person sees hangs on this alone, so that it tells nothing about
/// which names and addresses belong together, or to anybody.
pub(in crate::signin) fn typed_bucket(typed: &str) -> String {
    format!("name:{}", typed.trim().to_lowercase())
}

/// Where throttling counts all tries against one account, whatever was typed.
pub(in crate::signin) fn account_bucket(account: AccountId) -> String {
    format!("account:{account}")
}

/// The account that may sign in by this name, and the password to check. An address counts once it is verified (else a
/// stranger who claimed it would answer for it); suspended accounts do not count, nor those that were tried too often.
pub(in crate::signin) fn find_for_sign_in(
    view: &View<'_>,
    name: &str,
) -> Result<Option<(Account, Option<String>)>, db::Error> {
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
pub(in crate::signin) fn must_not_wait(view: &View<'_>, bucket: &str) -> Result<(), SigninError> {
    sessions::throttled(view, bucket)?.map_or(Ok(()), |throttled| Err(SigninError::Throttled(throttled)))
}

/// Notes a wrong password. About nobody when the account was erased while the password was checked: what is recorded about
/// somebody who is gone would stay for ever.
pub(in crate::signin) fn refuse(
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
/// `checked` is the stored password that was found right: it must still be the one. `renewed`: a better hash of it, to be
/// kept.
///
/// # Errors
/// [`SigninError::Throttled`]: wrong ones that were tried at the same moment came first. [`SigninError::BadCredentials`]:
/// the password was changed, or the account stopped, while this one was checked.
pub(in crate::signin) fn admit(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    checked: Option<&str>,
    renewed: Option<&str>,
    form: &SignIn,
) -> Result<Started, SigninError> {
    must_not_wait(tx, &typed_bucket(&form.name))?;
    let (person, stored) = find_for_sign_in(tx, &form.name)?
        .filter(|(found, _)| found.id == account)
        .ok_or(SigninError::BadCredentials)?;
    if stored.as_deref() != checked {
        return Err(SigninError::BadCredentials);
    }
    if let Some((checked, renewed)) = checked.zip(renewed) {
        accounts::renew_password_hash(tx, account, checked, renewed)?;
    }
    forget_failures(tx, &person, &form.name)?;
    enter(tx, actor, &person, &Proof::Password, form.remember)
}

/// What follows a proof, whichever it was: a code for an address that nobody proved yet, the second step for somebody who has
/// a second factor, else a session. Every way in ends here, so that what a session needs is asked for in one place.
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
pub(in crate::signin) fn enter(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    proof: &Proof,
    remember: bool,
) -> Result<Started, SigninError> {
    let account = person.id;
    if person.state == AccountState::Pending {
        match accounts::resend_code(tx, actor, account) {
            Ok(()) | Err(AccountError::CodeTooSoon { .. }) => return Ok(Started::MustVerify(account)),
            Err(error) => return Err(error.into()),
        }
    }
    let method = proof.as_str().to_owned();
    if !proof.is_complete() && factors::enrolled(tx, account)?.is_any() {
        let event = Event::of("auth.factor_asked").target(account).subject(account).data(json!({"method": method}));
        audit::record(tx, actor, event)?;
        return Ok(Started::MustProve(factors::owe(tx, &Half { account, method, remember })?));
    }
    let (token, keep) = open(tx, actor, account, method, remember)?;
    Ok(Started::Session { token, keep })
}

/// Begins the session of somebody who proved all that is asked of them. `method`: by what.
pub(super) fn open(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    method: String,
    remember: bool,
) -> Result<(Secret<String>, Option<std::time::Duration>), db::Error> {
    let visitor = actor.visitor().cloned().unwrap_or_default();
    let event = Event::of("auth.signin_succeeded").target(account).subject(account).data(json!({"method": method}));
    let (_, token) = sessions::start(tx, actor, &NewSession { account, visitor, remember, method })?;
    audit::record(tx, actor, event)?;
    let keep = remember.then_some(tx.site().config.session.remember_for);
    Ok((token, keep))
}

pub(in crate::signin) fn forget_failures(tx: &mut Tx<'_>, person: &Account, typed: &str) -> Result<(), db::Error> {
    sessions::clear_failures(tx, &typed_bucket(typed))?;
    sessions::clear_failures(tx, &account_bucket(person.id))
}
