//! A new person: sign-up, proof of the address, accounts made by the operator.

use super::super::error::SigninError;
use super::super::mails;
use super::super::model::{NewPerson, Proof, SignedUp, Started};
use super::claims::void_other_claims;
use super::enter::{must_not_wait, open};
use super::invited::use_claim;
use super::reset::reset_link_by_mail;
use crate::accounts::{self, Account, AccountError, CodeAnswer, NewAccount};
use crate::base::{AccountId, Actor};
use crate::billing;
use crate::db::{self, Tx};
use crate::sessions::Guard;
use crate::{mail, workspaces};

/// Makes a pending account with its workspace and sends the code. Where the address is somebody's already, all is the same
/// but the message (see [`accounts::send_code`]), so that nothing that follows tells a stranger who has an account.
///
/// # Errors
/// [`AccountError::UsernameTaken`]: usernames are public. With a claim, whose bearer is no stranger:
/// [`AccountError::LinkRefused`] when it is not good, [`AccountError::EmailTaken`], which leaves it good.
pub(in crate::signin) fn sign_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    mut new: NewAccount,
    claim: &str,
) -> Result<SignedUp, SigninError> {
    if !claim.is_empty() {
        use_claim(tx, claim)?;
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

/// Tries the code; when it is right, the account is active, has its credit, and a session begins.
///
/// # Errors
/// A refusal is the inner result, because the try must be committed: [`AccountError::CodeRefused`], or
/// [`SigninError::Throttled`] after too many.
pub fn verify(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    code: &str,
) -> Result<Result<Started, SigninError>, SigninError> {
    // Whoever is asked for a code signed up with this browser, or knows the password.
    let guard = Guard::new(account);
    if let Err(throttled) = must_not_wait(tx, &guard) {
        return Ok(Err(throttled));
    }
    match accounts::verify_email(tx, actor, account, code)? {
        CodeAnswer::Refused(error) => {
            guard.note_failure(tx)?;
            Ok(Err(error.into()))
        }
        CodeAnswer::Verified(account) => {
            open_wallet(tx, &account)?;
            if let Some(address) = accounts::primary_email(tx, account.id)? {
                void_other_claims(tx, actor, account.id, &address)?;
            }
            let started = open(tx, actor, &account, Proof::Code.as_str(), false)?;
            welcome(tx, &account)?;
            Ok(Ok(started))
        }
    }
}

/// Greets somebody whose address is proved.
pub(super) fn welcome(tx: &mut Tx<'_>, account: &Account) -> Result<(), db::Error> {
    let Some(address) = accounts::primary_email(tx, account.id)? else { return Ok(()) };
    let url = tx.site().config.public_url.clone();
    mail::enqueue(tx, Some(account.id), address, &mails::welcome(account, &url))
}

/// The credit that every active account starts with; given once however often it is asked for.
pub(in crate::signin) fn open_wallet(tx: &mut Tx<'_>, account: &Account) -> Result<(), SigninError> {
    if let Some(workspace) = workspaces::personal(tx, account.id)? {
        billing::signup_credit(tx, &workspace)?;
    }
    Ok(())
}
