//! Errors about second factors.

use crate::base::Problem;
use crate::db;
use crate::sessions::RetryAfter;

/// Why an operation on factors was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The code is wrong, was used, or belongs to another time. The answer does not tell which.
    #[error("the code was refused")]
    CodeRefused,
    /// The text has the form of no code.
    #[error("not a code")]
    CodeMalformed,
    /// There were too many wrong codes.
    #[error("too many wrong codes")]
    Throttled(RetryAfter),
    /// No authenticator app is being set up, or the set-up expired.
    #[error("nothing is being set up")]
    NoSetUp,
    /// The response is not a valid answer to one of our challenges. The person is not told why.
    #[error("the passkey was refused: {0}")]
    PasskeyRefused(String),
    /// The counter of the passkey went back: a copy of it seems to exist.
    #[error("the passkey seems to be copied")]
    PasskeyCopied,
    /// An account has the passkey already.
    #[error("an account has the passkey already")]
    PasskeyKnown,
    /// The account has the largest number of passkeys already.
    #[error("too many passkeys")]
    TooManyPasskeys,
    /// The name of a passkey is too long, or has invisible characters.
    #[error("not a name of a passkey")]
    Name,
    /// Passkeys need a host name, and this site has only an IP address.
    #[error("passkeys need a host name")]
    NoPasskeysHere,
    /// It is the last factor of a person who must have one.
    #[error("a second factor is required")]
    Required,
    /// It is the only way to sign in of a person without a password.
    #[error("it is the only way to sign in")]
    LastSignInMethod,
    /// There is no such factor, or it belongs to another account.
    #[error("no such factor")]
    NotFound,
    /// The second account is not an operator, or a proof was wrong.
    #[error("the second operator did not prove who they are")]
    NotTwoOperators,
    /// The link is unknown, used or expired, or no reset is pending.
    #[error("the link was refused")]
    LinkRefused,
    /// A sealed secret cannot be opened.
    #[error("the stored secret cannot be opened")]
    Damaged,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<RetryAfter> for FactorError {
    fn from(wait: RetryAfter) -> Self {
        Self::Throttled(wait)
    }
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::CodeRefused => Problem {
                status: 401,
                ..Problem::field(
                    "code",
                    "factor_refused",
                    "This code is wrong or was used before. Wait for the next code, then enter it.",
                )
            },
            FactorError::CodeMalformed => Problem::field(
                "code",
                "code_malformed",
                "Enter the six digits from your app, or one of your recovery codes. This did not use up a try.",
            ),
            FactorError::Throttled(wait) => wait.into(),
            FactorError::NoSetUp => {
                Problem::new(409, "no_set_up", "The set-up expired after 30 minutes. Go to Security and start again.")
            }
            FactorError::PasskeyRefused(_) => Problem::new(
                401,
                "passkey_refused",
                "This passkey was not accepted. Try again. If it fails again, sign in another way, remove the passkey and add it again.",
            ),
            FactorError::PasskeyCopied => Problem::new(
                401,
                "passkey_copied",
                "This passkey was not accepted because a copy of it seems to be in use. Sign in another way, then remove it under Security.",
            ),
            FactorError::PasskeyKnown => Problem::new(
                409,
                "passkey_known",
                "This passkey is already in use. Choose another device or password manager.",
            ),
            FactorError::TooManyPasskeys => {
                Problem::new(409, "too_many_passkeys", "You have 20 passkeys, which is the limit. Remove one first.")
            }
            FactorError::Name => Problem::field(
                "passkey-name",
                "passkey_name_invalid",
                "A name can have at most 64 visible characters. Change it and try again.",
            ),
            FactorError::NoPasskeysHere => Problem::new(
                409,
                "no_passkeys_here",
                "Passkeys need a host name, but this site has only an IP address. Ask your operator to set public_url to a host name.",
            ),
            FactorError::Required => Problem::new(
                409,
                "factor_required",
                "This site requires a second factor, and this is your last one. Add another one first.",
            ),
            FactorError::LastSignInMethod => Problem::new(
                409,
                "last_way_in",
                "This is your only way to sign in. Set a password or add another passkey first.",
            ),
            FactorError::NotFound => Problem::not_found(),
            FactorError::NotTwoOperators => Problem::new(
                403,
                "not_two_operators",
                "The second operator could not be confirmed: the account is not an operator or has no second factor, or the password or code is wrong. Nothing was changed.",
            ),
            FactorError::LinkRefused => Problem::new(
                400,
                "link_refused",
                "This link has expired or was used, or there is no removal to stop. Sign in to check your second factors.",
            ),
            FactorError::Damaged => Problem::internal("a sealed second factor cannot be opened"),
            FactorError::Db(error) => error.into(),
        }
    }
}
