//! What a provider says about a person, and how far we trust it.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::model::SignInOutcome;
use crate::accounts::Username;
use crate::base::{AccountId, EmailAddress, IdentityId, Secret, Timestamp, minutes, seconds};
use crate::config::{Provider, ProviderKind};
use crate::sessions::RenewedCookie;

/// How long an authorization request is valid (RFC 9700, safety O1).
pub(super) const AUTHORIZATION_LIFETIME: Duration = minutes(10);
/// How long a response that was posted as a form waits for the browser to follow the redirect.
pub(super) const POSTED_RESPONSE_LIFETIME: Duration = seconds(60);
/// How long an external identity waits for a username or a sign-in.
pub(super) const PENDING_IDENTITY_LIFETIME: Duration = minutes(30);
/// How far the clocks of two machines may differ.
pub(super) const CLOCK_SKEW_MAX: Duration = seconds(60);

/// Longer labels are truncated, so that they fit in a list.
const LABEL_CHARS_MAX: usize = 128;

/// Why a person is sent to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in or to sign up.
    SignIn,
    /// To connect an account at the provider to the account here.
    Connect,
    /// To confirm their identity again (step-up).
    StepUp,
}

impl Purpose {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Connect => "connect",
            Self::StepUp => "step_up",
        }
    }

    /// Whether only a person in a session can start it.
    pub const fn needs_session(self) -> bool {
        match self {
            Self::SignIn => false,
            Self::Connect | Self::StepUp => true,
        }
    }

    /// Parses the stored form and the form used in links.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "sign_in" => Some(Self::SignIn),
            "connect" => Some(Self::Connect),
            "step_up" | "step-up" => Some(Self::StepUp),
            _ => None,
        }
    }
}

/// The secrets of a new authorization request, for the URL of the provider.
#[derive(Debug)]
pub struct AuthorizationParams {
    /// The provider returns it with its response.
    pub state: Secret<String>,
    /// The provider returns it inside the ID token.
    pub nonce: Secret<String>,
    /// SHA-256 of the PKCE verifier, base64url (RFC 7636 §4.2).
    pub challenge: String,
}

/// An authorization request whose response arrived.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// The primary key of its row: the digest of the state.
    pub digest: [u8; 32],
    /// Why the person was sent to the provider.
    pub purpose: Purpose,
    /// The account of the session that started it. `None`: a sign-in, which belongs to no account yet.
    pub account: Option<AccountId>,
    /// When the browser was sent to the provider.
    pub began_at: Timestamp,
    /// The ID token must contain it.
    pub nonce: Secret<String>,
    /// The PKCE verifier, sent to the provider with the code.
    pub verifier: Secret<String>,
    /// The path to continue at.
    pub next: String,
}

/// What a provider sent back through the browser (RFC 6749 §4.1.2).
#[derive(Clone, Debug, Default)]
pub struct AuthorizationResponse {
    /// Names the authorization request that it answers.
    pub state: String,
    /// The code to exchange for tokens. Empty: the provider answered with an error.
    pub code: String,
    /// The error code of the provider. Empty: none.
    pub error: String,
    /// The issuer that answers (RFC 9207). `None`: the response does not name it.
    pub issuer: Option<String>,
    /// Only in Apple's form, and only after the first consent: JSON with the name of the person.
    pub user: String,
}

/// A person as the provider identified them, after every check passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// The name of the provider in the settings.
    pub provider: String,
    /// Issuer and subject together identify the person.
    pub issuer: String,
    /// Opaque. The provider never gives it to another person.
    pub subject: String,
    /// Their e-mail address. `None`: the provider gave none that we can use.
    pub email: Option<EmailAddress>,
    /// Whether the provider says that it verified the address, or the settings say so of all its addresses.
    pub is_verified: bool,
    /// Whether we accept the address as verified without a code of ours; see [`is_authoritative`].
    pub is_authoritative: bool,
    /// Their display name. Empty: the provider gave none.
    pub name: String,
    /// Their login at the provider: a suggestion for a username.
    pub login: String,
    /// When they last authenticated at the provider (`auth_time`). `None`: the provider does not say.
    pub proved_at: Option<Timestamp>,
}

impl ExternalIdentity {
    /// The label in the list of connected accounts: the address, else the login, else the name.
    pub fn label(&self) -> String {
        let label = match (&self.email, self.login.as_str(), self.name.as_str()) {
            (Some(email), _, _) => email.as_str(),
            (None, "", "") => "an account without a name",
            (None, "", name) => name,
            (None, login, _) => login,
        };
        label.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect()
    }

    /// A suggested username. Empty: none of their names makes a valid username.
    pub fn suggestion(&self) -> String {
        let local = self.email.as_ref().and_then(|email| email.as_str().split('@').next()).unwrap_or_default();
        let named = [self.login.as_str(), local, self.name.as_str()].into_iter().map(simplified);
        named
            .filter_map(|name| Username::parse(&name).ok())
            .next()
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "provider": self.provider, "issuer": self.issuer, "subject": self.subject,
            "email": self.email.as_ref().map(EmailAddress::as_str), "verified": self.is_verified,
            "authoritative": self.is_authoritative, "name": self.name, "login": self.login,
        })
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            provider: text("provider")?,
            issuer: text("issuer")?,
            subject: text("subject")?,
            email: text("email").and_then(|email| EmailAddress::parse(&email).ok()),
            is_verified: value.get("verified")?.as_bool()?,
            is_authoritative: value.get("authoritative")?.as_bool()?,
            name: text("name")?,
            login: text("login")?,
            proved_at: None,
        })
    }
}

