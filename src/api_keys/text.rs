//! The text of a key: `<prefix>_`, 32 random hexadecimal digits, and 8 of CRC-32 over all before them.
//!
//! The prefix makes a leaked key findable, the checksum lets a scanner decide without asking anybody, and a mistyped key
//! costs no look-up (the reasons GitHub gave for its tokens in 2021). 128 bits are random.

use crate::base::{Chance, Secret};

const RANDOM_DIGITS: usize = 32;
const CHECK_DIGITS: usize = 8;
/// Digits after the underscore.
pub(super) const DIGITS: usize = RANDOM_DIGITS + CHECK_DIGITS;
/// Digits that lists show after the prefix: 32 of the 128 bits; 96 stay secret.
const SHOWN_DIGITS: usize = 8;

/// A well-formed key.
pub struct KeyText(Secret<String>);

impl KeyText {
    /// A new key.
    pub fn generate(prefix: &str, chance: &mut Chance) -> Self {
        let mut text = format!("{prefix}_{}", hex::encode(chance.bytes::<{ RANDOM_DIGITS / 2 }>()));
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

    /// The key itself, for hashing and for showing once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What lists show: prefix, underscore and eight digits.
    pub fn display(&self) -> String {
        Self::display_of(self.0.expose())
    }

    /// As [`KeyText::display`], of a text that is well-formed.
    pub(super) fn display_of(text: &str) -> String {
        let underscore = text.find('_').unwrap_or(0);
        text[..underscore + 1 + SHOWN_DIGITS].to_owned()
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
        let key = KeyText::generate("dok", &mut Chance::seeded(1));
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
    fn other_prefixes_and_lengths_are_refused() {
        let key = KeyText::generate("do", &mut Chance::seeded(2));

        assert_eq!(key.expose().len(), 43);
        assert!(!KeyText::is_well_formed("dok", key.expose()));
        assert!(!KeyText::is_well_formed("do", &key.expose()[..42]));
        assert!(!KeyText::is_well_formed("do", ""));
        assert!(!KeyText::is_well_formed("do", &"é".repeat(30)));
    }
}
