//! What can be wrong with an export or an erasure.

use crate::accounts::AccountError;
use crate::base::Problem;
use crate::crypto::HashingBusy;
use crate::crypto::age_file::NotARecipient;
use crate::db;

/// A refusal or failure about somebody's data.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// There is no such account, export or link, or it is not yours.
    #[error("there is no such thing, or it is somebody else's")]
    NotFound,
    /// The passphrase is too short, or the key is none.
    #[error("not a recipient: {0:?}")]
    Recipient(NotARecipient),
    /// One is being made.
    #[error("an export is under way")]
    ExportRunning,
    /// Enough for today.
    #[error("too many exports in a day")]
    TooManyExports {
        /// Until one more is made.
        wait_seconds: u32,
    },
    /// The word was not typed.
    #[error("the deletion was not confirmed")]
    NotConfirmed,
    /// The password is not right.
    #[error("the password is wrong")]
    WrongPassword,
    /// There is no password to type, and no fresh proof of who it is.
    #[error("there is no fresh proof")]
    NotFresh,
    /// Too many wrong passwords.
    #[error("too many wrong passwords")]
    Throttled {
        /// Until the next try.
        wait_seconds: u32,
    },
    /// The file to write exists.
    #[error("{0} exists already")]
    FileExists(String),
    /// The account itself.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// The store, or a file.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<NotARecipient> for PrivacyError {
    fn from(error: NotARecipient) -> Self {
        Self::Recipient(error)
    }
}

impl From<PrivacyError> for Problem {
    fn from(error: PrivacyError) -> Self {
        match error {
            PrivacyError::NotFound => Problem::not_found(),
            PrivacyError::Recipient(NotARecipient::PassphraseTooShort) => Problem::field(
                "passphrase",
                "passphrase_short",
                "A passphrase has at least 8 characters. Choose a longer one; without it nobody can open the export.",
            ),
            PrivacyError::Recipient(NotARecipient::UnknownKey) => Problem::field(
                "recipient",
                "recipient_unknown",
                "This is neither an age recipient (age1…) nor an SSH public key (ssh-ed25519 or ssh-rsa). Check it, or use a passphrase.",
            ),
            PrivacyError::ExportRunning => {
                Problem::new(409, "export_running", "An export is being made already. Wait until it is ready.")
            }
            PrivacyError::TooManyExports { wait_seconds } => Problem {
                retry_after_seconds: Some(wait_seconds),
                ..Problem::new(
                    429,
                    "too_many_exports",
                    "Five exports were made in a day. Download one of them, or come back tomorrow.",
                )
            },
            PrivacyError::NotConfirmed => Problem::field(
                "confirm",
                "not_confirmed",
                "Type DELETE in capital letters to confirm. Nothing was deleted.",
            ),
            PrivacyError::WrongPassword => {
                Problem::field("password", "wrong_password", "This is not your password. Nothing was deleted.")
            }
            PrivacyError::NotFresh => Problem::new(
                403,
                "not_fresh",
                "You have no password, so first confirm that it is you where you come in with. Nothing was deleted.",
            ),
            PrivacyError::Throttled { wait_seconds } => Problem {
                retry_after_seconds: Some(wait_seconds),
                ..Problem::new(429, "throttled", "There were too many wrong passwords. Wait a little, then try again.")
            },
            PrivacyError::FileExists(_) => {
                Problem::new(409, "file_exists", "The file exists already and is never overwritten. Name another one.")
            }
            PrivacyError::Account(error) => error.into(),
            PrivacyError::Busy(error) => error.into(),
            PrivacyError::Db(error) => error.into(),
        }
    }
}
