//! What a factor is, and the rules for typed codes and names.

use std::time::Duration;

use serde_json::Value;

use super::totp::Seed;
use crate::base::{AccountId, PasskeyId, Rng, Secret, Timestamp, fold_code, hours, is_visible, minutes};

/// How long the second step of a sign-in may take.
pub const MFA_PENDING_LIFE: Duration = minutes(10);
/// Wrong codes that end a pending sign-in: then the first step has to be repeated (safety row 68).
pub const MFA_PENDING_TRIES_MAX: u32 = 5;
/// How long a reset waits, while the person is told at every address so that they can stop it (domain 5.1.11).
pub const RESET_WAIT: Duration = hours(72);
/// How long a new TOTP secret waits for its first code.
pub(super) const SET_UP_LIFE: Duration = minutes(30);
/// How long a challenge can be answered (WebAuthn, safety W1).
pub(super) const CHALLENGE_LIFE: Duration = minutes(5);
/// Recovery codes of one person.
pub(super) const CODES: usize = 10;
/// Passkeys of one person.
pub(super) const PASSKEYS_MAX: u32 = 20;

/// The factors of a person, besides a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnrolledFactors {
    /// Whether there is a confirmed authenticator app.
    pub has_totp: bool,
    /// The number of passkeys.
    pub passkeys: u32,
    /// Recovery codes that are not used yet.
    pub codes_left: u32,
}

/// With so many recovery codes left, or fewer, the security page suggests new ones.
const CODES_LOW: u32 = 3;

impl EnrolledFactors {
    /// Whether a sign-in needs a second step. Recovery codes alone are not a factor: they only replace one.
    pub fn is_any(&self) -> bool {
        self.has_totp || self.passkeys > 0
    }

    /// The number of factors: the app and each passkey.
    pub fn count(&self) -> u32 {
        u32::from(self.has_totp) + self.passkeys
    }

    /// Whether so few recovery codes are left that the person should create new ones.
    pub const fn codes_are_low(&self) -> bool {
        self.codes_left <= CODES_LOW
    }

    /// Whether there is one factor left. Removing it ends two-step sign-in, and the recovery codes with it.
    pub fn is_last(&self) -> bool {
        self.count() == 1
    }
}

/// A TOTP secret that is shown until its first code confirms it.
pub struct TotpSetup {
    /// To be put into the app.
    pub seed: Seed,
}

/// Recovery codes in clear text, for the one page that shows them.
pub struct NewCodes(pub Vec<RecoveryCode>);

/// A code that replaces a lost factor: `xxxxx-xxxxx-xxxxx`, 75 random bits in Crockford's base32.
pub struct RecoveryCode(Secret<String>);

/// Crockford's alphabet: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 15;

impl RecoveryCode {
    pub(super) fn generate(rng: &mut Rng) -> Self {
        let letters = (0..LETTERS).map(|_| char::from(ALPHABET[rng.below(32) as usize]));
        Self(Secret::new(letters.collect()))
    }

    /// Parses a typed code. Upper case, hyphens, dashes, spaces and full-width forms are allowed, and `o`, `i` and `l` are read as the digits
    /// they look like. `None`: the text does not have the form of a recovery code.
    pub fn parse(typed: &str) -> Option<Self> {
        let folded = fold_code(typed);
        let read = folded.chars().map(|letter| match letter {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
        let letters: String = read.take(LETTERS + 1).collect();
        let is_code = letters.len() == LETTERS && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        is_code.then(|| Self(Secret::new(letters)))
    }

    /// In three groups, as people see it.
    pub fn grouped(&self) -> Secret<String> {
        let letters = self.0.expose();
        Secret::new(format!("{}-{}-{}", &letters[..5], &letters[5..10], &letters[10..]))
    }

    pub(super) fn letters(&self) -> &str {
        self.0.expose()
    }
}

/// A passkey as listed.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// Opaque and permanent.
    pub id: PasskeyId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The name that its person gave it.
    pub name: String,
    /// Its own signature counter. Zero: the authenticator does not count.
    pub sign_count: u32,
    /// Whether it is synchronized to other devices, for example by a password manager.
    pub is_backed_up: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last signed. `None`: not yet.
    pub last_used_at: Option<Timestamp>,
}

/// The name of a passkey: 1 to 64 visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// Parses a name. An empty text becomes `Passkey`. `None`: too long, or with invisible characters.
    pub fn parse(text: &str) -> Option<Self> {
        let name = if text.trim().is_empty() { "Passkey" } else { text.trim() };
        (is_visible(name) && name.chars().count() <= 64).then(|| Self(name.to_owned()))
    }

