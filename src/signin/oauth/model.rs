//! Who comes back from a provider, and how far its word goes.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::model::Started as Entered;
use crate::accounts::Username;
use crate::base::{AccountId, EmailAddress, IdentityId, Secret, Timestamp, minutes, seconds};
use crate::config::{Provider, ProviderKind};
use crate::sessions::Renewed;

/// How long a way to a provider and back is open (RFC 9700, safety O1).
pub(super) const WAY_LIFE: Duration = minutes(10);
/// How long an answer that came as a form waits for the browser that brings it.
pub(super) const POSTED_LIFE: Duration = seconds(60);
/// How long who came back waits for a username or a sign-in.
pub(super) const FOUND_LIFE: Duration = minutes(30);
/// What clocks of two machines may differ by.
pub(super) const SKEW: Duration = seconds(60);

/// Longer than any label of a person that fits a line.
const LABEL_MAX: usize = 128;

/// Why somebody goes to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To come in, or to become somebody here.
    SignIn,
    /// To connect an account there with the one here.
    Connect,
    /// To prove once more who one is.
    StepUp,
}

impl Purpose {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Connect => "connect",
            Self::StepUp => "step_up",
        }
    }

    /// Reads the written form, and the one of links.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "sign_in" => Some(Self::SignIn),
            "connect" => Some(Self::Connect),
            "step_up" | "step-up" => Some(Self::StepUp),
            _ => None,
        }
    }
}

/// A way that was opened: what goes into the address of the provider.
#[derive(Debug)]
pub struct Started {
    /// Comes back with the answer.
    pub state: Secret<String>,
    /// Comes back inside the ID token.
    pub nonce: Secret<String>,
    /// SHA-256 of the PKCE verifier, base64url (RFC 7636 §4.2).
    pub challenge: String,
}

/// A way as kept.
#[derive(Debug)]
pub struct Way {
    /// What names its row.
    pub digest: [u8; 32],
    /// What for.
    pub purpose: Purpose,
    /// Who left, where they were signed in.
    pub account: Option<AccountId>,
    /// When they left.
    pub began_at: Timestamp,
    /// Expected in the ID token.
    pub nonce: Secret<String>,
    /// Shown to the provider with the code.
    pub verifier: Secret<String>,
    /// Where to go on.
    pub next: String,
}

/// What a provider sent back through the browser.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// Which way it answers.
    pub state: String,
    /// To be exchanged. Empty: an error.
    pub code: String,
    /// What went wrong there, in its words.
    pub error: String,
    /// Who says so (RFC 9207), where it does.
    pub issuer: Option<String>,
    /// Apple's form alone: the person's name, at the first consent.
    pub user: String,
}

/// Somebody whom a provider vouched for, after every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The provider's name in the settings.
    pub provider: String,
    /// With the subject, the identity.
    pub issuer: String,
    /// Opaque, the provider's for ever.
    pub subject: String,
    /// Their address. `None`: none that can be used.
    pub email: Option<EmailAddress>,
    /// Whether the provider says that the address was proved to it.
    pub is_verified: bool,
    /// Whether its word about this address is as good as a code of ours.
    pub is_authoritative: bool,
    /// What to call them. Empty: not told.
    pub name: String,
    /// What they are called there: a hint for a username.
    pub login: String,
    /// When they last proved to the provider who they are, where it says so.
    pub proved_at: Option<Timestamp>,
}

impl Found {
    /// For the list of connected accounts: the address, else the name there.
    pub fn label(&self) -> String {
        let label = match (&self.email, self.login.as_str(), self.name.as_str()) {
            (Some(email), _, _) => email.as_str(),
            (None, "", "") => "an account without a name",
            (None, "", name) => name,
            (None, login, _) => login,
        };
        label.chars().filter(|letter| !letter.is_control()).take(LABEL_MAX).collect()
    }

    /// A username to begin with. Empty: nothing they are called is one.
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

/// Small letters, digits and single hyphens of a name.
fn simplified(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut simple = String::new();
    for letter in letters.take(32) {
        if letter != '-' || !simple.ends_with('-') {
            simple.push(letter);
        }
    }
    simple.trim_matches('-').to_owned()
}

/// Whether a provider's word about an address is as good as a code of ours: it must own the address, or answer for its
/// domain. Google does for its own and for organisations that it hosts (`hd`); Apple for its own and its relays; an issuer
/// of the admin's for the domains that the settings name; GitHub for none.
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

/// Somebody's account at a provider, connected with theirs here.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Whose.
    pub account: AccountId,
    /// The provider's name in the settings, when it was connected.
    pub provider: String,
    /// Who vouches.
    pub issuer: String,
    /// What the provider calls the person.
    pub label: String,
    /// When it was connected.
    pub linked_at: Timestamp,
    /// When somebody last came in with it.
    pub last_used_at: Timestamp,
}

/// What a new person typed.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Their name in links.
    pub username: String,
    /// Where they can be written to; not looked at where the provider's word is enough.
    pub email: String,
}

/// How it goes on for somebody who came back.
pub enum Arrived {
    /// In, or the next question of the door.
    Entered(Entered),
    /// Nobody here is connected: a username is to be chosen.
    MustChoose,
    /// Somebody here has the address: they sign in as usual, then connect.
    MustSignIn,
    /// Signed in: a form asks whether to connect.
    MustConfirm,
    /// It is connected already.
    Connected,
    /// Proved once more: the session's new cookie.
    Proved(Renewed),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(login: &str, email: &str, name: &str) -> Found {
        Found {
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
    fn a_username_is_suggested_from_what_they_are_called() {
        assert_eq!(found("Ada_L!", "x@example.org", "").suggestion(), "ada-l");
        assert_eq!(found("ad", "ada.lovelace@example.org", "").suggestion(), "ada-lovelace");
        assert_eq!(found("admin", "no", "Grace  Hopper").suggestion(), "grace-hopper");
        assert_eq!(found("", "no", "Ада").suggestion(), "");
    }

    #[test]
    fn who_came_back_is_kept_whole() {
        let ada = found("ada", "ada@example.org", "Ada");
        assert_eq!(Found::from_json(&ada.to_json()), Some(ada));
        let nameless = found("", "no", "");
        assert_eq!(Found::from_json(&nameless.to_json()), Some(nameless.clone()));
        assert_eq!(nameless.label(), "an account without a name");
    }
}
