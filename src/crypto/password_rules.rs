//! Which passwords are accepted: length and a list of known ones, no composition rules (NIST SP 800-63B-4 §3.1.1.2).

use unicode_normalization::UnicodeNormalization;

use crate::base::{Problem, Secret};

/// Longer input is refused, never cut (ASVS 5.0 6.2.9 asks for at least 64 characters).
const BYTES_MAX: usize = 1024;

/// Words that passwords of people in a hurry are made of; a password that is one of these repeated, or little more than
/// one of these, is known to everybody.
const KNOWN: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "qwertyuiop",
    "qwerty",
    "azerty",
    "asdfghjkl",
    "zxcvbnm",
    "1q2w3e4r5t",
    "letmein",
    "iloveyou",
    "welcome",
    "administrator",
    "admin",
    "changeme",
    "secret",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "superman",
    "batman",
    "trustno1",
    "sunshine",
    "princess",
    "whatever",
    "master",
    "shadow",
    "michael",
    "jennifer",
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "98765432109876543210",
    "correcthorsebatterystaple",
    "domicile",
];

/// A password that may be set: long enough, not known, normalised once (NFC), so that it is the same on every keyboard.
pub struct Password(Secret<String>);

/// Why a text may not be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer characters than wanted.
    TooShort {
        /// How many are wanted.
        min: usize,
    },
    /// More than 1,024 bytes.
    TooLong,
    /// Known to everybody, or a pattern.
    TooCommon,
    /// Made of the person's own name or address.
    TooPersonal,
}

impl Password {
    /// Checks a new password. `context`: words about the person and the site that must not be most of it.
    ///
    /// # Errors
    /// [`PasswordFault`].
    pub fn parse(text: Secret<String>, min_length: usize, context: &[&str]) -> Result<Self, PasswordFault> {
        if text.expose().len() > BYTES_MAX {
            return Err(PasswordFault::TooLong);
        }
        let normal = normalise(&text);
        if normal.expose().chars().count() < min_length {
            return Err(PasswordFault::TooShort { min: min_length });
        }
        let folded = Secret::new(normal.expose().to_lowercase());
        if is_pattern(folded.expose()) || KNOWN.iter().any(|known| is_mostly(folded.expose(), known)) {
            return Err(PasswordFault::TooCommon);
        }
        let personal = |word: &&str| word.chars().count() >= 4 && is_mostly(folded.expose(), &word.to_lowercase());
        if context.iter().any(personal) {
            return Err(PasswordFault::TooPersonal);
        }
        Ok(Self(normal))
    }

    pub(super) fn normalised(&self) -> &Secret<String> {
        &self.0
    }
}

impl From<PasswordFault> for Problem {
    fn from(fault: PasswordFault) -> Self {
        let sentence = match fault {
            PasswordFault::TooShort { min } => {
                format!("A password has at least {min} characters. Several words in a row are easy to remember.")
            }
            PasswordFault::TooLong => "A password has at most 1,024 bytes. Use a shorter one.".to_owned(),
            PasswordFault::TooCommon => {
                "This password is known to everybody or a simple pattern. Use another one.".to_owned()
            }
            PasswordFault::TooPersonal => {
                "This password is made of your name or address, which others know. Use another one.".to_owned()
            }
        };
        let code = match fault {
            PasswordFault::TooShort { .. } => "password_too_short",
            PasswordFault::TooLong => "password_too_long",
            PasswordFault::TooCommon => "password_too_common",
            PasswordFault::TooPersonal => "password_too_personal",
        };
        Problem::field("password", code, sentence)
    }
}

/// The one form that is hashed and compared. No password has more than `BYTES_MAX` characters, so of what is longer one
/// more than that is enough to be none, and a megabyte costs no more than a line.
pub(super) fn normalise(text: &Secret<String>) -> Secret<String> {
    Secret::new(text.expose().chars().take(BYTES_MAX + 1).nfc().collect())
}

/// Fewer than five different characters, or little else than neighbours in a row: `abcdef…`, `1234567890…`.
fn is_pattern(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let mut distinct = characters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let strides = |step: i64| {
        let stride = |pair: &&[char]| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])) == step;
        characters.windows(2).filter(stride).count()
    };
    distinct.len() < 5 || strides(1).max(strides(-1)) * 4 >= characters.len() * 3
}

/// Whether taking `word` out of `text` wherever it stands leaves fewer than five characters that are not digits or signs.
fn is_mostly(text: &str, word: &str) -> bool {
    text.contains(word) && text.replace(word, "").chars().filter(|c| c.is_alphabetic()).count() < 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(), PasswordFault> {
        Password::parse(Secret::new(text.to_owned()), 15, &["ada-lovelace", "lovelace", "example.org"]).map(|_| ())
    }

    #[test]
    fn length_counts_characters_and_nothing_is_demanded_beside_it() {
        assert_eq!(parse("fourteen chars"), Err(PasswordFault::TooShort { min: 15 }));
        assert_eq!(parse("fifteen letters"), Ok(()));
        assert_eq!(parse("zaubererkönigin"), Ok(()));
        assert_eq!(parse(&"wörter und mehr ".repeat(20)), Ok(()));
        assert_eq!(parse(&"x".repeat(1025)), Err(PasswordFault::TooLong));
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for common in [
            "passwordpassword",
            "PasswordPassword1!",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "1234567890123456",
            "qwertyuiop12345!",
        ] {
            assert_eq!(parse(common), Err(PasswordFault::TooCommon), "{common}");
        }
        assert_eq!(parse("ada-lovelace-1815"), Err(PasswordFault::TooPersonal));
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let composed = normalise(&Secret::new("caf\u{e9}".to_owned()));
        let decomposed = normalise(&Secret::new("cafe\u{301}".to_owned()));

        assert_eq!(composed.expose(), decomposed.expose());
    }
}
