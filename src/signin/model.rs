//! Input and results of sign-up, sign-in and step-up.

use crate::accounts::Username;
use crate::base::{AccountId, EmailAddress, Secret};
use crate::config::Provider;
use crate::config::{Config, Signup, SignupMode};
use crate::factors::{Assertion, EnrolledFactors};

/// The sign-up form.
pub struct SignUp {
    #[allow(missing_docs)]
    pub email: String,
    #[allow(missing_docs)]
    pub username: String,
    #[allow(missing_docs)]
    pub password: Secret<String>,
}

/// Whether people can create an account by themselves, as `[signup]` in the configuration says. Sign-up with a claim or an
/// invitation needs no gate: an operator decided it.
#[derive(Clone, Copy)]
pub struct SignUpGate<'c>(&'c Signup);

impl<'c> SignUpGate<'c> {
    #[allow(missing_docs)]
    pub fn new(config: &'c Config) -> Self {
        Self(&config.signup)
    }

    /// Whether anybody can sign up, at least with some addresses. Otherwise the pages show no form.
    pub fn is_open(self) -> bool {
        matches!(self.0.mode, SignupMode::Open | SignupMode::Domains)
    }

    /// Whether people can be told to ask for an invitation.
    pub fn is_by_invitation(self) -> bool {
        self.0.mode == SignupMode::Invite
    }

    /// The domains whose addresses may sign up. Empty: every domain, where sign-up is open.
    pub fn domains(self) -> &'c [String] {
        if self.0.mode == SignupMode::Domains { &self.0.domains } else { &[] }
    }

    /// Whether a person with this address can sign up.
    pub fn admits(self, email: &EmailAddress) -> bool {
        match self.0.mode {
            SignupMode::Open => true,
            SignupMode::Domains => self.0.domains.contains(&email.domain()),
            SignupMode::Invite | SignupMode::Closed => false,
        }
    }
}

/// An accepted sign-up that waits for its code. It is the same for a new address and for one that has an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingSignUp {
    /// The pending account.
    pub account: AccountId,
}

/// A sign-up that waits for its code, with what its person proves when they sign up again in another browser.
pub(super) struct WaitingSignUp {
    pub account: AccountId,
    /// Attempts with the same key are serialized.
    pub serial_key: String,
    /// The stored hash of its password.
    pub password: Option<String>,
}

/// For whom a new password is typed. The password must not be built from public words about that person.
pub enum PasswordContext {
    /// A signed-in person.
    SignedIn(AccountId),
    /// A person with a reset link; the token of the link.
    Resetting(String),
    /// A person who signs up.
    SigningUp {
        /// The address in the form, unchecked.
        email: String,
        /// The username in the form, unchecked.
        username: String,
    },
}

/// The sign-in form.
pub struct SignIn {
    /// Username or e-mail address.
    pub name: String,
    #[allow(missing_docs)]
    pub password: Secret<String>,
    /// Whether the browser keeps the session after it is closed.
    pub remember: bool,
}

/// The prefix of the method of a sign-in with another provider. Admins choose the names of providers, so the prefix
/// keeps them apart from the other methods.
const PROVIDER_PREFIX: &str = "oauth:";

/// The proof that a sign-in began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password,
    /// The code that was mailed to the address of the sign-up.
    Code,
    /// An account at another provider, in the form of [`Proof::provider`].
    Provider(String),
    /// An invitation that was sent to the address.
    Invitation,
    /// The one-time link of the first operator, which the machine printed.
    OperatorLink,
    /// A passkey with user verification.
    Passkey,
}

impl Proof {
    /// The proof by an account at the provider with this name.
    pub fn provider(name: &str) -> Self {
        Self::Provider(format!("{PROVIDER_PREFIX}{name}"))
    }

    /// The form that the session stores and the audit log records.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Provider(provider) => provider,
            Self::Invitation => "invitation",
            Self::OperatorLink => "operator_link",
            Self::Passkey => "passkey",
        }
    }

    /// Whether the proof is two factors in one (something the person has, unlocked by something they are or know). All
    /// others need a second factor if the account has one.
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Passkey)
    }
}

