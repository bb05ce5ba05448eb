//! What can be wrong on the way to a provider and back.

use super::super::error::SigninError;
use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;
use crate::outbound::CallError;

/// Why an answer was not believed; recorded in the audit, not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No way has this state, or it was used, or its ten minutes are over.
    State,
    /// The way leads to another provider.
    Provider,
    /// Another browser left on this way.
    Browser,
    /// Another issuer answers than the one that was asked (RFC 9207).
    Issuer,
    /// The provider did not exchange the code.
    Code,
    /// The ID token is not good.
    Token,
    /// What came back is not what the protocol says.
    Answer,
    /// The account there is not the one that is connected here.
    OtherIdentity,
    /// The proof there is too old.
    OldProof,
}

impl Refusal {
    /// As recorded.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Provider => "provider",
            Self::Browser => "browser",
            Self::Issuer => "issuer",
            Self::Code => "code",
            Self::Token => "token",
            Self::Answer => "answer",
            Self::OtherIdentity => "other_identity",
            Self::OldProof => "old_proof",
        }
    }
}

/// A refusal or failure about other providers.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// There is no such provider, or no such connected account of yours.
    #[error("there is no such thing")]
    NotFound,
    /// The answer is not to be believed.
    #[error("the answer was refused: {0:?}")]
    Refused(Refusal),
    /// The person said no at the provider, or it did.
    #[error("the provider said no")]
    Declined {
        /// Its label.
        provider: String,
    },
    /// The provider does not answer, or not in time.
    #[error("{provider} does not answer: {cause}")]
    Down {
        /// Its label.
        provider: String,
        /// Why, for the log.
        cause: CallError,
    },
    /// Nobody of this browser waits to be connected, or no longer.
    #[error("nothing waits")]
    NothingWaits,
    /// The account there is connected with another one here.
    #[error("the identity is another account's")]
    Taken,
    /// It is the only way into the account.
    #[error("it is the last way in")]
    LastWayIn,
    /// The account is stopped.
    #[error("the account is suspended")]
    Suspended,
    /// The account there is not of a domain that may come in.
    #[error("the domain is not allowed")]
    Domain,
    /// Somebody here verified the address.
    #[error("the address has an account")]
    HasAccount,
    /// Who has a password or a second factor proves themselves with that.
    #[error("there is a better proof")]
    HasBetterProof,
    /// About the door itself.
    #[error(transparent)]
    Signin(#[from] SigninError),
}

impl From<AccountError> for OauthError {
    fn from(error: AccountError) -> Self {
        Self::Signin(error.into())
    }
}

impl From<db::Error> for OauthError {
    fn from(error: db::Error) -> Self {
        Self::Signin(error.into())
    }
}

impl From<OauthError> for Problem {
    fn from(error: OauthError) -> Self {
        match error {
            OauthError::NotFound => Problem::not_found(),
            OauthError::Refused(Refusal::State | Refusal::Browser) => Problem::new(
                400,
                "oauth_refused",
                "This sign-in was not begun in this browser, took more than ten minutes, or was used already. Nobody was signed in. Start again.",
            ),
            OauthError::Refused(Refusal::OtherIdentity) => Problem::new(
                403,
                "oauth_other_identity",
                "The account you chose there is not connected with yours here. Start again and choose the other one.",
            ),
            OauthError::Refused(Refusal::OldProof) => Problem::new(
                403,
                "oauth_old_proof",
                "The provider did not ask you again who you are, so this does not count. Sign out there and try again, or set a password with a reset link.",
            ),
            OauthError::Refused(_) => Problem::new(
                400,
                "oauth_refused",
                "The provider's answer could not be trusted, so nobody was signed in. Start again, or come in another way.",
            ),
            OauthError::Declined { provider } => Problem::new(
                400,
                "oauth_declined",
                format!(
                    "{provider} did not sign you in. Perhaps you said no there. Start again, or come in another way."
                ),
            ),
            OauthError::Down { provider, cause } => Problem {
                cause: Some(cause.to_string()),
                ..Problem::busy(
                    "oauth_unavailable",
                    format!("{provider} does not answer right now. Come in another way, or try again in a moment."),
                    30,
                )
            },
            OauthError::NothingWaits => Problem::new(
                400,
                "oauth_nothing_waits",
                "Nothing waits to be connected here, or it waited too long. Start again from the sign-in page.",
            ),
            OauthError::Taken => Problem::new(
                409,
                "identity_taken",
                "That account is connected with another account here. Disconnect it there first.",
            ),
            OauthError::LastWayIn => Problem::new(
                409,
                "last_way_in",
                "This is your only way in, so it stays. Set a password, add a passkey or connect another account first.",
            ),
            OauthError::Suspended => {
                Problem::new(403, "account_suspended", "This account is stopped. Ask your operator about it.")
            }
            OauthError::Domain => Problem::new(
                403,
                "oauth_domain",
                "That account is not of an organisation that may come in here. Choose another one, or ask your operator.",
            ),
            OauthError::HasAccount => Problem {
                status: 409,
                ..Problem::field(
                    "email",
                    "email_taken",
                    "You have an account here with this address. Sign in first, then connect.",
                )
            },
            OauthError::HasBetterProof => Problem::new(
                403,
                "not_proved",
                "You have a password or a second factor here: prove with that that it is you.",
            ),
            OauthError::Signin(error) => error.into(),
        }
    }
}
