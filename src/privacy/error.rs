//! What can be wrong with an export or an erasure.

use crate::accounts::AccountError;
use crate::base::Problem;
use crate::crypto::age_file::NotARecipient;
use crate::db;
use crate::signin::SigninError;

/// Why an export or an erasure was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// The account, export or link does not exist, or the actor may not see it.
    #[error("it does not exist, or belongs to another account")]
    NotFound,
    /// The passphrase is too short, or the public key is invalid.
    #[error("invalid recipient: {0:?}")]
    Recipient(NotARecipient),
    /// Another export of the account is in progress.
    #[error("another export is in progress")]
    ExportRunning,
    /// The limit of exports in 24 hours is reached.
    #[error("too many exports in 24 hours")]
    TooManyExports {
        /// Seconds until another export is possible.
        wait_seconds: u32,
    },
    /// The word `DELETE` was not typed.
    #[error("the deletion was not confirmed")]
    NotConfirmed,
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// The account has no password, and its last confirmation is too old.
    #[error("there is no recent confirmation of identity")]
    NotFresh,
    /// The password was not checked, for example because there were too many wrong ones.
    #[error(transparent)]
    Signin(SigninError),
    /// There is no erasure with this receipt.
    #[error("there is no such receipt")]
    NoErasure,
    /// The receipt does not wait for such a service.
    #[error("the erasure has nothing to do with this service")]
    NoSuchService,
    /// The service can answer, or has answered.
    #[error("the service can answer itself")]
    AnswersItself,
    /// A statement is empty, too long, or has characters that cannot be seen.
    #[error("the statement is empty, too long or not visible")]
    Statement,
    /// The output file already exists.
    #[error("{0} already exists")]
    FileExists(String),
    /// An error of the account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The database or a file returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// The code for a private key in the place of a public one.
pub(super) const PRIVATE_KEY: &str = "recipient_private";

impl From<NotARecipient> for PrivacyError {
    fn from(error: NotARecipient) -> Self {
        Self::Recipient(error)
    }
}

impl From<SigninError> for PrivacyError {
    fn from(error: SigninError) -> Self {
        match error {
            SigninError::NotProved => Self::WrongPassword,
            // The account was erased meanwhile.
            SigninError::SignedOut => Self::NotFound,
            other => Self::Signin(other),
        }
    }
}

impl From<PrivacyError> for Problem {
    fn from(error: PrivacyError) -> Self {
        match error {
            PrivacyError::NotFound => Problem::not_found(),
            PrivacyError::Recipient(fault) => {
                let (field, code) = match fault {
                    NotARecipient::PassphraseTooShort => ("passphrase", "passphrase_short"),
                    NotARecipient::PrivateKey => ("recipient", PRIVATE_KEY),
                    NotARecipient::Hybrid => ("recipient", "recipient_hybrid"),
                    NotARecipient::Plugin => ("recipient", "recipient_plugin"),
                    NotARecipient::UnknownKey => ("recipient", "recipient_unknown"),
                };
                Problem::field(field, code, fault.sentence())
            }
            PrivacyError::ExportRunning => {
                Problem::new(409, "export_running", "An export is already in progress. Wait until it is ready.")
            }
            PrivacyError::TooManyExports { wait_seconds } => Problem {
                retry_after_seconds: Some(wait_seconds),
                ..Problem::new(
                    429,
                    "too_many_exports",
                    "You can request five exports in 24 hours. Download one of them, or try again tomorrow.",
                )
            },
            PrivacyError::NotConfirmed => Problem::field(
                "confirm",
                "not_confirmed",
                "Type DELETE in capital letters to confirm. Nothing was deleted.",
            ),
            PrivacyError::WrongPassword => {
                Problem::field("password", "wrong_password", "The password is wrong. Nothing was deleted.")
            }
            PrivacyError::NotFresh => Problem::new(
                403,
                "not_fresh",
                "You have no password. Confirm with the provider you sign in with, then try again. Nothing was deleted.",
            ),
            PrivacyError::Signin(error) => error.into(),
            PrivacyError::NoErasure => Problem::new(
                404,
                "erasure_not_found",
                "There is no erasure with this receipt. `domicile erasure list` shows all of them.",
            ),
            PrivacyError::NoSuchService => Problem::new(
                404,
                "erasure_service_not_found",
                "The erasure has nothing to do with this service. `domicile erasure show` lists the services that were asked.",
            ),
            PrivacyError::AnswersItself => Problem::new(
                409,
                "service_answers",
                "This service has answered, or can still answer. An operator attests only for a service that was disconnected or has \
                 refused.",
            ),
            PrivacyError::Statement => Problem::field(
                "statement",
                "statement_invalid",
                "Say in one line of at most 1,000 visible characters how you know that the data is gone.",
            ),
            PrivacyError::FileExists(_) => Problem::new(
                409,
                "file_exists",
                "The file already exists and is not overwritten. Choose another file name.",
            ),
            PrivacyError::Account(error) => error.into(),
            PrivacyError::Db(error) => error.into(),
        }
    }
}
