//! What a person is here, and the rules for what they type.

use std::time::Duration;

use crate::base::{AccountId, EmailAddress, EmailId, Timestamp, is_visible, minutes, seconds};

/// How long a six-digit code is good (domain 5.1.2).
pub const CODE_LIFE: Duration = minutes(10);
/// Tries per code: a guesser's chance is five in a million.
pub const CODE_TRIES_MAX: u32 = 5;
/// How long to wait before another code is sent.
pub const RESEND_AFTER: Duration = seconds(60);
/// Codes per address in [`CODES_WINDOW`]: with the tries of each, 25 guesses an hour (domain 5.1.2).
pub const CODES_MAX: u32 = 5;
/// See [`CODES_MAX`].
pub const CODES_WINDOW: Duration = crate::base::hours(1);
/// An account whose address nobody verified lives this long.
pub const PENDING_LIFE: Duration = crate::base::hours(24);
/// A left username stays out of use this long, so that nobody inherits its links.
pub const USERNAME_RETIRED: Duration = crate::base::days(365);

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Signed up; no address verified yet. Can do nothing.
    Pending,
    /// In use.
    Active,
    /// Stopped by an operator.
    Suspended,
}

impl AccountState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Suspended].into_iter().find(|state| state.as_str() == text)
    }
}

/// A person.
#[derive(Clone, Debug)]
pub struct Account {
    /// Opaque, for ever.
    pub id: AccountId,
    /// Permanent, unique whatever the case.
    pub username: String,
    /// What pages and mails call them.
    pub display_name: String,
    /// Company or organisation. Empty: not given.
    pub company: String,
    /// Primary use case. Empty: not given.
    pub use_case: String,
    /// About them. Empty: not given.
    pub bio: String,
    /// The region their data is in, for ever.
    pub region: String,
    /// Where in its life.
    pub state: AccountState,
    /// Whether they run this appliance.
    pub is_operator: bool,
    /// When they signed up.
    pub created_at: Timestamp,
}

/// One address of an account.
#[derive(Clone, Debug)]
pub struct Email {
    /// Its id.
    pub id: EmailId,
    /// As typed.
    pub address: EmailAddress,
    /// When its owner proved it. `None`: not yet.
    pub verified_at: Option<Timestamp>,
    /// Where notices and links go.
    pub is_primary: bool,
}

/// A name in links: 4 to 32 of `a-z`, `0-9` and hyphens, no hyphen at either end, no two in a row, not reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// Why a text is not a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsernameFault {
    /// Not 4 to 32 characters.
    Length,
    /// Something other than small letters, digits and single inner hyphens.
    Letters,
    /// The name is kept back.
    Reserved,
}

impl Username {
    /// Reads a username; capital letters are taken as small ones.
    ///
    /// # Errors
    /// [`UsernameFault`].
    pub fn parse(text: &str) -> Result<Self, UsernameFault> {
        let name = text.trim().to_ascii_lowercase();
        if !(4..=32).contains(&name.chars().count()) {
            return Err(UsernameFault::Length);
        }
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !letters || name.starts_with('-') || name.ends_with('-') || name.contains("--") {
            return Err(UsernameFault::Letters);
        }
        if super::is_reserved(&name) {
            return Err(UsernameFault::Reserved);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What pages and mails call a person: 1 to 64 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a display name. `None`: empty, too long, or with characters that do not print.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        (is_visible(name) && (1..=64).contains(&name.chars().count())).then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a person may change about themselves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Required.
    pub display_name: DisplayName,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Free, see [`Username::parse`].
    pub username: Username,
    /// Its first and primary address.
    pub email: EmailAddress,
    /// Whether the address counts as proved (an operator vouches for it).
    pub is_verified: bool,
    /// Argon2id, PHC string. `None`: no password yet.
    pub password: Option<String>,
    /// Whether the person runs this appliance.
    pub is_operator: bool,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Set a first or new password.
    PasswordReset,
    /// Sign up as the first operator.
    OperatorClaim,
    /// Stop a reset of the second factors.
    FactorReset,
}

impl LinkPurpose {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::OperatorClaim => "operator_claim",
            Self::FactorReset => "factor_reset",
        }
    }

    /// How long the link is good: 30 minutes to reset (domain, safety P9), 24 hours to claim a fresh appliance, and as long as a
    /// reset of factors waits (domain 5.1.11).
    pub const fn life(self) -> Duration {
        match self {
            Self::PasswordReset => minutes(30),
            Self::OperatorClaim => crate::base::hours(24),
            Self::FactorReset => crate::base::hours(72),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_simple_and_never_a_route() {
        assert_eq!(Username::parse(" Ada-L ").unwrap().as_str(), "ada-l");
        for (bad, why) in [
            ("ada", UsernameFault::Length),
            (&"a".repeat(33), UsernameFault::Length),
            ("-ada", UsernameFault::Letters),
            ("ada--l", UsernameFault::Letters),
            ("adä-l", UsernameFault::Letters),
            ("аdal", UsernameFault::Letters),
            ("settings", UsernameFault::Reserved),
            ("postmaster", UsernameFault::Reserved),
        ] {
            assert_eq!(Username::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn display_names_print() {
        assert_eq!(DisplayName::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        for bad in ["", "   ", "a\u{202e}b", "a\nb", &"x".repeat(65)] {
            assert_eq!(DisplayName::parse(bad), None, "{bad:?}");
        }
    }
}
