//! What an account is, and the rules for typed names and texts.

use std::time::Duration;

use super::confusables;
use crate::base::{
    AccountId, EmailAddress, EmailChangeId, EmailId, Timestamp, is_visible, minutes, seconds, visible_lines,
};

/// How long a six-digit code is valid (domain 5.1.2).
pub const CODE_LIFE: Duration = minutes(10);
/// Tries per code: an attacker guesses it with a probability of five in a million.
pub const CODE_TRIES_MAX: u32 = 5;
/// How long to wait before another code is sent.
pub const RESEND_AFTER: Duration = seconds(60);
/// Codes per address in [`CODES_WINDOW`]: with the tries for each, 25 guesses an hour (domain 5.1.2).
pub const CODES_MAX: u32 = 5;
/// See [`CODES_MAX`].
pub const CODES_WINDOW: Duration = crate::base::hours(1);
/// Codes per account to added addresses, in [`CODES_WINDOW`]: a person who removes an address and adds it again gets no
/// more guesses, and cannot fill the mailbox of another person.
pub const ADDED_CODES_MAX: u32 = 5;
/// Addresses of one account.
pub const EMAILS_MAX: usize = 10;
/// How long the previous primary address can undo a change.
pub const REVERT_LIFE: Duration = crate::base::days(7);
/// How long an account lives whose address is not verified.
pub const PENDING_LIFE: Duration = crate::base::hours(24);
/// How long a sign-up keeps its username from others without a proof of its address.
pub const NAME_HELD: Duration = minutes(30);
/// How long the username of an erased account stays out of use, so that its links do not lead to another person.
pub const USERNAME_RETIRED: Duration = crate::base::days(365);

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Signed up, but no address is verified yet: the account can do nothing.
    Pending,
    /// In use.
    Active,
    /// Stopped by an operator.
    Suspended,
}

impl AccountState {
    /// The stored and displayed form.
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

/// The account of a person.
#[derive(Clone, Debug)]
pub struct Account {
    /// Opaque and permanent.
    pub id: AccountId,
    /// Permanent, and unique without regard to case.
    pub username: String,
    /// The name that pages and mails show.
    pub display_name: String,
    /// Company or organisation. Empty: not given.
    pub company: String,
    /// Primary use case. Empty: not given.
    pub use_case: String,
    /// A text about them. Empty: not given.
    pub bio: String,
    /// The background of their initials.
    pub colour: Colour,
    /// The region of their data; it never changes.
    pub region: String,
    /// Whether it is in use.
    pub state: AccountState,
    /// Whether they run this appliance.
    pub is_operator: bool,
    /// When they signed up.
    pub created_at: Timestamp,
}

/// An address of an account.
#[derive(Clone, Debug)]
pub struct Email {
    /// Opaque and permanent.
    pub id: EmailId,
    /// As it was typed.
    pub address: EmailAddress,
    /// When its owner verified it. `None`: not yet.
    pub verified_at: Option<Timestamp>,
    /// Whether notices and links are sent to it.
    pub is_primary: bool,
    /// When it was added.
    pub added_at: Timestamp,
}

impl Email {
    /// Whether it is verified and belongs to a company: at a domain where not everyone can get an address.
    pub fn is_company(&self) -> bool {
        self.verified_at.is_some() && !is_consumer(&self.address.domain())
    }

    /// Whether its code is not entered yet.
    pub const fn awaits_code(&self) -> bool {
        self.verified_at.is_none()
    }

    /// Whether it can become the primary address.
    pub const fn can_be_primary(&self) -> bool {
        self.verified_at.is_some() && !self.is_primary
    }
}

/// Whether any person can get an address at the domain. `domain` must be in lower case.
fn is_consumer(domain: &str) -> bool {
    include_str!("consumer_domains.txt").lines().any(|known| {
        let rest = domain.strip_suffix(known);
        !known.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// A change of the primary address that can be undone.
#[derive(Clone, Copy, Debug)]
pub struct EmailChange {
    /// Opaque; the one-time link refers to it.
    pub id: EmailChangeId,
    /// The previous primary address.
    pub from: EmailId,
    /// The new primary address.
    pub to: EmailId,
    /// When the new address was added: a thief may have added everything since then.
    pub since: Timestamp,
    /// When the primary address was changed.
    pub changed_at: Timestamp,
    /// The end of the time in which it can be undone.
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
    /// A character that is not a lower-case letter, a digit or a single inner hyphen.
    Letters,
    /// The name is reserved.
    Reserved,
    /// The name looks like a reserved one.
    ConfusableReserved,
}

impl Username {
    /// Parses a username; upper-case letters become lower-case ones.
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
        if confusables::is_confusable_with_reserved(&name) {
            return Err(UsernameFault::ConfusableReserved);
        }
        Ok(Self(name))
    }

    /// The username, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with confusable characters replaced.
    pub(super) fn skeleton(&self) -> String {
        confusables::skeleton(&self.0)
    }
}

/// The name that pages and mails show: 1 to 64 visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Parses a display name. `None`: empty, too long, or with invisible characters.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        (is_visible(name) && (1..=64).contains(&name.chars().count())).then(|| Self(name.to_owned()))
    }

    /// The name, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A company or organisation: at most 100 visible characters. Empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company(String);

impl Company {
    /// Parses a company. `None`: too long, or with invisible characters.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        (is_visible(name) && name.chars().count() <= 100).then(|| Self(name.to_owned()))
    }

    /// The name, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that a person wrote about themselves: 10 to 500 characters on one or more lines. Empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// Parses a text; line ends become `\n`. `None`: too short, too long, or with invisible characters.
    pub fn parse(text: &str) -> Option<Self> {
        let has_right_length = |text: &String| text.is_empty() || (10..=500).contains(&text.chars().count());
        visible_lines(text).filter(has_right_length).map(Self)
    }

    /// The text, trimmed.
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
            /// All choices, in the order of the form.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The form in the database and in requests.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }

            /// The form for people.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }

            /// Parses the stored form. `None`: there is no such choice.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }
        }
    };
}