/// The proofs of a sign-in in words, such as `Password + authenticator app`. `method`: as a session stores it.
pub fn method_label(method: &str, providers: &[Provider]) -> String {
    let words: Vec<&str> = method.split('+').map(|proof| proof_label(proof, providers)).collect();
    let mut letters = words.join(" + ");
    if let Some(first) = letters.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    letters
}

/// A proof in words. A provider that is no longer in the settings has its name as the label.
fn proof_label<'a>(proof: &'a str, providers: &'a [Provider]) -> &'a str {
    match proof {
        "password" => "password",
        "code" => "code by email",
        "invitation" => "invitation",
        "operator_link" => "operator link",
        "passkey" => "passkey",
        "totp" => "authenticator app",
        "recovery_code" => "recovery code",
        other => match other.strip_prefix(PROVIDER_PREFIX) {
            Some(name) => {
                let provider = providers.iter().find(|provider| provider.name == name);
                provider.map_or(name, |provider| provider.label.as_str())
            }
            None => other,
        },
    }
}

/// A second factor as the form or the script sends it.
pub enum FactorInput {
    /// A code from the authenticator app, or a recovery code.
    Typed(Secret<String>),
    /// The answer of a browser to a challenge.
    Passkey(Assertion),
}

/// The proof of a step-up.
pub enum StepUp {
    /// The password. It is enough only for a person without a second factor.
    Password(Secret<String>),
    /// A second factor.
    Factor(FactorInput),
}

/// Which proofs a signed-in person can use for a step-up. They are as strong as what the person enrolled (ASVS 5.0
/// 7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepUpOptions {
    /// The password.
    pub password: bool,
    /// A code from the authenticator app, or a recovery code.
    pub code: bool,
    /// A passkey.
    pub passkey: bool,
    /// A sign-in at a connected provider. Only for a person who has no other proof.
    pub provider: bool,
}

impl StepUpOptions {
    /// Those of a person with a second factor, who must use it: a password that was watched while it was typed is not
    /// enough. `None`: the person has no second factor.
    pub fn by_factor(enrolled: &EnrolledFactors) -> Option<Self> {
        let code = enrolled.has_totp || enrolled.codes_left > 0;
        let options = Self { password: false, code, passkey: enrolled.passkeys > 0, provider: false };
        enrolled.is_any().then_some(options)
    }
}

/// How a sign-in continues.
pub enum SignInOutcome {
    /// The person is signed in.
    Session {
        /// The value of the session cookie.
        token: Secret<String>,
        /// How long the browser keeps the cookie. `None`: until it is closed.
        keep: Option<std::time::Duration>,
        /// The value of the device cookie.
        device: Secret<String>,
    },
    /// The first factor was right and the second is missing. Contains the cookie of the pending sign-in, which gives no
    /// access.
    MfaPending(Secret<String>),
    /// The proof was right, but the address of the account is not verified yet.
    VerificationPending(AccountId),
}

/// A new account from the command line or for the demonstration.
pub struct NewPerson {
    #[allow(missing_docs)]
    pub email: EmailAddress,
    #[allow(missing_docs)]
    pub username: Username,
    /// Argon2id as a PHC string. `None`: a link to set a password is mailed.
    pub password: Option<String>,
    /// Whether the address counts as verified.
    pub is_verified: bool,
    /// Whether the person is an operator.
    pub is_operator: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_the_proof_and_a_recovery_code_replaces_it() {
        let of = |has_totp, passkeys, codes_left| {
            StepUpOptions::by_factor(&EnrolledFactors { has_totp, passkeys, codes_left })
                .map(|StepUpOptions { password, code, passkey, provider }| [password, code, passkey, provider])
        };
        assert_eq!([of(false, 0, 0), of(false, 0, 10)], [None, None]);
        assert_eq!([of(true, 0, 0), of(true, 0, 10)], [Some([false, true, false, false]); 2]);
        assert_eq!([of(false, 1, 1), of(true, 2, 0)], [Some([false, true, true, false]); 2]);
        assert_eq!(of(false, 1, 0), Some([false, false, true, false]));
    }
}
