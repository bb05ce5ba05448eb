//! Another code for a sign-up.

use super::super::error::SigninError;
use crate::accounts::{self, AccountError};
use crate::base::{AccountId, Actor};
use crate::db::Tx;
use crate::sessions;

/// Sends another code for a sign-up.
///
/// # Errors
/// [`AccountError::NotFound`]: it does not wait for one any more. [`AccountError::CodeTooSoon`]; [`SigninError::TooManyMails`].
// No permission: the code goes to the address of the sign-up only.
pub(in crate::signin) fn resend_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    let sent = accounts::sent_code(tx, account)?;
    let address = match sent {
        Some(sent) => Some(sent.address),
        None => accounts::primary_email(tx, account)?,
    };
    let address = address.ok_or(AccountError::NotFound)?;
    // Both refuse before anything is written.
    sessions::check_mail::<SigninError>(tx, actor, &address, None)?;
    accounts::resend_code(tx, actor, account)?;
    sessions::count_mail(tx, actor, &address, None)
}
