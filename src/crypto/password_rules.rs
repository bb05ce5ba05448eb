//! Which passwords are accepted: length and a list of known ones, no composition rules (NIST SP 800-63B-4 §3.1.1.2).

use unicode_normalization::UnicodeNormalization;

use super::known::Text;
use super::strength::{self, GUESSES_LOG10_MIN, Strength};
use crate::base::{Problem, Secret};

/// The product's own name: in the context of everybody.
const PRODUCT: &str = "domicile";
/// Shorter words are part of too many others.
const CONTEXT_WORD_MIN: usize = 4;
/// Longer ones are refused, never cut (ASVS 5.0 6.2.9 asks for at least 64 characters). Counted in the normal form, which is
/// the same on every keyboard.
const BYTES_MAX: usize = 1024;
/// What is longer than this as it was typed is no password, whatever it would be normalised to: so a megabyte costs nothing.
const TYPED_BYTES_MAX: usize = 4 * BYTES_MAX;

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
        let normal = normalise(&text).ok_or(PasswordFault::TooLong)?;
        if normal.expose().chars().count() < min_length {
            return Err(PasswordFault::TooShort { min: min_length });
        }
        match guessed(normal.expose(), context) {
            (Some(fault), _) => Err(fault),
            (None, _) => Ok(Self(normal)),
        }
    }

    /// What somebody who types this password is told, by the rule of [`Password::parse`]. Keeps nothing of it.
    pub fn rate(text: &Secret<String>, min_length: usize, context: &[&str]) -> Strength {
        let refused = |sentence: String| Strength { score: 1, sentence };
        let Some(normal) = normalise(text) else { return refused(PasswordFault::TooLong.sentence()) };
        let length = normal.expose().chars().count();
        if length == 0 {
            return Strength { score: 0, sentence: String::new() };
        }
        if length < min_length {
            let more = min_length - length;
            let characters = if more == 1 { "character" } else { "characters" };
            return refused(format!("{more} more {characters}. Several words in a row are easy to remember."));
        }
        match guessed(normal.expose(), context) {
            (Some(fault), _) => refused(fault.sentence()),
            (None, guesses_log10) => strength::praise(guesses_log10),
        }
    }

    pub(super) fn normalised(&self) -> &Secret<String> {
        &self.0
    }
}

impl PasswordFault {
    /// What is so, and what to do.
    fn sentence(self) -> String {
        match self {
            Self::TooShort { min } => {
                format!("A password has at least {min} characters. Several words in a row are easy to remember.")
            }
            Self::TooLong => "A password has at most 1,024 bytes. Use a shorter one.".to_owned(),
            Self::TooCommon => {
                "This password is known to everybody or a simple pattern. Add another word or two; uncommon words are better."
                    .to_owned()
            }
            Self::TooPersonal => {
                "This password is made of your name, your address or this site, which others know. Use other words."
                    .to_owned()
            }
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::TooCommon => "password_too_common",
            Self::TooPersonal => "password_too_personal",
        }
    }
}

impl From<PasswordFault> for Problem {
    fn from(fault: PasswordFault) -> Self {
        Problem::field("password", fault.code(), fault.sentence())
    }
}

/// What speaks against a password that is long enough, and how many guesses it takes.
fn guessed(text: &str, context: &[&str]) -> (Option<PasswordFault>, f64) {
    let apart = Text::new(text);
    if apart.is_known() {
        return (Some(PasswordFault::TooCommon), 0.0);
    }
    let words = context_words(context);
    if apart.is_mostly_of(&words) {
        return (Some(PasswordFault::TooPersonal), 0.0);
    }
    let by_strangers = strength::guesses_log10(text, &[]);
    if by_strangers < GUESSES_LOG10_MIN {
        return (Some(PasswordFault::TooCommon), by_strangers);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let by_neighbours = strength::guesses_log10(text, &words);
    ((by_neighbours < GUESSES_LOG10_MIN).then_some(PasswordFault::TooPersonal), by_neighbours)
}

/// The words about person and site, whole and in their parts, the longest first.
fn context_words(context: &[&str]) -> Vec<String> {
    let whole = context.iter().copied().chain([PRODUCT]);
    let parts = context.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut words: Vec<String> = whole.chain(parts).map(str::to_lowercase).collect();
    words.retain(|word| word.chars().count() >= CONTEXT_WORD_MIN);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// The one form that is hashed and compared (Unicode NFC). `None`: it is longer than any password, so there is nothing to
/// compare; it is never cut to what would fit.
pub(super) fn normalise(text: &Secret<String>) -> Option<Secret<String>> {
    if text.expose().len() > TYPED_BYTES_MAX {
        return None;
    }
    let normal: String = text.expose().nfc().collect();
    (normal.len() <= BYTES_MAX).then(|| Secret::new(normal))
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
    fn p5_composed_and_decomposed_letters_are_the_same_password() {
        let composed = normalise(&Secret::new("caf\u{e9}".to_owned())).unwrap();
        let decomposed = normalise(&Secret::new("cafe\u{301}".to_owned())).unwrap();

        assert_eq!(composed.expose(), decomposed.expose());
    }

    #[test]
    fn p2_a_text_that_is_too_long_is_no_password_and_not_the_beginning_of_one() {
        let is_one = |text: String| normalise(&Secret::new(text)).is_some();

        assert!(is_one("x".repeat(1024)) && !is_one("x".repeat(1025)));
        // Two bytes each in the normal form, whichever way they are typed.
        assert!(is_one("\u{1d5}".repeat(512)) && is_one("U\u{308}\u{304}".repeat(512)));
        assert!(!is_one("\u{1d5}".repeat(513)) && !is_one("U\u{308}\u{304}".repeat(513)));
        assert!(!is_one("x".repeat(1 << 20)));
    }
}
