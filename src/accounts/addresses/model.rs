//! What can be done with the addresses of an account.

use super::super::error::AccountError;
use super::super::model::{EMAILS_MAX, Email, EmailChange};
use crate::base::{AccountId, EmailAddress, EmailId, Timestamp};

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

/// What the journal needs to remove an address again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounts) struct RemovedEmail {
    pub email: EmailId,
    /// The primary address at that time.
    pub primary: Option<EmailId>,
}

impl std::fmt::Display for RemovedEmail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.email)?;
        self.primary.map_or(Ok(()), |primary| write!(f, " {primary}"))
    }
}

impl RemovedEmail {
    /// Reads what [`std::fmt::Display`] wrote. `None`: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let email = EmailId::parse(words.next()?)?;
        let primary = words.next().map_or(Some(None), |word| EmailId::parse(word).map(Some))?;
        Some(Self { email, primary }).filter(|_| words.next().is_none())
    }
}

/// What the journal needs to undo a change of the primary address again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounts) struct RevertedTo {
    /// The address that is primary again.
    pub from: EmailId,
    /// The address that was primary in between.
    pub to: EmailId,
    /// Addresses that were added at this time or later are removed.
    pub since: Timestamp,
}

impl std::fmt::Display for RevertedTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.from, self.to, self.since.millis())
    }
}

impl RevertedTo {
    /// Reads what [`std::fmt::Display`] wrote. `None`: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (from, to) = (EmailId::parse(words.next()?)?, EmailId::parse(words.next()?)?);
        let since = Timestamp::from_millis(words.next()?.parse().ok()?);
        Some(Self { from, to, since }).filter(|_| words.next().is_none())
    }
}

/// The verified primary address of an operator, for mails about the appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OperatorAddress {
    pub account: AccountId,
    pub display_name: String,
    pub address: EmailAddress,
}
