//! The text of a key: `<prefix>_`, 32 random hexadecimal digits, and 8 of CRC-32 over all before them.
//!
//! The prefix makes a leaked key findable, the checksum lets a scanner decide without asking anybody, and a mistyped key
//! costs no look-up (the reasons GitHub gave for its tokens in 2021). 128 bits are random.

use crate::base::{Rng, Secret};

const RANDOM_DIGITS: usize = 32;
const CHECK_DIGITS: usize = 8;
/// Digits that lists show after the prefix: 32 of the 128 bits; 96 stay secret.
const SHOWN_DIGITS: usize = 8;

/// A well-formed key.
pub struct KeyText(Secret<String>);

impl KeyText {
    /// A new key.
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

    /// Where keys with this prefix stand in `bytes`: the place of each first byte. A checksum that fits makes it a key; a
    /// look-alike fits once in four thousand million.
    pub fn places_in(prefix: &str, bytes: &[u8]) -> Vec<usize> {
        let is_key = |window: &[u8]| {
            window.starts_with(prefix.as_bytes())
                && std::str::from_utf8(window).is_ok_and(|text| Self::is_well_formed(prefix, text))
        };
        let windows = bytes.windows(Self::length(prefix)).enumerate();
        windows.filter(|(_, window)| is_key(window)).map(|(place, _)| place).collect()
    }

    /// What a scanner looks for that does not know checksums: a regular expression of RE2, PCRE and POSIX alike.
    pub fn pattern(prefix: &str) -> String {
        format!("{prefix}_[0-9a-f]{{{}}}", RANDOM_DIGITS + CHECK_DIGITS)
    }

    /// Bytes of a key with this prefix.
    pub const fn length(prefix: &str) -> usize {
        prefix.len() + 1 + RANDOM_DIGITS + CHECK_DIGITS
    }

    /// What may be shown of a key: prefix, underscore and eight digits.
    pub fn shown(key: &str) -> &str {
        let underscore = key.find('_').unwrap_or(0);
        &key[..(underscore + 1 + SHOWN_DIGITS).min(key.len())]
    }

    /// The key itself, for hashing and for showing once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What lists show: prefix, underscore and eight digits.
    pub fn display(&self) -> String {
        Self::shown(self.0.expose()).to_owned()
    }

    /// The key, as the secret it is.
    pub fn into_secret(self) -> Secret<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slip_of_the_finger_makes_another_key() {
        let key = KeyText::generate("dok", &mut Rng::seeded(1));
        let text = key.expose();
        assert!(KeyText::is_well_formed("dok", text));
        assert_eq!((text.len(), key.display()), (44, text[..12].to_owned()));

        for place in 0..text.len() {
            for other in "0123456789abcdefgG_".chars() {
                let mut typed: Vec<char> = text.chars().collect();
                let right = std::mem::replace(&mut typed[place], other);
                let typed: String = typed.into_iter().collect();
                assert!(right == other || !KeyText::is_well_formed("dok", &typed), "{typed}");
            }
        }
        for place in 4..text.len() - 1 {
            let mut typed: Vec<char> = text.chars().collect();
            typed.swap(place, place + 1);
            let swapped: String = typed.into_iter().collect();
            assert!(swapped == text || !KeyText::is_well_formed("dok", &swapped), "{swapped}");
        }
    }

    #[test]
    fn keys_are_found_among_other_bytes_and_look_alikes_are_not() {
        let key = KeyText::generate("dok", &mut Rng::seeded(3));
        let mut alike = key.expose().to_owned();
        alike.replace_range(10..11, if &alike[10..11] == "0" { "1" } else { "0" });
        let around = [b"\xff key=".as_slice(), key.expose().as_bytes(), b" no=", alike.as_bytes()];
        let text = [around.concat().as_slice(), key.expose().as_bytes()].concat();

        assert_eq!(KeyText::places_in("dok", &text), [6, 6 + 44 + 4 + 44]);
        assert_eq!(KeyText::places_in("dos", &text), Vec::<usize>::new());
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