choices! {
    /// The primary use case of a person (domain A2, 14).
    UseCase {
        /// Checks on a production line.
        Manufacturing = "manufacturing", "Manufacturing & QC";
        /// Shelves and stock.
        Retail = "retail", "Retail & Inventory";
        /// Surveillance of places.
        Security = "security", "Security & Surveillance";
        /// Medicine.
        Healthcare = "healthcare", "Healthcare & Medical";
        /// Vehicles and robots.
        Automotive = "automotive", "Automotive & Robotics";
        /// Fields and animals.
        Agriculture = "agriculture", "Agriculture";
        /// Science and teaching.
        Research = "research", "Research & Academia";
        /// A project of their own.
        Personal = "personal", "Personal Project";
    }
}

choices! {
    /// The background of the initials of a person without a picture.
    Colour {
        /// The green of the site.
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

/// The fields that a person can change about themselves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Required.
    pub display_name: DisplayName,
    /// Company or organisation.
    pub company: Company,
    /// Primary use case. `None`: not given.
    pub use_case: Option<UseCase>,
    /// A text about them.
    pub bio: Bio,
}

impl Profile {
    /// A profile with only a name.
    pub fn named(display_name: DisplayName) -> Self {
        Self { display_name, company: Company::default(), use_case: None, bio: Bio::default() }
    }

    /// The names of the fields that differ from `account`.
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

/// An account that is about to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Must be free; see [`super::must_be_free`].
    pub username: Username,
    /// Its first and primary address.
    pub email: EmailAddress,
    /// Whether the address counts as verified, because an operator confirms it.
    pub is_verified: bool,
    /// Argon2id, PHC string. `None`: no password yet.
    pub password: Option<String>,
    /// Whether the person runs this appliance.
    pub is_operator: bool,
}

/// The purpose of a one-time link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Set a first or new password.
    PasswordReset,
    /// Sign up as the first operator.
    OperatorClaim,
    /// Report that a sign-in was by another person. The link refers to the session.
    NotMe,
    /// Undo a change of the primary address.
    EmailRevert,
    /// Stop a reset of the second factors.
    FactorReset,
    /// Make a browser known, so that it has its own tries at the password.
    NewBrowser,
}

impl LinkPurpose {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::OperatorClaim => "operator_claim",
            Self::NotMe => "not_me",
            Self::EmailRevert => "email_revert",
            Self::FactorReset => "factor_reset",
            Self::NewBrowser => "new_browser",
        }
    }

    /// How long the link is valid: 30 minutes to reset a password (domain, safety P9), 24 hours to claim a fresh
    /// appliance or confirm a browser, a week to report a sign-in or undo a change (domain 5.1.3), and as long as a reset of factors waits
    /// (domain 5.1.11).
    pub const fn life(self) -> Duration {
        match self {
            Self::PasswordReset => minutes(30),
            Self::OperatorClaim | Self::NewBrowser => crate::base::hours(24),
            Self::NotMe => crate::base::days(7),
            Self::EmailRevert => REVERT_LIFE,
            Self::FactorReset => crate::base::hours(72),
        }
    }
}

#[cfg(test)]
impl Account {
    /// Test support: Ada, who signed up at the beginning of the time of the tests.
    pub(crate) fn sample() -> Self {
        let created_at = Timestamp::from_millis(1_777_798_800_000);
        Self {
            id: AccountId::new(created_at, &mut crate::base::Rng::seeded(1)),
            username: "ada-l".into(),
            display_name: "Ada Lovelace".into(),
            company: String::new(),
            use_case: String::new(),
            bio: String::new(),
            colour: Colour::Teal,
            region: "eu".into(),
            state: AccountState::Active,
            is_operator: false,
            created_at,
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
            ("adrnin", UsernameFault::ConfusableReserved),
            ("sign-1n", UsernameFault::ConfusableReserved),
        ] {
            assert_eq!(Username::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn companies_are_distinguished_from_mailbox_providers() {
        for consumer in ["gmail.com", "privaterelay.appleid.com", "mail.yahoo.co.uk", "qq.com"] {
            assert!(is_consumer(consumer), "{consumer}");
        }
        for company in ["example.org", "notgmail.com", "gmail.com.example.org", "com", ""] {
            assert!(!is_consumer(company), "{company}");
        }
    }

    #[test]
    fn bios_and_companies_are_bounded_and_visible() {
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
    fn display_names_are_visible() {
        assert_eq!(DisplayName::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        for bad in ["", "   ", "a\u{202e}b", "a\nb", &"x".repeat(65)] {
            assert_eq!(DisplayName::parse(bad), None, "{bad:?}");
        }
    }
}
