//! What can go wrong during sign-in with another provider.

use super::super::error::SigninError;
use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;
use crate::outbound::CallError;

/// Why the response of a provider was refused. It is recorded in the audit log; the person sees what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No authorization request has this state, or the request was used, or it is older than ten minutes.
    State,
    /// The request was for another provider.
    Provider,
    /// Another browser started the request.
    Browser,
    /// The response names another issuer than the configured one (RFC 9207).
    Issuer,
    /// The provider did not exchange the code.
    Code,
    /// The provider does not accept this site's own id and secret.
    Client,
    /// The token is not valid: which member of it is wrong, such as `aud`.
    Token(&'static str),
    /// The response does not follow the protocol.
    Answer,
    /// The account at the provider does not belong to an allowed domain.
    Domain,
    /// Only some domains are allowed, and the provider does not say that the address is verified.
    Unverified,
    /// Only some domains are allowed, and the provider gave no address.
    NoAddress,
    /// The account at the provider is not connected to the account here.
    OtherIdentity,
    /// The authentication at the provider is too old.
    OldProof,
}

impl Refusal {
    /// The form that the audit log records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Provider => "provider",
            Self::Browser => "browser",
            Self::Issuer => "issuer",
            Self::Code => "code",
            Self::Client => "client",
            Self::Token(_) => "token",
            Self::Answer => "answer",
            Self::Domain => "domain",
            Self::Unverified => "unverified",
            Self::NoAddress => "no_address",
            Self::OtherIdentity => "other_identity",
            Self::OldProof => "old_proof",
        }
    }

    /// The member of the token that is wrong. `None`: it is about something else.
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Token(member) => Some(member),
            _ => None,
        }
    }
}

/// A refusal or failure during sign-in with another provider.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The provider does not exist, or the person has no such connected account.
    #[error("the provider or the connected account does not exist")]
    NotFound,
    /// The response of the provider failed a check.
    #[error("the response was refused: {0:?}")]
    Refused(Refusal),
    /// The person cancelled at the provider, or the provider refused them.
    #[error("the provider declined the sign-in")]
    Declined {
        /// The label of the provider.
        provider: String,
    },
    /// The provider does not answer, or not in time.
    #[error("{provider} does not answer: {cause}")]
    Unavailable {
        /// The label of the provider.
        provider: String,
        /// The cause, for the log.
        cause: CallError,
    },
    /// The provider can be used only after somebody changes the settings here or there.
    #[error("{provider} cannot be used: {cause}")]
    Misconfigured {
        /// The label of the provider.
        provider: String,
        /// What is wrong, for the log.
        cause: String,
    },
    /// No external identity waits in this browser, or it expired.
    #[error("no identity waits to be connected")]
    NoPendingIdentity,
    /// The account at the provider is connected to another account here.
    #[error("the identity is connected to another account")]
    Taken,
    /// It is the only way to sign in to the account.
    #[error("it is the last sign-in method")]
    LastSignInMethod,
    /// An operator suspended the account.
    #[error("the account is suspended")]
    Suspended,
    /// An account here already verified the address.
    #[error("the address has an account")]
    EmailHasAccount,
    /// A person who has a password or a second factor must confirm with it.
    #[error("a stronger proof is required")]
    StrongerProofRequired,
    /// From the sign-in slice.
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
                "This sign-in was not started in this browser, took more than ten minutes, or was already used. You were not signed in. Start again.",
            ),
            OauthError::Refused(Refusal::OtherIdentity) => Problem::new(
                403,
                "oauth_other_identity",
                "The account that you chose at the provider is not connected to your account here. Start again and choose the connected account.",
            ),
            OauthError::Refused(Refusal::OldProof) => Problem::new(
                403,
                "oauth_old_proof",
                "The provider did not ask you to sign in again, so this confirmation does not count. Sign out at the provider and try again, or set a password with a reset link.",
            ),
            OauthError::Refused(Refusal::Domain) => Problem::new(
                403,
                "oauth_domain",
                "That account does not belong to an organisation that may sign in here. Choose another account, or ask your operator.",
            ),
            OauthError::Refused(Refusal::Unverified) => Problem::new(
                403,
                "oauth_unverified",
                "The provider does not say that your e-mail address is verified, and this site requires it. Verify the address there, or ask your operator.",
            ),
            OauthError::Refused(Refusal::NoAddress) => Problem::new(
                403,
                "oauth_no_address",
                "The provider did not give this site your e-mail address, which it needs. Allow it there, or ask your operator.",
            ),
            OauthError::Refused(Refusal::Client) => Problem {
                cause: Some("the provider does not accept client_id and client_secret".into()),
                ..Problem::new(
                    503,
                    "oauth_misconfigured",
                    "The provider does not accept this site, so nobody can sign in with it. Sign in another way, and tell your operator.",
                )
            },
            OauthError::Refused(
                Refusal::Provider | Refusal::Issuer | Refusal::Code | Refusal::Token(_) | Refusal::Answer,
            ) => Problem::new(
                400,
                "oauth_refused",
                "The answer of the provider could not be verified, so you were not signed in. Start again. If it happens again, sign in another way and tell your operator.",
            ),
            OauthError::Declined { provider } => Problem::new(
                400,
                "oauth_declined",
                format!(
                    "{provider} did not sign you in. You may have cancelled there. Start again, or sign in another way."
                ),
            ),
            OauthError::Unavailable { provider, cause } => Problem {
                cause: Some(cause.to_string().into()),
                ..Problem::busy(
                    "oauth_unavailable",
                    format!("{provider} does not answer right now. Sign in another way, or try again in a moment."),
                    30,
                )
            },
            OauthError::Misconfigured { provider, cause } => Problem {
                cause: Some(cause.into()),
                ..Problem::new(
                    503,
                    "oauth_misconfigured",
                    format!(
                        "{provider} is not set up correctly for this site. Sign in another way, and tell your operator."
                    ),
                )
            },
            OauthError::NoPendingIdentity => Problem::new(
                400,
                "oauth_nothing_waits",
                "No account is waiting to be connected, or the request expired. Start again from the sign-in page.",
            ),
            OauthError::Taken => Problem::new(
                409,
                "identity_taken",
                "That account is connected to another account here. Disconnect it from the other account first.",
            ),
            OauthError::LastSignInMethod => Problem::new(
                409,
                "last_way_in",
                "This is your only way to sign in, so you cannot remove it. Set a password, add a passkey or connect another account first.",
            ),
            OauthError::Suspended => {
                Problem::new(403, "account_suspended", "This account is suspended. Ask your operator about it.")
            }
            OauthError::EmailHasAccount => Problem {
                status: 409,
                ..Problem::field(
                    "email",
                    "email_taken",
                    "You already have an account with this address. Sign in first, then connect.",
                )
            },
            OauthError::StrongerProofRequired => Problem::new(
                403,
                "not_proved",
                "You have a password or a second factor. Use it to confirm that it is you.",
            ),
            OauthError::Signin(error) => error.into(),
        }
    }
}
