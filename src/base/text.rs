//! What may stand in a name that people read.

/// Whether every character of `text` shows: no control characters, and none that change the direction of text or have no
/// width, which serve in a name only to deceive (UTS #39 §3).
pub fn is_visible(text: &str) -> bool {
    let is_hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| c.is_control() || is_hidden(c))
}

#[cfg(test)]
mod tests {
    use super::is_visible;

    #[test]
    fn what_does_not_show_is_found() {
        assert!(is_visible("ci of Zoë 東京 👩🏽") && is_visible(""));
        for hidden in ["a\u{202e}b", "a\u{200b}b", "a\u{feff}", "\u{2066}a", "a\nb", "a\u{7f}", "a\u{2028}b"] {
            assert!(!is_visible(hidden), "{hidden:?}");
        }
    }
}
