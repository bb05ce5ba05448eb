//! What can be done with the addresses of an account.

use super::super::error::AccountError;
use super::super::model::{EMAILS_MAX, Email, EmailChange};
use crate::base::Timestamp;

/// An address of an account, with what holds it there.
#[derive(Clone, Debug)]
pub struct ListedEmail {
    /// The address.
    pub email: Email,
    /// Until when it can undo a change of the primary address. It cannot be removed before. `None`: it undoes nothing.
    pub kept_until: Option<Timestamp>,
}

impl ListedEmail {
    /// The address among `changes`, the open changes of its account.
    pub(super) fn new(email: Email, changes: &[EmailChange]) -> Self {
        let undoes = changes.iter().filter(|change| change.from == email.id);
        Self { kept_until: undoes.map(|change| change.revert_until).max(), email }
    }

    /// Checks that the address can be removed.
    ///
    /// # Errors
    /// [`AccountError::EmailIsPrimary`], [`AccountError::EmailKeptForRevert`].
    pub const fn check_removable(&self) -> Result<(), AccountError> {
        match self.kept_until {
            _ if self.email.is_primary => Err(AccountError::EmailIsPrimary),
            Some(until) => Err(AccountError::EmailKeptForRevert { until }),
            None => Ok(()),
        }
    }
}

/// All addresses of an account.
#[derive(Clone, Debug)]
pub struct AddressList {
    /// The primary address first.
    pub emails: Vec<ListedEmail>,
}

impl AddressList {
    /// Checks that the account can have one more address.
    ///
    /// # Errors
    /// [`AccountError::TooManyEmails`].
    pub const fn check_room(&self) -> Result<(), AccountError> {
        if self.emails.len() < EMAILS_MAX { Ok(()) } else { Err(AccountError::TooManyEmails) }
    }
}
