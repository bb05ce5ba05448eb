//! What can be wrong with an account.

use super::model::UsernameFault;
use crate::base::Problem;
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
    /// The text is not an e-mail address.
    #[error("not an e-mail address")]
    EmailAddress,
    /// The address is another account's.
    #[error("the address belongs to another account")]
    EmailTaken,
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
            AccountError::UsernameTaken => Problem {
                status: 409,
                ..Problem::field("username", "username_taken", "This username is taken. Choose another one.")
            },
            AccountError::EmailAddress => Problem::field(
                "email",
                "email_invalid",
                "This is not an e-mail address. Check it, for example for a missing @.",
            ),
            AccountError::EmailTaken => Problem {
                status: 409,
                ..Problem::field("email", "email_taken", "This address belongs to another account. Use another one.")
            },
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
