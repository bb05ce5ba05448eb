//! What a person is here, and the rules for what they type.

use std::time::Duration;

use super::likeness;
use crate::base::{AccountId, EmailAddress, EmailChangeId, EmailId, Timestamp, is_visible, minutes, seconds};

/// How long a six-digit code is good (domain 5.1.2).
pub const CODE_LIFE: Duration = minutes(10);
/// Tries per code: a guesser's rng is five in a million.
pub const CODE_TRIES_MAX: u32 = 5;
/// How long to wait before another code is sent.
pub const RESEND_AFTER: Duration = seconds(60);
/// Codes per address in [`CODES_WINDOW`]: with the tries of each, 25 guesses an hour (domain 5.1.2).
pub const CODES_MAX: u32 = 5;
/// See [`CODES_MAX`].
pub const CODES_WINDOW: Duration = crate::base::hours(1);
/// Codes per account to addresses that it added, in [`CODES_WINDOW`]: removing an address and adding it again is no way to
/// more guesses, nor to fill somebody's mailbox.
pub const ADDED_CODES_MAX: u32 = 5;
/// Addresses of one account.
pub const EMAILS_MAX: usize = 10;
/// How long the address before can undo a change of the primary one.
pub const REVERT_LIFE: Duration = crate::base::days(7);
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
    /// What stands behind their initials.
    pub colour: Colour,
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
    /// When it was added.
    pub added_at: Timestamp,
}

impl Email {
    /// Whether it is proved and of a company: at a domain where not everybody can have an address.
    pub fn is_company(&self) -> bool {
        self.verified_at.is_some() && !is_consumer(&self.address.domain())
    }
}

/// Whether anybody can have an address at the domain, which is folded.
fn is_consumer(domain: &str) -> bool {
    include_str!("consumer_domains.txt").lines().any(|known| {
        let above = domain.strip_suffix(known);
        !known.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    })
}

/// A change of the primary address that can be undone.
#[derive(Clone, Copy, Debug)]
pub struct EmailChange {
    /// Its id, which the one-time link is about.
    pub id: EmailChangeId,
    /// The address before.
    pub from: EmailId,
    /// The address after.
    pub to: EmailId,
    /// When the new address was added: what was opened since may be a thief's.
    pub since: Timestamp,
    /// When it happened.
    pub changed_at: Timestamp,
    /// Until when it can be undone.
    pub revert_until: Timestamp,
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
    /// The name only looks like one that is kept back.
    LooksReserved,
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
        if likeness::looks_reserved(&name) {
            return Err(UsernameFault::LooksReserved);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with letters that look alike made equal.
    pub(super) fn skeleton(&self) -> String {
        likeness::skeleton(&self.0)
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

/// A company or organisation: at most 100 characters that show. Empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company(String);

impl Company {
    /// Reads a company. `None`: too long, or with characters that do not print.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        (is_visible(name) && name.chars().count() <= 100).then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What people write about themselves: 10 to 500 characters on lines of their own. Empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// Reads a text; line ends become those of Unix. `None`: too short, too long, or with characters that do not print.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim();
        let has_right_length = text.is_empty() || (10..=500).contains(&text.chars().count());
        (has_right_length && text.split('\n').all(is_visible)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $value:literal, $label:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            /// All of them, in the order they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }

            /// For people.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }

            /// Reads the stored form. `None`: there is no such choice.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }
        }
    };
}

choices! {
    /// What somebody mainly works on (domain A2, 14).
    UseCase {
        /// Checks on a production line.
        Manufacturing = "manufacturing", "Manufacturing & QC";
        /// Shelves and stock.
        Retail = "retail", "Retail & Inventory";
        /// Watching over places.
        Security = "security", "Security & Surveillance";
        /// Medicine.
        Healthcare = "healthcare", "Healthcare & Medical";
        /// Vehicles and robots.
        Automotive = "automotive", "Automotive & Robotics";
        /// Fields and animals.
        Agriculture = "agriculture", "Agriculture";
        /// Science and teaching.
        Research = "research", "Research & Academia";
        /// For oneself.
        Personal = "personal", "Personal Project";
    }
}

choices! {
    /// What stands behind the initials of somebody without a picture.
    Colour {
        /// The house's own green.
        Teal = "teal", "Teal";
        /// Blue.
        Blue = "blue", "Blue";
        /// Violet.
        Violet = "violet", "Violet";
        /// Plum.
        Plum = "plum", "Plum";
        /// Rose.
        Rose = "rose", "Rose";
        /// Amber.
        Amber = "amber", "Amber";
        /// Olive.
        Olive = "olive", "Olive";
        /// Grey.
        Slate = "slate", "Slate";
    }
}

/// What a person may change about themselves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Required.
    pub display_name: DisplayName,
    /// Company or organisation.
    pub company: Company,
    /// What they mainly work on. `None`: not given.
    pub use_case: Option<UseCase>,
    /// About them.
    pub bio: Bio,
}

impl Profile {
    /// A name and nothing else.
    pub fn named(display_name: DisplayName) -> Self {
        Self { display_name, company: Company::default(), use_case: None, bio: Bio::default() }
    }

