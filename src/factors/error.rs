//! What can be wrong with a second factor.

use crate::base::Problem;
use crate::db;
use crate::sessions::Throttled;

/// A refusal or failure about factors.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The code is wrong, was used, or is of another moment: which of these is not told.
    #[error("the code is not good")]
    CodeRefused,
    /// Too many wrong codes.
    #[error("too many tries")]
    Throttled(Throttled),
    /// Nothing is being set up, or it took too long.
    #[error("nothing is being set up")]
    NoSetUp,
    /// What the browser sent is no answer to a challenge of ours; why is not told.
    #[error("the passkey was refused: {0}")]
    PasskeyRefused(String),
    /// The passkey counts backwards: somebody has a copy of it.
    #[error("the passkey seems to be copied")]
    PasskeyCopied,
    /// Some account has the passkey already.
    #[error("the passkey is known")]
    PasskeyKnown,
    /// As many passkeys as a person can have.
    #[error("too many passkeys")]
    TooManyPasskeys,
    /// The name does not print, or is too long.
    #[error("not a name")]
    Name,
    /// Passkeys hang on a name, and this site has a bare address.
    #[error("no passkeys on a bare address")]
    NoPasskeysHere,
    /// The last factor of somebody who must have one.
    #[error("a second factor is required")]
    Required,
    /// The last way in of somebody without a password.
    #[error("it is the last way in")]
    LastWayIn,
    /// No such factor, or not theirs.
    #[error("no such factor")]
    NotFound,
    /// No second operator, or the proof of theirs was wrong.
    #[error("the second operator did not prove who they are")]
    NotTwoOperators,
    /// The link is unknown, used or too old, or nothing waits any more.
    #[error("the link is not good")]
    LinkRefused,
    /// A sealed secret does not open.
    #[error("the stored secret does not open")]
    Damaged,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::CodeRefused => Problem {
                status: 401,
                ..Problem::field(
                    "code",
                    "factor_refused",
                    "This code is not right, or was used already. Wait for the next one and type that.",
                )
            },
            FactorError::Throttled(throttled) => Problem {
                retry_after_seconds: Some(throttled.wait_seconds),
                ..Problem::new(
                    429,
                    "too_many_tries",
                    format!("Too many wrong codes. Wait {} seconds, then try again.", throttled.wait_seconds),
                )
            },
            FactorError::NoSetUp => Problem::new(
                409,
                "no_set_up",
                "This took longer than half an hour. Go back to Security and begin again.",
            ),
            FactorError::PasskeyRefused(_) => Problem::new(
                401,
                "passkey_refused",
                "This passkey was not accepted. Try again; if it stays, use another way in and add the passkey anew.",
            ),
            FactorError::PasskeyCopied => Problem::new(
                401,
                "passkey_copied",
                "This passkey was not accepted, because a copy of it seems to be in use. Use another way in, then remove it under Security.",
            ),
            FactorError::PasskeyKnown => Problem::new(
                409,
                "passkey_known",
                "This passkey is in use already. Choose another device or password manager.",
            ),
            FactorError::TooManyPasskeys => {
                Problem::new(409, "too_many_passkeys", "You have 20 passkeys, which is the limit. Remove one first.")
            }
            FactorError::Name => Problem::field(
                "passkey-name",
                "passkey_name_invalid",
                "A name has at most 64 visible characters. Change it and try again.",
            ),
            FactorError::NoPasskeysHere => Problem::new(
                409,
                "no_passkeys_here",
                "Passkeys need a host name, and this site has a bare address. Ask your operator to set public_url to a name.",
            ),
            FactorError::Required => Problem::new(
                409,
                "factor_required",
                "You must have a second factor here, and this is your last. Add another one first.",
            ),
            FactorError::LastWayIn => Problem::new(
                409,
                "last_way_in",
                "This is your only way to sign in. Set a password or add another passkey first.",
            ),
            FactorError::NotFound => Problem::not_found(),
            FactorError::NotTwoOperators => Problem::new(
                403,
                "not_two_operators",
                "The second operator is not one, has no second factor, or the password or code is wrong; nothing was changed.",
            ),
            FactorError::LinkRefused => Problem::new(
                400,
                "link_refused",
                "This link is no longer good: nothing waits any more, or it is too old. Sign in to see how things are.",
            ),
            FactorError::Damaged => Problem::ours("a sealed second factor does not open"),
            FactorError::Db(error) => error.into(),
        }
    }
}
