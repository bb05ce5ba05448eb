//! What can be wrong with an account.

use super::model::UsernameFault;
use crate::base::{Problem, Timestamp};
use crate::db;

/// A refusal or failure about accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account, or it is not yours.
    #[error("no such account")]
    NotFound,
    /// The username is not one.
    #[error("not a username: {0:?}")]
    Username(UsernameFault),
    /// Somebody has the username, or had it less than a year ago.
    #[error("the username is taken")]
    UsernameTaken,
    /// The username only looks like somebody's.
    #[error("the username looks like another one")]
    UsernameLooksTaken,
    /// The text is not an e-mail address.
    #[error("not an e-mail address")]
    EmailAddress,
    /// The address is another account's.
    #[error("the address belongs to another account")]
    EmailTaken,
    /// The account has the address already.
    #[error("the account has the address already")]
    EmailListed,
    /// The account has as many addresses as it may.
    #[error("the account has too many addresses")]
    TooManyEmails,
    /// The address must be proved first.
    #[error("the address is not verified")]
    EmailUnverified,
    /// The primary address stays.
    #[error("the primary address cannot be removed")]
    EmailIsPrimary,
    /// The address can undo a change, and stays as long as it can.
    #[error("the address can undo a change until later")]
    EmailKeptForRevert {
        /// Until when.
        until: Timestamp,
    },
    /// The company is too long or does not print.
    #[error("not a company")]
    Company,
    /// There is no such use case.
    #[error("not a use case")]
    UseCase,
    /// The text about the person is too short, too long or does not print.
    #[error("not a bio")]
    Bio,
    /// There is no such colour.
    #[error("not a colour")]
    Colour,
    /// The display name is empty, too long or does not print.
    #[error("not a display name")]
    DisplayName,
    /// The code is wrong, used up or too old.
    #[error("the code is not good")]
    CodeRefused,
    /// A code went out less than a minute ago, or too many in an hour.
    #[error("a code was sent a moment ago")]
    CodeTooSoon {
        /// Seconds to wait.
        wait_seconds: u32,
    },
    /// Nobody proved the account's address yet.
    #[error("the account is pending")]
    StillPending,
    /// The one-time link is unknown, used or too old.
    #[error("the link is not good")]
    LinkRefused,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotFound => Problem::not_found(),
            AccountError::Username(UsernameFault::Length) => {
                Problem::field("username", "username_length", "A username has 4 to 32 characters. Choose another one.")
            }
            AccountError::Username(UsernameFault::Letters) => Problem::field(
                "username",
                "username_letters",
                "A username has small letters, digits and single hyphens inside. Choose another one.",
            ),
            AccountError::Username(UsernameFault::Reserved) => {
                Problem::field("username", "username_reserved", "This username is reserved. Choose another one.")
            }
            AccountError::Username(UsernameFault::LooksReserved) => Problem::field(
                "username",
                "username_confusable",
                "This username looks like a reserved one. Choose one that differs in more than letters that look alike.",
            ),
            AccountError::UsernameLooksTaken => Problem {
                status: 409,
                ..Problem::field(
                    "username",
                    "username_confusable",
                    "This username looks like somebody else's. Choose one that differs in more than letters that look alike.",
                )
            },
            AccountError::UsernameTaken => Problem {
                status: 409,
                ..Problem::field("username", "username_taken", "This username is taken. Choose another one.")
            },
            AccountError::EmailAddress => Problem::field(
                "email",
                "email_invalid",
                "This is not an e-mail address. Check it, for example for a missing @. A domain with other letters than a to z is written in its form that begins with xn--.",
            ),
            AccountError::EmailTaken => Problem {
                status: 409,
                ..Problem::field("email", "email_taken", "This address belongs to another account. Use another one.")
            },
            AccountError::EmailListed => Problem {
                status: 409,
                ..Problem::field("email", "email_listed", "This address is on your list already.")
            },
            AccountError::TooManyEmails => Problem {
                status: 409,
                ..Problem::field(
                    "email",
                    "too_many_emails",
                    "An account has ten addresses at most. Remove one that you no longer need, then add this one.",
                )
            },
            AccountError::EmailUnverified => Problem::new(
                409,
                "email_unverified",
                "This address is not verified yet. Type the code that was sent to it, then make it the primary one.",
            ),
            AccountError::EmailIsPrimary => Problem::new(
                409,
                "email_is_primary",
                "This is the primary address, so it stays. Make another one primary, then remove it.",
            ),
            AccountError::EmailKeptForRevert { until } => Problem::new(
                409,
                "email_kept",
                format!("This address can undo the change of your primary address, so it stays until {}.", until.day()),
            ),
            AccountError::Company => Problem::field(
                "company",
                "company_invalid",
                "A company has at most 100 visible characters. Change it and save again.",
            ),
            AccountError::UseCase => {
                Problem::field("use_case", "use_case_unknown", "Choose one of the use cases of the list.")
            }
            AccountError::Bio => Problem::field(
                "bio",
                "bio_invalid",
                "Write 10 to 500 visible characters about yourself, or leave this empty.",
            ),
            AccountError::Colour => {
                Problem::field("colour", "colour_unknown", "Choose one of the colours of the list.")
            }
            AccountError::DisplayName => Problem::field(
                "display_name",
                "display_name_invalid",
                "A display name has 1 to 64 visible characters. Change it and save again.",
            ),
            // One sentence for all of it: how many tries are left would tell a stranger whether the address was new here.
            AccountError::CodeRefused => Problem::field(
                "code",
                "code_refused",
                "This code is not right or no longer good. Type the six digits of the newest mail; after five tries ask for a new one with Resend code.",
            ),
            AccountError::CodeTooSoon { wait_seconds } => Problem {
                retry_after_seconds: Some(wait_seconds),
                ..Problem::new(
                    429,
                    "code_too_soon",
                    "A code was sent a moment ago, or several in the last hour. Wait, then ask again.",
                )
            },
            AccountError::StillPending => Problem::new(
                409,
                "account_pending",
                "Nobody verified this account's address yet. It is deleted a day after it was made; delete it to end it sooner.",
            ),
            AccountError::LinkRefused => {
                Problem::new(400, "link_refused", "This link was used already or is too old. Ask for a new one.")
            }
            AccountError::Db(error) => error.into(),
        }
    }
}
