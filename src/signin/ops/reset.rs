//! Password reset.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::oauth;
use super::activation::open_wallet;
use super::change_password::replace_password;
use super::claims::void_other_claims;
use super::reset_link::reset_link_by_mail;
use crate::accounts::{self, Account, AccountError, AccountState, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{Actor, EmailAddress, Secret};
use crate::db::Tx;
use crate::{factors, sessions};

/// Mails a link to set a password if the address has an account. The answer is the same in both cases, and so are the
/// rows that are written, except for the mail: for an unknown address a link is stored that is never mailed.
///
/// # Errors
/// [`SigninError::TooManyMails`], counted for known and unknown addresses in the same way.
// No permission: a person who cannot sign in asks for it; the link goes to the address of the account only.
pub(in crate::signin) fn request_reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    address: &EmailAddress,
) -> Result<(), SigninError> {
    let account = accounts::find_by_email(tx, address)?;
    // Refused requests do not count. Otherwise an attacker who keeps asking could stop the person from ever getting a link.
    sessions::count_mail::<SigninError>(tx, actor, address, account.as_ref().map(|account| account.id))?;
    let may = |account: &Account| account.state != AccountState::Suspended;
    match account.filter(may) {
        Some(account) => reset_link_by_mail(tx, actor, account.id),
        None => {
            accounts::issue_link(tx, LinkPurpose::PasswordReset, None)?;
            Ok(audit::record(tx, actor, Event::new(SigninEvent::PasswordResetRequested))?)
        }
    }
}

/// Sets the new password; see [`replace_password`]. The link also verifies the address.
///
/// Afterwards the browser that did it is the only known one, so its person can sign in at once even while attackers
/// guess at the account. Returns its device cookie.
///
/// # Errors
/// [`AccountError::LinkRefused`].
// No permission: the mailed link proves the person.
pub(in crate::signin) fn reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
    phc: &str,
) -> Result<Secret<String>, SigninError> {
    let account = accounts::use_link(tx, LinkPurpose::PasswordReset, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    if person.state == AccountState::Pending {
        let person = accounts::verify_by_operator(tx, actor, account)?;
        // Another person than the owner of the address may have started this account, so nothing prepared in it stays.
        oauth::forget(tx, account)?;
        factors::forget(tx, account)?;
        open_wallet(tx, &person)?;
        if let Some(address) = accounts::primary_email(tx, account)? {
            void_other_claims(tx, actor, account, &address)?;
        }
    }
    replace_password(tx, actor, &person, phc, None)?;
    sessions::distrust_devices(tx, account)?;
    let device = sessions::note_device_by_link(tx, account, &actor.visitor().cloned().unwrap_or_default())?;
    audit::record(tx, actor, Event::new(SigninEvent::PasswordResetCompleted).target(account).subject(account))?;
    Ok(device.cookie)
}
