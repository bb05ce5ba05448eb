//! Errors about accounts.

use super::model::UsernameFault;
use crate::base::{Problem, Timestamp, wait_in_words};
use crate::db;

/// Why an operation on accounts was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account, or it is not the actor's.
    #[error("no such account")]
    NotFound,
    /// The text is not a username.
    #[error("not a username: {0:?}")]
    Username(UsernameFault),
    /// An account has the username, or had it less than a year ago.
    #[error("the username is taken")]
    UsernameTaken,
    /// The username looks like that of another account.
    #[error("the username looks like another one")]
    UsernameConfusable,
    /// The text is not an e-mail address.
    #[error("not an e-mail address")]
    EmailAddress,
    /// The address belongs to another account.
    #[error("the address belongs to another account")]
    EmailTaken,
    /// The account has the address already.
    #[error("the account has the address already")]
    EmailListed,
    /// The account has the largest number of addresses already.
    #[error("the account has too many addresses")]
    TooManyEmails,
    /// The address must be verified first.
    #[error("the address is not verified")]
    EmailUnverified,
    /// The primary address cannot be removed.
    #[error("the primary address cannot be removed")]
    EmailIsPrimary,
    /// The address cannot be removed while it can undo a change.
    #[error("the address can undo a change until later")]
    EmailKeptForRevert {
        /// When it can be removed.
        until: Timestamp,
    },
    /// The company is too long or has invisible characters.
    #[error("not a company")]
    Company,
    /// There is no such use case.
    #[error("not a use case")]
    UseCase,
    /// The text about the person is too short, too long or has invisible characters.
    #[error("not a bio")]
    Bio,
    /// There is no such colour.
    #[error("not a colour")]
    Colour,
    /// The display name is empty, too long or has invisible characters.
    #[error("not a display name")]
    DisplayName,
    /// The code is wrong, used or expired.
    #[error("the code was refused")]
    CodeRefused,
    /// The text does not have the form of a code.
    #[error("not a code")]
    CodeMalformed,
    /// A code was sent less than a minute ago, or too many in an hour.
    #[error("a code was sent a moment ago")]
    CodeTooSoon {
        /// At least 1.
        wait_seconds: u32,
    },
    /// The address of the account is not verified yet.
    #[error("the account is pending")]
    StillPending,
    /// The one-time link is unknown, used or expired.
    #[error("the link was refused")]
    LinkRefused,
    /// The database failed.
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
                "A username can have lower-case letters, digits and single hyphens between them. Choose another one.",
            ),
            AccountError::Username(UsernameFault::Reserved) => {
                Problem::field("username", "username_reserved", "This username is reserved. Choose another one.")
            }
            AccountError::Username(UsernameFault::ConfusableReserved) => Problem::field(
                "username",
                "username_confusable",
                "This username looks too similar to a reserved one. Choose a different one.",
            ),
            AccountError::UsernameConfusable => Problem {
                status: 409,
                ..Problem::field(
                    "username",
                    "username_confusable",
                    "This username looks too similar to another person's. Choose a different one.",
                )
            },
            AccountError::UsernameTaken => Problem {
                status: 409,
                ..Problem::field("username", "username_taken", "This username is taken. Choose another one.")
            },
            AccountError::EmailAddress => Problem::field(
                "email",
                "email_invalid",
                "This is not a valid email address. Check it, for example for a missing @. Before the @ it can have letters from a to z, digits and a few signs.",
            ),
            AccountError::EmailTaken => Problem {
                status: 409,
                ..Problem::field("email", "email_taken", "This address belongs to another account. Use another one.")
            },
            AccountError::EmailListed => Problem {
                status: 409,
                ..Problem::field("email", "email_listed", "This address is already on your list.")
            },
            AccountError::TooManyEmails => Problem {
                status: 409,
                ..Problem::field(
                    "email",
                    "too_many_emails",
                    "An account can have at most ten addresses. Remove one that you no longer need, then add this one.",
                )
            },
            AccountError::EmailUnverified => Problem::new(
                409,
                "email_unverified",
                "This address is not verified yet. Enter the code that we sent to it, then set it as primary.",
            ),
            AccountError::EmailIsPrimary => Problem::new(
                409,
                "email_is_primary",
                "This is your primary address, so it cannot be removed. Set another address as primary, then remove this one.",
            ),
            AccountError::EmailKeptForRevert { until } => Problem::new(
                409,
                "email_kept",
                format!(
                    "This address can undo the change of your primary address, so it cannot be removed until {}.",
                    until.day()
                ),
            ),
            AccountError::Company => Problem::field(
                "company",
                "company_invalid",
                "A company name can have at most 100 visible characters. Change it and save again.",
            ),
            AccountError::UseCase => Problem::field("use_case", "use_case_unknown", "Choose a use case from the list."),
            AccountError::Bio => Problem::field(
                "bio",
                "bio_invalid",
                "Write 10 to 500 visible characters about yourself, or leave this empty.",
            ),
            AccountError::Colour => Problem::field("colour", "colour_unknown", "Choose a colour from the list."),
            AccountError::DisplayName => Problem::field(
                "display_name",
                "display_name_invalid",
                "A display name must have 1 to 64 visible characters. Change it and save again.",
            ),
            // One sentence for all cases: the number of remaining tries would tell an attacker whether the address is
            // new here.
            AccountError::CodeRefused => Problem::field(
                "code",
                "code_refused",
                "This code is wrong or no longer valid. Enter the six digits from the newest email. After five tries, request a new one with Resend code.",
            ),
            AccountError::CodeMalformed => Problem::field(
                "code",
                "code_malformed",
                "A code has six digits. Enter the ones from the newest email. This did not use up a try.",
            ),
            AccountError::CodeTooSoon { wait_seconds } => Problem {
                retry_after_seconds: Some(wait_seconds),
                ..Problem::new(
                    429,
                    "code_too_soon",
                    format!(
                        "No new code was sent, because the last one is not old enough. Use the code in the newest email, or request another one in {}.",
                        wait_in_words(wait_seconds)
                    ),
                )
            },
            AccountError::StillPending => Problem::new(
                409,
                "account_pending",
                "The address of this account is not verified yet. The account will be deleted a day after it was created. To end it sooner, delete it.",
            ),
            AccountError::LinkRefused => {
                Problem::new(400, "link_refused", "This link was used or has expired. Request a new one.")
            }
            AccountError::Db(error) => error.into(),
        }
    }
}
