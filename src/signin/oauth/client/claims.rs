//! Claims about a person that describe them and do not decide who they are (OpenID Connect Core §5.1).

use serde::Deserialize;
use serde_json::Value;

use super::super::json::text;
use crate::base::EmailAddress;
use crate::config::{Provider, ProviderKind};

/// The claims that we use, as they were sent.
#[derive(Deserialize, Default)]
pub(super) struct SentClaims {
    pub sub: Option<Value>,
    email: Option<Value>,
    email_verified: Option<Value>,
    name: Option<Value>,
    preferred_username: Option<Value>,
    hd: Option<Value>,
}

/// The claims that can be used. What is missing, or is not of the right type, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub email: Option<EmailAddress>,
    /// What the provider says about `email`.
    pub is_verified: Option<bool>,
    pub name: Option<String>,
    pub login: Option<String>,
    /// Only Google's: the organisation that it hosts.
    pub hd: Option<String>,
}

impl Claims {
    pub fn read(provider: &Provider, sent: &SentClaims) -> Self {
        let owned = |value: &Option<Value>| text(value.as_ref()).map(str::to_owned);
        let email = text(sent.email.as_ref()).and_then(|email| EmailAddress::parse(email).ok());
        Self {
            is_verified: email.as_ref().and_then(|_| is_verified(provider, sent.email_verified.as_ref())),
            email,
            name: owned(&sent.name),
            login: owned(&sent.preferred_username),
            hd: owned(&sent.hd),
        }
    }

    /// Whether userinfo may say more.
    pub fn lacks_something(&self) -> bool {
        self.email.is_none() || self.is_verified.is_none() || self.name.is_none()
    }

    /// Adds what is missing from claims of the same subject. Whether an address is verified is taken only from what says
    /// so about this address. Google's organisation comes from the ID token alone.
    pub fn completed_by(self, more: Self) -> Self {
        let is_same = |email: &EmailAddress| more.email.as_ref().is_some_and(|other| other.folded() == email.folded());
        let (email, is_verified) = match self.email {
            Some(email) if self.is_verified.is_none() && is_same(&email) => (Some(email), more.is_verified),
            Some(email) => (Some(email), self.is_verified),
            None => (more.email, more.is_verified),
        };
        Self { email, is_verified, name: self.name.or(more.name), login: self.login.or(more.login), hd: self.hd }
    }
}

/// What `email_verified` says. Only a boolean says something: guessing the meaning of other values has led to account
/// takeovers in other products. Apple is documented to send the text "true" too.
fn is_verified(provider: &Provider, claim: Option<&Value>) -> Option<bool> {
    match claim? {
        Value::Bool(is_verified) => Some(*is_verified),
        Value::String(text) if matches!(provider.kind, ProviderKind::Apple(_)) => Some(text == "true"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(email: &str, is_verified: Option<bool>, name: &str) -> Claims {
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Claims { email: EmailAddress::parse(email).ok(), is_verified, name, login: None, hd: None }
    }

    #[test]
    fn userinfo_says_whether_an_address_is_verified_only_about_the_same_address() {
        let ada = "ada@example.org";
        for (token, userinfo, expected) in [
            (claims(ada, None, ""), claims("ADA@example.org", Some(true), "Ada"), claims(ada, Some(true), "Ada")),
            (claims(ada, None, ""), claims("bo@example.org", Some(true), ""), claims(ada, None, "")),
            (claims(ada, None, ""), claims("", Some(true), ""), claims(ada, None, "")),
            (claims(ada, Some(false), ""), claims(ada, Some(true), ""), claims(ada, Some(false), "")),
            (claims("", None, "A"), claims(ada, Some(true), "B"), claims(ada, Some(true), "A")),
            (claims("", None, ""), claims(ada, None, ""), claims(ada, None, "")),
        ] {
            assert_eq!(token.clone().completed_by(userinfo.clone()), expected, "{token:?} {userinfo:?}");
        }
        let organisation = Claims { hd: Some("example.org".to_owned()), ..Claims::default() };
        assert_eq!(Claims::default().completed_by(organisation).hd, None);
    }
}
