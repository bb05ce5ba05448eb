//! Which passwords are accepted: by length and by a list of known ones, without composition rules (NIST SP 800-63B-4
//! §3.1.1.2).

use unicode_normalization::UnicodeNormalization;

use super::known::Text;
use super::strength::{self, GUESSES_LOG10_MIN, Strength};
use crate::base::{Problem, Secret};

/// The name of the product: part of the context of every password.
const PRODUCT: &str = "domicile";
/// Characters. Shorter words are part of too many other words.
const CONTEXT_WORD_MIN: usize = 4;
/// Longer passwords are refused, never truncated (ASVS 5.0 6.2.9 requires that at least 64 characters are allowed).
/// Counted in the normal form, which is the same for every keyboard.
const BYTES_MAX: usize = 1024;
/// Text that is longer than this as typed is refused before it is normalised, so that a megabyte costs no time.
const TYPED_BYTES_MAX: usize = 4 * BYTES_MAX;

/// A password that may be set: long enough, not known, and normalised (NFC), so that it is the same for every keyboard.
pub struct Password(Secret<String>);

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PasswordFault {
    /// It has fewer than `min` characters.
    TooShort { min: usize },
    /// It has more than 1,024 bytes.
    TooLong,
    /// It is a known password or a pattern.
    TooCommon,
    /// It consists of the person's name, their address or the name of the site.
    TooPersonal,
}

impl Password {
    /// Checks a new password. `context`: words about the person and the site, which must not be most of the password.
    ///
    /// # Errors
    /// [`PasswordFault`].
    pub fn parse(text: Secret<String>, min_length: usize, context: &[&str]) -> Result<Self, PasswordFault> {
        let normal = normalise(&text).ok_or(PasswordFault::TooLong)?;
        if normal.expose().chars().count() < min_length {
            return Err(PasswordFault::TooShort { min: min_length });
        }
        match guess_fault(normal.expose(), context) {
            (Some(fault), _) => Err(fault),
            (None, _) => Ok(Self(normal)),
        }
    }

    /// Rates a password while it is typed, by the rules of [`Password::parse`]. Stores nothing.
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
        match guess_fault(normal.expose(), context) {
            (Some(fault), _) => refused(fault.sentence()),
            (None, guesses_log10) => strength::rating(guesses_log10),
        }
    }

    pub(super) fn normalised(&self) -> &Secret<String> {
        &self.0
    }
}

impl PasswordFault {
    fn sentence(self) -> String {
        match self {
            Self::TooShort { min } => {
                format!("Use at least {min} characters. Several words in a row are easy to remember.")
            }
            Self::TooLong => "A password can have at most 1,024 bytes. Use a shorter one.".to_owned(),
            Self::TooCommon => {
                "This password is too common or follows a simple pattern. Add one or two words; uncommon words are better."
                    .to_owned()
            }
            Self::TooPersonal => {
                "This password consists of your name, your address or the name of this site, which others know. Use other words."
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

/// Why a password that is long enough is refused, and the decimal logarithm of the guesses that it takes.
fn guess_fault(text: &str, context: &[&str]) -> (Option<PasswordFault>, f64) {
    let known = Text::new(text);
    if known.is_known() {
        return (Some(PasswordFault::TooCommon), 0.0);
    }
    let words = context_words(context);
    if known.is_mostly_of(&words) {
        return (Some(PasswordFault::TooPersonal), 0.0);
    }
    let without_context = strength::guesses_log10(text, &[]);
    if without_context < GUESSES_LOG10_MIN {
        return (Some(PasswordFault::TooCommon), without_context);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let with_context = strength::guesses_log10(text, &words);
    ((with_context < GUESSES_LOG10_MIN).then_some(PasswordFault::TooPersonal), with_context)
}

/// The words about the person and the site, complete and in parts, the longest first.
fn context_words(context: &[&str]) -> Vec<String> {
    let whole = context.iter().copied().chain([PRODUCT]);
    let parts = context.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut words: Vec<String> = whole.chain(parts).map(str::to_lowercase).collect();
    words.retain(|word| word.chars().count() >= CONTEXT_WORD_MIN);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// The normal form, which is hashed and compared (Unicode NFC). `None`: the text is longer than any password. It is
/// never truncated.
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
    fn only_the_number_of_characters_counts() {
        assert_eq!(parse("fourteen chars"), Err(PasswordFault::TooShort { min: 15 }));
        assert_eq!(parse("fifteen letters"), Ok(()));
        assert_eq!(parse("zaubererkönigin"), Ok(()));
        assert_eq!(parse(&"wörter und mehr ".repeat(20)), Ok(()));
        assert_eq!(parse(&"x".repeat(1025)), Err(PasswordFault::TooLong));
    }

    #[test]
    fn common_passwords_are_refused() {
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
    fn p2_a_text_that_is_too_long_is_refused_and_not_truncated() {
        let is_accepted = |text: String| normalise(&Secret::new(text)).is_some();

        assert!(is_accepted("x".repeat(1024)) && !is_accepted("x".repeat(1025)));
        // Two bytes each in the normal form, however they are typed.
        assert!(is_accepted("\u{1d5}".repeat(512)) && is_accepted("U\u{308}\u{304}".repeat(512)));
        assert!(!is_accepted("\u{1d5}".repeat(513)) && !is_accepted("U\u{308}\u{304}".repeat(513)));
        assert!(!is_accepted("x".repeat(1 << 20)));
    }
}
