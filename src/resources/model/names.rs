//! Ids, names and slugs that services give to resources.

use crate::base::is_visible;

/// The id that a service gave to a resource: 1 to 200 of letters, digits and `-._~:@+=`, because addresses contain it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalId(String);

impl ExternalId {
    /// Parses an id. `None`: it is empty, too long, has other characters, or is a word that addresses use: `.`, `..`, `batch`.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:@+=".contains(&b);
        let is_good =
            (1..=200).contains(&text.len()) && text.bytes().all(allowed) && !matches!(text, "." | ".." | "batch");
        is_good.then(|| Self(text.to_owned()))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a resource for people: 1 to 200 visible characters, without the angle brackets of markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceName(String);

impl ResourceName {
    /// Parses a name, without spaces at both ends. `None`: it is empty, too long, or has markup or hidden characters.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let chars = text.chars().count();
        // A character has four bytes at most; the column counts characters.
        let is_good = (1..=200).contains(&chars) && is_visible(text) && !text.contains(['<', '>']);
        is_good.then(|| Self(text.to_owned()))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a resource in addresses: 1 to 100 of `a-z`, `0-9`, hyphen, dot and underscore, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// Parses a slug. `None`: it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        (text.len() <= 100 && begins_well && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_markup_or_hidden_characters_are_refused() {
        let long = "ä".repeat(200);
        for good in ["Yolo 11", "東京 👩🏽", "a & b", long.as_str()] {
            assert_eq!(ResourceName::parse(good).as_ref().map(ResourceName::as_str), Some(good));
        }
        let too_long = "a".repeat(201);
        for bad in ["", "  ", "<b>bold</b>", "a > b", "a\nb", "a\u{202e}b", "a\0", &too_long] {
            assert_eq!(ResourceName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ids_and_slugs_are_parts_of_addresses() {
        for good in ["m-1", "5f0c9e1b:2", "A.b_c~d@e+f="] {
            assert!(ExternalId::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "..", "batch", "a/b", "a b", "ä", "a%2f", "a?b", &"a".repeat(201)] {
            assert_eq!(ExternalId::parse(bad), None, "{bad:?}");
        }
        assert!(Slug::parse("yolo-11.v2").is_some());
        for bad in ["", "-a", "A", "a b", "<i>", &"a".repeat(101)] {
            assert_eq!(Slug::parse(bad), None, "{bad:?}");
        }
    }
}
