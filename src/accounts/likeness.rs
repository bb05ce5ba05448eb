//! Names that look alike.

use super::reserved::{RESERVED, is_reserved};

/// Letters that can be taken for one another in common typefaces, and what they are compared as. Usernames are ASCII, so
/// this is all of it (UTS #39 §4 does the same for the whole of Unicode).
const ALIKE: [(char, &str); 5] = [('0', "o"), ('1', "l"), ('i', "l"), ('m', "rn"), ('w', "vv")];

/// The name with letters that look alike made equal. The migration that introduced it says the same in SQL.
pub(super) fn skeleton(name: &str) -> String {
    let mut folded = String::with_capacity(name.len() + 4);
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        match ALIKE.iter().find(|(known, _)| *known == letter) {
            Some((_, same)) => folded.push_str(same),
            None => folded.push(letter),
        }
    }
    folded
}

/// Whether the name is none that is kept back and only looks like one: hyphens do not tell two words apart.
pub(super) fn looks_reserved(name: &str) -> bool {
    let bare = |name: &str| skeleton(&name.replace('-', ""));
    let wanted = bare(name);
    !is_reserved(name) && RESERVED.iter().any(|reserved| bare(reserved) == wanted)
}

/// A name near `wanted`, the `number`th: itself first, then with numbers behind it, in letters that a username may have.
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
    let tail = if number == 1 { String::new() } else { format!("-{number}") };
    let room = 32 - tail.len();
    format!("{}{tail}", base.get(..room).unwrap_or(&base).trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_look_alike_are_one() {
        for (one, other) in
            [("modern", "rnodern"), ("paul", "pau1"), ("lily", "1i1y"), ("zoe0", "zoeo"), ("wave", "vvave")]
        {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_ne!(skeleton("ada-l"), skeleton("adal"));
        assert_ne!(skeleton("ada-5"), skeleton("ada-s"));
    }

    #[test]
    fn variants_are_usernames_where_anything_is_left() {
        assert_eq!(variant(" Ada  Lovelace! ", 1), "ada-lovelace");
        assert_eq!(variant("ada-l", 3), "ada-l-3");
        assert_eq!(variant(&"x".repeat(40), 12).len(), 32);
        assert_eq!(variant("Ädä", 1), "d");
    }

    #[test]
    fn a_name_does_not_look_like_the_house() {
        for sly in ["adrnin", "s1gnin", "sign-in", "d0micile", "bi11ing", "ho-use", "vvebmaster"] {
            assert!(looks_reserved(sly), "{sly}");
        }
        for fine in ["ada-l", "admin-of-nothing", "signing", "housefly"] {
            assert!(!looks_reserved(fine), "{fine}");
        }
    }
}