    /// The name, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The purpose of a challenge: its answer is valid for this purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// Register a new passkey for this account.
    Registration(AccountId),
    /// Sign in without a typed name: the passkey names the account.
    SignIn,
    /// The second step of a sign-in to this account.
    Factor(AccountId),
    /// A step-up of a person who is signed in to this account.
    StepUp(AccountId),
}

impl ChallengePurpose {
    pub(super) fn parts(self) -> (&'static str, Option<AccountId>) {
        match self {
            Self::Registration(account) => ("add", Some(account)),
            Self::SignIn => ("sign_in", None),
            Self::Factor(account) => ("factor", Some(account)),
            Self::StepUp(account) => ("step_up", Some(account)),
        }
    }
}

/// A challenge for a browser.
pub struct PasskeyChallenge {
    /// Names the challenge; the browser sends it back with its answer.
    pub ticket: Secret<String>,
    /// The options of `navigator.credentials`, with bytes in base64url.
    pub options: Value,
}

/// A browser's answer to a challenge.
#[derive(Clone)]
pub struct Assertion {
    /// The ticket of the challenge.
    pub ticket: String,
    /// The credential that `navigator.credentials` returned, as JSON.
    pub credential: String,
}

/// An assertion whose signature is right. Its counter must still be compared with the stored one, in the transaction
/// that accepts it: see [`super::prove`].
#[derive(Clone, Debug)]
pub struct VerifiedAssertion {
    /// The passkey that signed.
    pub passkey: PasskeyId,
    /// The account of the passkey.
    pub account: AccountId,
    pub(super) sign_count: u32,
    pub(super) is_backed_up: bool,
    pub(super) credential_json: String,
}

/// A second factor as it is presented.
pub enum FactorProof {
    /// A typed code of the app, or a recovery code.
    Typed(Secret<String>),
    /// An assertion by a passkey.
    Passkey(VerifiedAssertion),
}

/// Which kind of factor was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorKind {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code, which is used up.
    RecoveryCode,
    /// A passkey.
    Passkey,
}

impl FactorKind {
    /// As stored with the session and recorded in the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
        }
    }
}

/// A sign-in with the first factor only: the second one is still missing.
#[derive(Clone, Debug)]
pub struct PendingSignIn {
    /// The account that signs in.
    pub account: AccountId,
    /// How the first factor was proved.
    pub method: String,
    /// Whether to stay signed in on this device.
    pub remember: bool,
}

/// Who requested a reset of factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetRequester {
    /// A visitor with the password of the person.
    Person,
    /// An operator, on the command line.
    Operator,
}

impl ResetRequester {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Operator => "operator",
        }
    }
}

/// A reset that is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// When it was requested.
    pub asked_at: Timestamp,
    /// When it will be carried out, unless it is stopped.
    pub due_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_parsed_as_people_write_them() {
        let code = RecoveryCode::generate(&mut Rng::seeded(1));
        let grouped = code.grouped();

        assert_eq!(grouped.expose().len(), 17);
        for written in [grouped.expose().clone(), grouped.expose().to_uppercase(), grouped.expose().replace('-', " ")] {
            assert_eq!(RecoveryCode::parse(&written).unwrap().letters(), code.letters());
        }
        assert_eq!(RecoveryCode::parse("OIL00-00000-00000").unwrap().letters(), "011000000000000");
        for no_code in ["", "123456", "uuuuu-uuuuu-uuuuu", &"0".repeat(16), "aaaaa-aaaaa-aaaaé"] {
            assert!(RecoveryCode::parse(no_code).is_none(), "{no_code}");
        }
    }

    #[test]
    fn passkey_names_are_visible() {
        assert_eq!(PasskeyName::parse("  ").unwrap().as_str(), "Passkey");
        assert_eq!(PasskeyName::parse(" Work laptop ").unwrap().as_str(), "Work laptop");
        for bad in ["a\u{202e}b", &"x".repeat(65)] {
            assert_eq!(PasskeyName::parse(bad), None);
        }
    }
}
