//! What can be wrong at the door.

use crate::accounts::AccountError;
use crate::api_keys::ApiKeyError;
use crate::base::Problem;
use crate::billing;
use crate::crypto::{HashingBusy, PasswordFault};
use crate::db;
use crate::factors::FactorError;
use crate::invitations::InvitationError;
use crate::people::PeopleError;
use crate::sessions::Throttled;

/// A refusal or failure at the door.
#[derive(Debug, thiserror::Error)]
pub enum SigninError {
    /// Name or password is wrong, or nobody has that name: which of these is not told.
    #[error("name or password is wrong")]
    BadCredentials,
    /// The proof that somebody is still the one who signed in is wrong.
    #[error("the proof is wrong")]
    NotProved,
    /// The first step is too long ago, or there were too many wrong codes.
    #[error("the half-session is over")]
    HalfOver,
    /// The session ended meanwhile.
    #[error("the session ended")]
    SignedOut,
    /// Too many wrong tries.
    #[error("too many tries")]
    Throttled(Throttled),
    /// Sign-up is closed, or not for this address.
    #[error("sign-up is closed")]
    Closed,
    /// Somebody runs the appliance already.
    #[error("there is an operator already")]
    OperatorExists,
    /// The password may not be used.
    #[error("the password may not be used: {0:?}")]
    Password(PasswordFault),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// About a second factor.
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// About the account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// About what the person says about themselves.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// About keys.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// About an invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// About its wallet.
    #[error(transparent)]
    Billing(#[from] billing::BillingError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<SigninError> for Problem {
    fn from(error: SigninError) -> Self {
        match error {
            SigninError::BadCredentials => Problem::new(
                401,
                "bad_credentials",
                "Name or password is wrong. Check both, or reset your password. An address counts once it is verified; until then use your username.",
            ),
            SigninError::NotProved => Problem {
                status: 403,
                ..Problem::field("proof", "not_proved", "This is not right. Check it and try again.")
            },
            SigninError::HalfOver => Problem::new(
                401,
                "signin_over",
                "This took longer than ten minutes, or there were too many wrong codes. Sign in again.",
            ),
            SigninError::SignedOut => Problem::new(401, "signed_out", "You were signed out. Sign in again."),
            SigninError::Throttled(throttled) => Problem {
                retry_after_seconds: Some(throttled.wait_seconds),
                ..Problem::new(
                    429,
                    "too_many_tries",
                    format!("Too many wrong tries. Wait {} seconds, then try again.", throttled.wait_seconds),
                )
            },
            SigninError::Closed => Problem::new(
                403,
                "signup_closed",
                "Sign-up is not open for this address. Ask your operator for an account.",
            ),
            SigninError::OperatorExists => Problem::new(
                409,
                "operator_exists",
                "There is an operator already. Make another one with `domicile account create --operator` or `domicile account invite --operator`.",
            ),
            SigninError::Password(fault) => fault.into(),
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