    /// The names of the fields that are not as `account` has them.
    pub(super) fn differs_from(&self, account: &Account) -> Vec<&'static str> {
        let use_case = self.use_case.map_or("", UseCase::as_str);
        let fields = [
            ("display_name", account.display_name == self.display_name.as_str()),
            ("company", account.company == self.company.as_str()),
            ("use_case", account.use_case == use_case),
            ("bio", account.bio == self.bio.as_str()),
        ];
        fields.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
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
    /// Say that a sign-in was somebody else's. About the session.
    NotMe,
    /// Undo a change of the primary address.
    EmailRevert,
    /// Stop a reset of the second factors.
    FactorReset,
}

impl LinkPurpose {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::OperatorClaim => "operator_claim",
            Self::NotMe => "not_me",
            Self::EmailRevert => "email_revert",
            Self::FactorReset => "factor_reset",
        }
    }

    /// How long the link is good: 30 minutes to reset (domain, safety P9), 24 hours to claim a fresh appliance, a week to read
    /// one's mail or undo a change (domain 5.1.3), and as long as a reset of factors waits (domain 5.1.11).
    pub const fn life(self) -> Duration {
        match self {
            Self::PasswordReset => minutes(30),
            Self::OperatorClaim => crate::base::hours(24),
            Self::NotMe => crate::base::days(7),
            Self::EmailRevert => REVERT_LIFE,
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
            ("adrnin", UsernameFault::LooksReserved),
            ("sign-1n", UsernameFault::LooksReserved),
        ] {
            assert_eq!(Username::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn companies_are_told_from_mailbox_providers() {
        for consumer in ["gmail.com", "privaterelay.appleid.com", "mail.yahoo.co.uk", "qq.com"] {
            assert!(is_consumer(consumer), "{consumer}");
        }
        for company in ["example.org", "notgmail.com", "gmail.com.example.org", "com", ""] {
            assert!(!is_consumer(company), "{company}");
        }
    }

    #[test]
    fn texts_about_people_are_bounded_and_print() {
        assert_eq!(Bio::parse(" Ten\r\nletters ").unwrap().as_str(), "Ten\nletters");
        assert!(Bio::parse("").is_some() && Bio::parse(&"x".repeat(500)).is_some());
        for bad in ["too short", &"x".repeat(501), "hidden \u{202e} turn", "a bell \u{7} rings"] {
            assert_eq!(Bio::parse(bad), None, "{bad:?}");
        }
        assert!(Company::parse("Ötzi & Söhne GmbH").is_some() && Company::parse("").is_some());
        for bad in ["a\nb", "a\r\nBcc: x@y", &"x".repeat(101), "\u{200b}"] {
            assert_eq!(Company::parse(bad), None, "{bad:?}");
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