/// Reduces a name to lower-case letters, digits and single hyphens.
fn simplified(name: &str) -> String {
    let chars = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut simple = String::new();
    for c in chars.take(32) {
        if c != '-' || !simple.ends_with('-') {
            simple.push(c);
        }
    }
    simple.trim_matches('-').to_owned()
}

/// Whether we accept an address that a provider verified, without a code of ours (`is_verified`: also by the setting
/// `trust_emails`). The provider must own the address or
/// be responsible for its domain. Google is, for gmail.com and for the organisations that it hosts (`hd`); Apple is,
/// for its own domains and its relay; an OpenID issuer is, for the domains that the settings name (`trusted_domains`);
/// GitHub never is.
pub(super) fn is_authoritative(provider: &Provider, email: &EmailAddress, is_verified: bool, hd: Option<&str>) -> bool {
    let domain = email.domain();
    let is_of = |domains: &[&str]| domains.contains(&domain.as_str());
    is_verified
        && match provider.kind {
            ProviderKind::Google => is_of(&["gmail.com"]) || hd.is_some_and(|hd| !hd.is_empty()),
            ProviderKind::Apple(_) => is_of(&["privaterelay.appleid.com", "icloud.com", "me.com", "mac.com"]),
            ProviderKind::GitHub => false,
            ProviderKind::Oidc => provider.trusted_domains.contains(&domain),
        }
}

/// An account at a provider that is connected to an account here.
#[derive(Clone, Debug)]
pub struct LinkedIdentity {
    #[allow(missing_docs)]
    pub id: IdentityId,
    /// The account here.
    pub account: AccountId,
    /// The name that the provider had in the settings when the account was connected.
    pub provider: String,
    /// The issuer of the provider.
    pub issuer: String,
    /// Address, login or name of the person at the provider.
    pub label: String,
    #[allow(missing_docs)]
    pub linked_at: Timestamp,
    /// When it was last used to sign in.
    pub last_used_at: Timestamp,
}

/// A linked identity, and what its person can do with it.
#[derive(Clone, Debug)]
pub struct Connection {
    #[allow(missing_docs)]
    pub identity: LinkedIdentity,
    /// `false`: it is the last sign-in method of the account.
    pub can_be_disconnected: bool,
}

/// The linked identities of an account, and what else it can connect.
#[derive(Clone, Debug)]
pub struct Connections {
    #[allow(missing_docs)]
    pub connected: Vec<Connection>,
    /// The names of the providers of which the account has no identity.
    pub connectable: Vec<String>,
}

/// The sign-up form of a person who comes from a provider.
#[derive(Clone, Debug)]
pub struct ExternalSignUp {
    #[allow(missing_docs)]
    pub username: String,
    /// Ignored when the address of the provider is authoritative.
    pub email: String,
}

/// How a callback continues.
pub enum CallbackOutcome {
    /// The identity is connected to an account: a session, or the next step of the sign-in.
    SignedIn(SignInOutcome),
    /// No account is connected: the person chooses a username.
    UsernameRequired,
    /// An account here has the address: the person signs in as usual, then connects.
    SignInRequired,
    /// The person is signed in: a form asks whether to connect.
    ConfirmationRequired,
    /// The identity is already connected to this account.
    AlreadyConnected,
    /// The step-up succeeded: the new cookie of the session.
    SteppedUp(RenewedCookie),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(login: &str, email: &str, name: &str) -> ExternalIdentity {
        ExternalIdentity {
            provider: "corp".into(),
            issuer: "https://idp.example".into(),
            subject: "1".into(),
            email: EmailAddress::parse(email).ok(),
            is_verified: true,
            is_authoritative: false,
            name: name.into(),
            login: login.into(),
            proved_at: None,
        }
    }

    #[test]
    fn a_username_is_suggested_from_login_address_or_name() {
        assert_eq!(external("Ada_L!", "x@example.org", "").suggestion(), "ada-l");
        assert_eq!(external("ad", "ada.lovelace@example.org", "").suggestion(), "ada-lovelace");
        assert_eq!(external("admin", "no", "Grace  Hopper").suggestion(), "grace-hopper");
        assert_eq!(external("", "no", "Ада").suggestion(), "");
    }

    #[test]
    fn an_external_identity_survives_storage() {
        let ada = external("ada", "ada@example.org", "Ada");
        assert_eq!(ExternalIdentity::from_json(&ada.to_json()), Some(ada));
        let nameless = external("", "no", "");
        assert_eq!(ExternalIdentity::from_json(&nameless.to_json()), Some(nameless.clone()));
        assert_eq!(nameless.label(), "an account without a name");
    }
}
