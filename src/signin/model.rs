//! What somebody brings to the door, and what they get.

use crate::accounts::Username;
use crate::base::{AccountId, EmailAddress, Secret};
use crate::factors::Assertion;

/// A sign-up as typed.
pub struct SignUp {
    /// Where they can be written to.
    pub email: String,
    /// What they want to be called in links.
    pub username: String,
    /// Their password.
    pub password: Secret<String>,
    /// The first operator's one-time link. Empty: an ordinary sign-up.
    pub claim: String,
}

/// A sign-up was taken. The same for an address that is new and for one that has an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedUp {
    /// Whose code is waited for.
    pub account: AccountId,
}

/// Who types a new password, as far as it is known: what others know of them is no good in it.
pub enum Asker {
    /// Somebody in a session.
    SignedIn(AccountId),
    /// The bearer of a reset link.
    Resetting(String),
    /// A stranger, with what they typed beside it.
    SigningUp {
        /// Their address.
        email: String,
        /// Their username.
        username: String,
    },
}

/// A sign-in as typed.
pub struct SignIn {
    /// Username or e-mail address.
    pub name: String,
    /// The password.
    pub password: Secret<String>,
    /// Whether to stay signed in on this device.
    pub remember: bool,
}

/// What the method of a sign-in from elsewhere begins with: parted from the others, because admins name providers as they like.
pub(super) const PROVIDER: &str = "oauth:";

/// What somebody proved on the way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password,
    /// The code that was mailed to the address they signed up with.
    Code,
    /// An account at another provider, as [`Proof::provider`] writes it.
    Provider(String),
    /// An invitation to their address.
    Invitation,
    /// A passkey that also verified its person.
    Passkey,
}

impl Proof {
    /// An account at the provider of this name.
    pub fn provider(name: &str) -> Self {
        Self::Provider(format!("{PROVIDER}{name}"))
    }

    /// As stored with the session and recorded in the audit.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Provider(provider) => provider,
            Self::Invitation => "invitation",
            Self::Passkey => "passkey",
        }
    }

    /// Whether it is two factors in one: something one has, opened by something one is or knows. All others leave the second
    /// one to be asked for.
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Passkey)
    }
}

/// A second factor as it comes through the door.
pub enum Presented {
    /// A code of the app, or a recovery code.
    Typed(Secret<String>),
    /// What a browser made of a challenge.
    Passkey(Assertion),
}

/// A proof by somebody who is signed in already.
pub enum StepUp {
    /// The password: enough for whoever has no second factor.
    Password(Secret<String>),
    /// A second factor.
    Factor(Presented),
}

/// Which proofs somebody who is signed in can give: as strong as what they enrolled (ASVS 5.0 7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofsOpen {
    /// The password.
    pub password: bool,
    /// A code of the app, or a recovery code.
    pub code: bool,
    /// A passkey.
    pub passkey: bool,
    /// A sign-in at a provider that they are connected with: for somebody who has nothing else.
    pub provider: bool,
}

/// How a sign-in went on.
pub enum Started {
    /// In: the value of the session cookie.
    Session {
        /// The cookie's value.
        token: Secret<String>,
        /// How long the browser keeps it. `None`: until it is closed.
        keep: Option<std::time::Duration>,
        /// The value of the browser's device cookie.
        device: Secret<String>,
    },
    /// The first factor was right; the second is owed: the value of the half-session's cookie, which opens nothing.
    MustProve(Secret<String>),
    /// The password was right; the address still has to be proved.
    MustVerify(AccountId),
}

/// A person to be made at the command line or for the demonstration.
pub struct NewPerson {
    /// Where they can be written to.
    pub email: EmailAddress,
    /// Their name in links.
    pub username: Username,
    /// Argon2id, PHC string. `None`: they get a link to set one.
    pub password: Option<String>,
    /// Whether the address counts as proved.
    pub is_verified: bool,
    /// Whether they run the appliance, too.
    pub is_operator: bool,
}
