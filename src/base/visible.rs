//! Which texts are visible: nothing in them is hidden, turns the direction, or only looks like space. The tables are those of
//! Unicode (`icu_properties`), so they are complete and follow new versions.

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic, GeneralCategory,
    Ideographic, JoiningType, PrependedConcatenationMark,
};
use icu_properties::{CodePointMapData, CodePointSetData};

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';
/// The flag that tag characters make the flag of a region of (UTS #51 §3.8).
const BLACK_FLAG: char = '\u{1f3f4}';
const TAGS: std::ops::RangeInclusive<char> = '\u{e0020}'..='\u{e007e}';
const END_OF_TAGS: char = '\u{e007f}';
/// The only character that is blank without being a space or ignorable in the tables.
const BRAILLE_BLANK: char = '\u{2800}';

/// Whether every character of `text` can be seen, and there is one, unless the text is empty: no control characters, and none
/// that change the text direction or have no width, because in a name they only serve to deceive (UTS #39 §3). Joiners are
/// allowed where they change what is seen: between letters (RFC 5892, A.1 and A.2) and in emoji (UTS #51).
pub fn is_visible(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let has_ink = |letter: &char| !letter.is_whitespace() && *letter != BRAILLE_BLANK && !is_ignorable(*letter);
    (letters.is_empty() || letters.iter().any(has_ink))
        && (0..letters.len()).all(|at| !is_hidden(letters[at]) || has_use(&letters, at))
}

/// A text of one or more lines, without spaces at both ends; line ends become `\n`. `None`: a line is not
/// [visible](is_visible).
pub fn visible_lines(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let is_fine = |line: &str| line.trim().is_empty() && !line.contains(char::is_control) || is_visible(line);
    text.split('\n').all(is_fine).then(|| text.to_owned())
}

/// The beginning of a text of another program, in one line that can be shown: at most so many characters, without hidden ones.
pub fn made_visible(text: &str, most: usize) -> String {
    let shown = |letter: char| match letter {
        letter if letter.is_whitespace() => ' ',
        letter if is_hidden(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.trim().chars().take(most).map(shown).collect()
}

fn is_ignorable(letter: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
}

fn category(letter: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(letter)
}

fn is_hidden(letter: char) -> bool {
    is_ignorable(letter)
        || matches!(
            category(letter),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
        )
}

/// Whether a hidden character changes what is seen at this place.
fn has_use(letters: &[char], at: usize) -> bool {
    let before = &letters[..at];
    match letters[at] {
        ZWJ => follows_virama(before) || joins_emoji(before, &letters[at + 1..]),
        ZWNJ => follows_virama(before) || breaks_cursive(before, &letters[at + 1..]),
        // Variation selectors choose between two pictures of one emoji, or between shapes of an ideograph.
        '\u{fe0e}' | '\u{fe0f}' => {
            before.last().is_some_and(|letter| CodePointSetData::new::<Emoji>().contains(*letter))
        }
        '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => {
            before.last().is_some_and(|letter| CodePointSetData::new::<Ideographic>().contains(*letter))
        }
        tag if TAGS.contains(&tag) || tag == END_OF_TAGS => {
            let flag = before.iter().rposition(|letter| !TAGS.contains(letter));
            let end = letters[at..].iter().find(|letter| !TAGS.contains(*letter));
            flag.is_some_and(|flag| before[flag] == BLACK_FLAG) && end == Some(&END_OF_TAGS)
        }
        // Signs that enclose the digits after them, such as the Arabic number sign, are seen.
        other => CodePointSetData::new::<PrependedConcatenationMark>().contains(other),
    }
}

/// RFC 5892, A.1 and A.2: after a virama, a joiner chooses the form of the conjunct.
fn follows_virama(before: &[char]) -> bool {
    before.last().is_some_and(|letter| {
        CodePointMapData::<CanonicalCombiningClass>::new().get(*letter) == CanonicalCombiningClass::Virama
    })
}

/// RFC 5892, A.1: between two letters that would be joined, as in Persian words.
fn breaks_cursive(before: &[char], after: &[char]) -> bool {
    let joining = |letter: &char| CodePointMapData::<JoiningType>::new().get(*letter);
    let is_seen = |letter: &&char| joining(letter) != JoiningType::Transparent;
    let left = before.iter().rev().find(is_seen).map(joining);
    let right = after.iter().find(is_seen).map(joining);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// UTS #51, emoji_zwj_sequence: a picture, maybe with a skin tone or a selector, and another picture.
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_picture = |letter: &char| CodePointSetData::new::<ExtendedPictographic>().contains(*letter);
    let is_modifier =
        |letter: &&char| **letter == '\u{fe0f}' || CodePointSetData::new::<EmojiModifier>().contains(**letter);
    before.iter().rev().find(|letter| !is_modifier(letter)).is_some_and(is_picture)
        && after.first().is_some_and(is_picture)
}

#[cfg(test)]
mod tests {
    use super::{is_visible, visible_lines};

    #[test]
    fn names_of_the_world_are_visible() {
        for name in [
            "ci of Zoë 東京 👩🏽",
            "",
            "می\u{200c}خواهم",
            "کتاب\u{200c}خانه",
            "ක්\u{200d}රි",
            "क्\u{200d}ष",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "🧑🏽\u{200d}🚀",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "葛\u{e0100}城",
            "Ødegård",
            "김\u{3000}민준",
            "e\u{301}",
        ] {
            assert!(is_visible(name), "{name:?}");
        }
    }

    #[test]
    fn what_hides_or_looks_blank_is_refused() {
        for hidden in [
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{feff}",
            "\u{2066}a",
            "a\nb",
            "a\u{7f}",
            "a\u{2028}b",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "a\u{3164}b",
            "\u{2800}",
            "\u{a0}",
            " ",
            "a\u{200c}b",
            "a\u{200d}b",
            "\u{200d}👦",
            "👦\u{200d}",
            "می\u{200c}",
            "a\u{fe0f}",
            "a\u{e0100}",
            "a\u{e0061}\u{e007f}",
            "🏴\u{e0067}",
            "\u{ad}a",
            "a\u{34f}b",
            "a\u{61c}",
            "\u{e000}",
            "\u{fff9}a",
            "a\u{1d173}",
        ] {
            assert!(!is_visible(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn a_text_of_several_lines_has_visible_ones_only() {
        assert_eq!(visible_lines(" one\r\n\r\ntwo \n").as_deref(), Some("one\n\ntwo"));
        assert_eq!(visible_lines(" \r\n ").as_deref(), Some(""));
        for hidden in ["a\tb", "a\rb", "a\u{b}b", "a\n\u{202e}b", "a\0", "a\n\u{3164}"] {
            assert_eq!(visible_lines(hidden), None, "{hidden:?}");
        }
    }
}
