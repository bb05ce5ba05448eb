//! What somebody brings to the door, and what they get.

use crate::accounts::Username;
use crate::base::{AccountId, EmailAddress, Secret};

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

/// What somebody proved on the way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password,
    /// The code that was mailed to the address they signed up with.
    Code,
    /// An invitation to their address.
    Invitation,
}

impl Proof {
    /// As stored with the session and recorded in the audit.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Invitation => "invitation",
        }
    }
}

/// A proof typed by somebody who is signed in already.
pub struct StepUp {
    /// The password.
    pub password: Secret<String>,
}

/// How a sign-in went on.
pub enum Started {
    /// In: the value of the session cookie.
    Session {
        /// The cookie's value.
        token: Secret<String>,
        /// How long the browser keeps it. `None`: until it is closed.
        keep: Option<std::time::Duration>,
    },
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
