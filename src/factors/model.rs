//! What a factor is, and the rules for what people type.

use std::time::Duration;

use serde_json::Value;

use super::totp::Seed;
use crate::base::{AccountId, PasskeyId, Rng, Secret, Timestamp, hours, is_visible, minutes};

/// How long the second step of a sign-in may take.
pub const HALF_LIFE: Duration = minutes(10);
/// Wrong codes that end a half-session: then the first step is asked for again (safety row 68).
pub const HALF_TRIES_MAX: u32 = 5;
/// How long a person without factors waits, while everybody who could object is told (domain 5.1.11).
pub const RESET_WAIT: Duration = hours(72);
/// A secret that was shown and not confirmed is forgotten after this.
pub(super) const SET_UP_LIFE: Duration = minutes(30);
/// How long a challenge can be answered (WebAuthn, safety W1).
pub(super) const CHALLENGE_LIFE: Duration = minutes(5);
/// Recovery codes of one person.
pub(super) const CODES: usize = 10;
/// Passkeys of one person.
pub(super) const PASSKEYS_MAX: u32 = 20;

/// What somebody has beside a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// An authenticator app, confirmed.
    pub has_totp: bool,
    /// How many passkeys.
    pub passkeys: u32,
    /// Recovery codes that are not used.
    pub codes_left: u32,
}

impl Enrolled {
    /// Whether a second step is asked for. Recovery codes alone are no factor: they stand in for one.
    pub fn is_any(&self) -> bool {
        self.has_totp || self.passkeys > 0
    }

    /// How many factors there are, an app or a passkey each.
    pub fn count(&self) -> u32 {
        u32::from(self.has_totp) + self.passkeys
    }
}

/// A secret to be put into an app, shown until a code confirms it.
pub struct SetUp {
    /// The secret.
    pub seed: Seed,
}

/// Recovery codes in the clear: for the one page that shows them.
pub struct NewCodes(pub Vec<RecoveryCode>);

/// A code for a day without the app: `xxxxx-xxxxx-xxxxx`, 75 random bits in Crockford's base32.
pub struct RecoveryCode(Secret<String>);

/// Crockford's alphabet: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 15;

impl RecoveryCode {
    pub(super) fn generate(rng: &mut Rng) -> Self {
        let letters = (0..LETTERS).map(|_| char::from(ALPHABET[rng.below(32) as usize]));
        Self(Secret::new(letters.collect()))
    }

    /// Reads what somebody typed: capitals, hyphens and spaces do not matter, and letters that look alike are taken for each
    /// other. `None`: this is no recovery code, right or wrong.
    pub fn parse(typed: &str) -> Option<Self> {
        let folded = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
        let letters: String = folded.take(LETTERS + 1).collect();
        let is_code = letters.len() == LETTERS && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        is_code.then(|| Self(Secret::new(letters)))
    }

    /// As shown, in three groups.
    pub fn shown(&self) -> Secret<String> {
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
    /// Its id.
    pub id: PasskeyId,
    /// Whose.
    pub account: AccountId,
    /// What its person calls it.
    pub name: String,
    /// How often it signed, as it says itself. Zero: it does not count.
    pub sign_count: u32,
    /// Whether it is kept in more than one place, such as a password manager's cloud.
    pub is_backed_up: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last signed. `None`: never since.
    pub last_used_at: Option<Timestamp>,
}

/// What a person calls a passkey: 1 to 64 characters that print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// Reads a name; nothing typed is the plain name. `None`: too long, or it does not print.
    pub fn parse(text: &str) -> Option<Self> {
        let name = if text.trim().is_empty() { "Passkey" } else { text.trim() };
        (is_visible(name) && name.chars().count() <= 64).then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a challenge is given out for: an answer to one is worth nothing elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeFor {
    /// A new passkey of this person.
    Adding(AccountId),
    /// Sign-in without a name: whoever the passkey belongs to.
    SignIn,
    /// The second step of this person's sign-in.
    Factor(AccountId),
    /// One more proof by this person, who is signed in.
    StepUp(AccountId),
}

impl ChallengeFor {
    pub(super) fn parts(self) -> (&'static str, Option<AccountId>) {
        match self {
            Self::Adding(account) => ("add", Some(account)),
            Self::SignIn => ("sign_in", None),
            Self::Factor(account) => ("factor", Some(account)),
            Self::StepUp(account) => ("step_up", Some(account)),
        }
    }
}

/// A challenge for a browser.
pub struct Challenged {
    /// Sent back with the answer; names the challenge.
    pub ticket: Secret<String>,
    /// The options of `navigator.credentials`, with bytes in base64url.
    pub options: Value,
}

/// A browser's answer to a challenge.
#[derive(Clone)]
pub struct Assertion {
    /// As given out with the challenge.
    pub ticket: String,
    /// What the browser made, JSON.
    pub credential: String,
}

/// An answer whose signature was right. Its counter is still to be compared with the stored one, in the transaction that
/// lets it count: see [`super::prove`].
#[derive(Clone, Debug)]
pub struct Asserted {
    /// Which passkey.
    pub passkey: PasskeyId,
    /// Whose.
    pub account: AccountId,
    pub(super) sign_count: u32,
    pub(super) is_backed_up: bool,
    pub(super) credential_json: String,
}

/// A second factor as somebody presents it.
pub enum FactorProof {
    /// What they typed: a code of the app, or a recovery code.
    Typed(Secret<String>),
    /// What a passkey signed.
    Passkey(Asserted),
}

/// Which factor it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code; it is used up.
    RecoveryCode,
    /// A passkey.
    Passkey,
}

impl Used {
    /// As stored with the session and recorded in the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
        }
    }
}

/// A sign-in that still owes its second factor.
#[derive(Clone, Debug)]
pub struct Half {
    /// Whose.
    pub account: AccountId,
    /// What was proved.
    pub method: String,
    /// Whether to stay signed in on this device.
    pub remember: bool,
}

/// Who asked that somebody's factors be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// Somebody with the person's password.
    Person,
    /// The operator at the machine.
    Operator,
}

impl AskedBy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Operator => "operator",
        }
    }
}

/// A reset that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it is carried out, unless somebody stops it.
    pub due_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_read_as_people_write_them() {
        let code = RecoveryCode::generate(&mut Rng::seeded(1));
        let shown = code.shown();

        assert_eq!(shown.expose().len(), 17);
        for written in [shown.expose().clone(), shown.expose().to_uppercase(), shown.expose().replace('-', " ")] {
            assert_eq!(RecoveryCode::parse(&written).unwrap().letters(), code.letters());
        }
        assert_eq!(RecoveryCode::parse("OIL00-00000-00000").unwrap().letters(), "011000000000000");
        for no_code in ["", "123456", "uuuuu-uuuuu-uuuuu", &"0".repeat(16), "aaaaa-aaaaa-aaaaé"] {
            assert!(RecoveryCode::parse(no_code).is_none(), "{no_code}");
        }
    }

    #[test]
    fn passkeys_have_a_name_that_prints() {
        assert_eq!(PasskeyName::parse("  ").unwrap().as_str(), "Passkey");
        assert_eq!(PasskeyName::parse(" Work laptop ").unwrap().as_str(), "Work laptop");
        for bad in ["a\u{202e}b", &"x".repeat(65)] {
            assert_eq!(PasskeyName::parse(bad), None);
        }
    }
}
