//! The text of a key: `<prefix>_`, 32 random hexadecimal digits, and 8 of CRC-32 over all before them.
//!
//! The prefix makes a leaked key findable. The checksum lets a scanner decide offline, and refuses a mistyped key
//! without a look-up (GitHub gave these reasons for its tokens in 2021). 128 bits are random.

use crate::base::{Rng, Secret};

const RANDOM_DIGITS: usize = 32;
const CHECK_DIGITS: usize = 8;
/// Digits that lists show after the prefix: 32 of the 128 bits. The other 96 stay secret.
const DISPLAY_DIGITS: usize = 8;

/// The text of a key: the secret.
pub struct KeyText(Secret<String>);

impl KeyText {
    /// A new random key text.
    pub fn generate(prefix: &str, rng: &mut Rng) -> Self {
        let mut text = format!("{prefix}_{}", hex::encode(rng.bytes::<{ RANDOM_DIGITS / 2 }>()));
        let check = crc32fast::hash(text.as_bytes());
        text.push_str(&format!("{check:08x}"));
        Self(Secret::new(text))
    }

    /// Whether the text has the form and the checksum of a key with this prefix. No allocation, no look-up.
    pub fn is_well_formed(prefix: &str, text: &str) -> bool {
        let Some(digits) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) else { return false };
        if digits.len() != RANDOM_DIGITS + CHECK_DIGITS {
            return false;
        }
        let hexadecimal = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        if !digits.as_bytes().iter().all(hexadecimal) {
            return false;
        }
        let (body, check) = text.split_at(text.len() - CHECK_DIGITS);
        u32::from_str_radix(check, 16) == Ok(crc32fast::hash(body.as_bytes()))
    }

    /// The positions of keys with this prefix in `bytes`: of the first byte of each. A text with the form of a key
    /// counts if its checksum is right; a random one is right once in four thousand million.
    pub fn positions_in(prefix: &str, bytes: &[u8]) -> Vec<usize> {
        let is_key = |window: &[u8]| {
            window.starts_with(prefix.as_bytes())
                && std::str::from_utf8(window).is_ok_and(|text| Self::is_well_formed(prefix, text))
        };
        let windows = bytes.windows(Self::length(prefix)).enumerate();
        windows.filter(|(_, window)| is_key(window)).map(|(position, _)| position).collect()
    }

    /// A regular expression for scanners that do not check the checksum. It is valid in RE2, PCRE and POSIX.
    pub fn pattern(prefix: &str) -> String {
        format!("{prefix}_[0-9a-f]{{{}}}", RANDOM_DIGITS + CHECK_DIGITS)
    }

    /// The length of a key with this prefix, in bytes.
    pub const fn length(prefix: &str) -> usize {
        prefix.len() + 1 + RANDOM_DIGITS + CHECK_DIGITS
    }

    /// The part of a key that may be shown: prefix, underscore and eight digits.
    pub fn display_of(key: &str) -> &str {
        let underscore = key.find('_').unwrap_or(0);
        &key[..(underscore + 1 + DISPLAY_DIGITS).min(key.len())]
    }

    /// The secret text, to hash it or to show it once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The part that lists show: prefix, underscore and eight digits.
    pub fn display(&self) -> String {
        Self::display_of(self.0.expose()).to_owned()
    }

    /// The text as a secret.
    pub fn into_secret(self) -> Secret<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_never_another_key() {
        let key = KeyText::generate("dok", &mut Rng::seeded(1));
        let text = key.expose();
        assert!(KeyText::is_well_formed("dok", text));
        assert_eq!((text.len(), key.display()), (44, text[..12].to_owned()));

        for position in 0..text.len() {
            for other in "0123456789abcdefgG_".chars() {
                let mut typed: Vec<char> = text.chars().collect();
                let original = std::mem::replace(&mut typed[position], other);
                let typed: String = typed.into_iter().collect();
                assert!(original == other || !KeyText::is_well_formed("dok", &typed), "{typed}");
            }
        }
        for position in 4..text.len() - 1 {
            let mut typed: Vec<char> = text.chars().collect();
            typed.swap(position, position + 1);
            let swapped: String = typed.into_iter().collect();
            assert!(swapped == text || !KeyText::is_well_formed("dok", &swapped), "{swapped}");
        }
    }

    #[test]
    fn keys_are_found_in_other_bytes_and_wrong_checksums_are_not() {
        let key = KeyText::generate("dok", &mut Rng::seeded(3));
        let mut alike = key.expose().to_owned();
        alike.replace_range(10..11, if &alike[10..11] == "0" { "1" } else { "0" });
        let around = [b"\xff key=".as_slice(), key.expose().as_bytes(), b" no=", alike.as_bytes()];
        let text = [around.concat().as_slice(), key.expose().as_bytes()].concat();

        assert_eq!(KeyText::positions_in("dok", &text), [6, 6 + 44 + 4 + 44]);
        assert_eq!(KeyText::positions_in("dos", &text), Vec::<usize>::new());
        assert_eq!(KeyText::pattern("dok"), "dok_[0-9a-f]{40}");
    }

    #[test]
    fn other_prefixes_and_lengths_are_refused() {
        let key = KeyText::generate("do", &mut Rng::seeded(2));

        assert_eq!(key.expose().len(), 43);
        assert!(!KeyText::is_well_formed("dok", key.expose()));
        assert!(!KeyText::is_well_formed("do", &key.expose()[..42]));
        assert!(!KeyText::is_well_formed("do", ""));
        assert!(!KeyText::is_well_formed("do", &"é".repeat(30)));
    }
}
