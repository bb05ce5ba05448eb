//! Usernames that look alike.

use super::reserved::{RESERVED, is_reserved};

/// Characters that look like others in common typefaces, and the text they are compared as. Usernames are ASCII, so
/// this list is complete (UTS #39 §4 does the same for all of Unicode).
const CONFUSABLES: [(char, &str); 5] = [('0', "o"), ('1', "l"), ('i', "l"), ('m', "rn"), ('w', "vv")];

/// The name with confusable characters replaced. The migration that introduced the column does the same in SQL.
pub(super) fn skeleton(name: &str) -> String {
    let mut folded = String::with_capacity(name.len() + 4);
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        match CONFUSABLES.iter().find(|(known, _)| *known == letter) {
            Some((_, same)) => folded.push_str(same),
            None => folded.push(letter),
        }
    }
    folded
}

/// Whether the name is not reserved but looks like a reserved name. Hyphens are ignored in the comparison.
pub(super) fn is_confusable_with_reserved(name: &str) -> bool {
    let bare = |name: &str| skeleton(&name.replace('-', ""));
    let wanted = bare(name);
    !is_reserved(name) && RESERVED.iter().any(|reserved| bare(reserved) == wanted)
}

/// The `number`th suggestion for `wanted`, in characters that a username can have: first the name itself, then with a
/// number at the end.
pub(super) fn variant(wanted: &str, number: u32) -> String {
    let mut base = String::new();
    for letter in wanted.trim().chars() {
        let letter = letter.to_ascii_lowercase();
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            base.push(letter);
        } else if !base.is_empty() && !base.ends_with('-') {
            base.push('-');
        }
    }
    let suffix = if number == 1 { String::new() } else { format!("-{number}") };
    let length = 32 - suffix.len();
    format!("{}{suffix}", base.get(..length).unwrap_or(&base).trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusable_characters_are_equal() {
        for (one, other) in
            [("modern", "rnodern"), ("paul", "pau1"), ("lily", "1i1y"), ("zoe0", "zoeo"), ("wave", "vvave")]
        {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_ne!(skeleton("ada-l"), skeleton("adal"));
        assert_ne!(skeleton("ada-5"), skeleton("ada-s"));
    }

    #[test]
    fn variants_have_the_characters_of_usernames() {
        assert_eq!(variant(" Ada  Lovelace! ", 1), "ada-lovelace");
        assert_eq!(variant("ada-l", 3), "ada-l-3");
        assert_eq!(variant(&"x".repeat(40), 12).len(), 32);
        assert_eq!(variant("Ädä", 1), "d");
    }

    #[test]
    fn a_name_does_not_look_like_a_reserved_one() {
        for confusable in ["adrnin", "s1gnin", "sign-in", "d0micile", "bi11ing", "ho-use", "vvebmaster"] {
            assert!(is_confusable_with_reserved(confusable), "{confusable}");
        }
        for fine in ["ada-l", "admin-of-nothing", "signing", "housefly"] {
            assert!(!is_confusable_with_reserved(fine), "{fine}");
        }
    }
}
