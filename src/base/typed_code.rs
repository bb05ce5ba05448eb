//! Codes as people type and paste them.

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use unicode_normalization::UnicodeNormalization;

/// The letters and digits of a typed code, in ASCII and lower case: the forms of full-width keyboards (NFKC), digits of every
/// script, and without whatever was typed or pasted between them, such as spaces, hyphens and dashes.
pub fn fold_code(typed: &str) -> String {
    typed
        .nfkc()
        .filter_map(|letter| digit(letter).or_else(|| letter.is_alphanumeric().then(|| letter.to_ascii_lowercase())))
        .collect()
}

/// The six digits of a typed code. `None`: it has another form, so it cannot be right.
pub fn six_digits(typed: &str) -> Option<String> {
    Some(fold_code(typed)).filter(|code| code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()))
}

/// A decimal digit of any script. Unicode has each script's ten digits in a row that begins with zero.
fn digit(letter: char) -> Option<char> {
    let is_digit = |point: u32| {
        char::from_u32(point).is_some_and(|letter| {
            CodePointMapData::<GeneralCategory>::new().get(letter) == GeneralCategory::DecimalNumber
        })
    };
    let point = u32::from(letter);
    if !is_digit(point) {
        return None;
    }
    let before = (0..point).rev().take_while(|point| is_digit(*point)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_every_keyboard() {
        for typed in [
            "123456",
            " 123 456 ",
            "123-456",
            "１２３４５６",
            "١٢٣٤٥٦",
            "۱۲۳۴۵۶",
            "१२३४५६",
            "123\u{2013}456",
            "123\u{a0}456\u{200b}",
            "𝟏𝟐𝟑𝟜𝟝𝟞",
            "1.2.3.4.5.6",
        ] {
            assert_eq!(six_digits(typed).as_deref(), Some("123456"), "{typed:?}");
        }
        for malformed in ["", "12345", "1234567", "12345a", "12345²6", "½23456"] {
            assert_eq!(six_digits(malformed), None, "{malformed:?}");
        }
        assert_eq!(fold_code("ＡＢcdE\u{2013}12\u{2212}3"), "abcde123");
    }
}
