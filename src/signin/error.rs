//! What can go wrong during sign-up, sign-in and step-up.

use crate::accounts::AccountError;
use crate::api_keys::ApiKeyError;
use crate::base::Problem;
use crate::billing;
use crate::crypto::{HashingBusy, NewPasswordError, PasswordFault};
use crate::db;
use crate::factors::FactorError;
use crate::invitations::InvitationError;
use crate::people::PeopleError;
use crate::sessions::{RetryAfter, TooManyMails};

/// A refusal or failure during sign-up, sign-in or step-up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SigninError {
    /// The name or the password is wrong, or no account has the name. The answer does not say which.
    #[error("name or password is wrong")]
    BadCredentials,
    /// The proof of a step-up is wrong.
    #[error("the proof is wrong")]
    NotProved,
    /// The proof of a step-up has the form of no code.
    #[error("the proof is not a code")]
    ProofMalformed,
    /// The pending sign-in expired, or there were too many wrong codes.
    #[error("the pending sign-in is over")]
    PendingSignInOver,
    /// The session ended while the request ran.
    #[error("the session ended")]
    SignedOut,
    /// The person reported that a sign-in was not theirs. Every sign-in is refused until the account has a new
    /// password.
    #[error("the account is locked until it has a new password")]
    Disowned,
    /// There were too many wrong attempts.
    #[error("too many attempts")]
    Throttled(RetryAfter),
    /// There were too many wrong attempts at this name, so this browser must be confirmed with the mailed link.
    #[error("the browser must be confirmed by mail")]
    MustConfirm,
    /// Too many mails were requested by people who are not signed in.
    #[error(transparent)]
    TooManyMails(#[from] TooManyMails),
    /// Sign-up is closed, or it is not open for this address.
    #[error("sign-up is closed")]
    Closed,
    /// The appliance already has an operator.
    #[error("there is an operator already")]
    OperatorExists,
    /// The password breaks a rule for new passwords.
    #[error("the password may not be used: {0:?}")]
    Password(PasswordFault),
    /// Several fields of a form are wrong.
    #[error("several fields are wrong")]
    Several(Vec<SigninError>),
    /// The queue of passwords to hash is full.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    #[error(transparent)]
    Factor(#[from] FactorError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    #[error(transparent)]
    Billing(#[from] billing::BillingError),
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<NewPasswordError> for SigninError {
    fn from(error: NewPasswordError) -> Self {
        match error {
            NewPasswordError::Fault(fault) => Self::Password(fault),
            NewPasswordError::Busy(busy) => Self::Busy(busy),
        }
    }
}

impl From<RetryAfter> for SigninError {
    fn from(wait: RetryAfter) -> Self {
        Self::Throttled(wait)
    }
}

impl From<SigninError> for Problem {
    fn from(error: SigninError) -> Self {
        match error {
            SigninError::BadCredentials => Problem::new(
                401,
                "bad_credentials",
                "The name or the password is wrong. Check both, or reset your password. If your address is not verified yet, use your username.",
            ),
            SigninError::NotProved => Problem {
                status: 403,
                ..Problem::field("proof", "not_proved", "This is not correct. Check it and try again.")
            },
            SigninError::ProofMalformed => {
                Problem { field: Some("proof"), ..Problem::from(FactorError::CodeMalformed) }
            }
            SigninError::PendingSignInOver => Problem::new(
                401,
                "signin_over",
                "The sign-in took longer than ten minutes, or there were too many wrong codes. Sign in again.",
            ),
            SigninError::SignedOut => Problem::new(401, "signed_out", "You were signed out. Sign in again."),
            SigninError::Disowned => Problem::new(
                403,
                "disowned",
                "This account is locked, because you reported that a sign-in was not yours. Set a new password with the link in our email, or request another link under \"Forgot your password?\".",
            ),
            SigninError::Throttled(wait) => wait.into(),
            SigninError::MustConfirm => Problem::new(
                403,
                "must_confirm",
                "There were too many wrong attempts with this name. Open the link in our email in this browser, then sign in.",
            ),
            SigninError::TooManyMails(refused) => refused.into(),
            SigninError::Closed => Problem::new(
                403,
                "signup_closed",
                "Sign-up is not open for this address. Ask your operator for an account.",
            ),
            SigninError::OperatorExists => Problem::new(
                409,
                "operator_exists",
                "The appliance already has an operator. Create another one with `domicile account create --operator` or `domicile account invite --operator`.",
            ),
            SigninError::Password(fault) => fault.into(),
            SigninError::Several(errors) => Problem::of_several(errors.into_iter().map(Self::from)),
            SigninError::Busy(busy) => busy.into(),
            SigninError::Factor(error) => error.into(),
            SigninError::Account(error) => error.into(),
            SigninError::People(error) => error.into(),
            SigninError::ApiKey(error) => error.into(),
            SigninError::Invitation(error) => error.into(),
            SigninError::Billing(error) => error.into(),
            SigninError::Db(error) => error.into(),
        }
    }
}
