//! Text: a shared immutable string, and amounts in words.

use bytes::Bytes;

/// Immutable shared text: a clone, or a part of it, allocates nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct SharedText(Bytes);

impl SharedText {
    /// Like `from`, but with the bytes and the reference count in one allocation. For large numbers of rarely used
    /// texts: reading one then costs one cache miss instead of two.
    pub fn packed(text: &str) -> Self {
        // These sizes fill the size classes of an allocator without waste.
        Self(match text.len() {
            ..=102 => packed::<102>(text),
            103..=134 => packed::<134>(text),
            135..=166 => packed::<166>(text),
            167..=230 => packed::<230>(text),
            _ => Bytes::copy_from_slice(text.as_bytes()),
        })
    }

    /// A part of the text. Empty if `range` does not begin and end at character boundaries of the text.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        // Like `str::is_char_boundary`, but without validating the whole text first.
        let is_boundary = |at: usize| self.0.get(at).map_or(at == self.0.len(), |byte| !matches!(byte, 0x80..=0xbf));
        if range.start > range.end || !is_boundary(range.start) || !is_boundary(range.end) {
            return Self::default();
        }
        Self(self.0.slice(range))
    }

    /// The text as UTF-8 bytes, still shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

struct Packed<const N: usize> {
    bytes: [u8; N],
    len: u16,
}

impl<const N: usize> AsRef<[u8]> for Packed<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Packs a text of at most `N` bytes; truncates a longer one.
fn packed<const N: usize>(text: &str) -> Bytes {
    let mut bytes = [0; N];
    let len = text.len().min(N);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    // `N` is never larger than 65,535.
    Bytes::from_owner(Packed { bytes, len: len as u16 })
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl std::ops::Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        // The bytes come from a `str` and are only divided at character boundaries.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for SharedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&**self, f)
    }
}

/// The size of a file for people, rounded up: `512 bytes`, `13 KB`, `1.3 MB`. A KB has 1,000 bytes.
pub fn size_in_words(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..=999_000 => format!("{} KB", bytes.div_ceil(1_000)),
        999_001..=999_900_000 => tenths_of(bytes, 1_000_000, "MB"),
        999_900_001..=999_900_000_000 => tenths_of(bytes, 1_000_000_000, "GB"),
        _ => tenths_of(bytes, 1_000_000_000_000, "TB"),
    }
}

fn tenths_of(bytes: u64, unit: u64, name: &str) -> String {
    let tenths = bytes.div_ceil(unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Escapes text that a spreadsheet would run as a formula (OWASP, CSV injection): an apostrophe in front makes it text.
pub fn escape_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}

/// The text with everything percent-encoded that has a meaning in an address (RFC 3986 §2.3).
pub fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// A wait for people, rounded up, such as `45 seconds` or `3 hours`.
pub fn wait_in_words(seconds: u32) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{SharedText, size_in_words, wait_in_words};

    #[test]
    fn a_wait_is_written_in_units_that_people_use() {
        assert_eq!([1, 2, 119].map(wait_in_words), ["1 second", "2 seconds", "119 seconds"]);
        assert_eq!([120, 121, 901, 7199].map(wait_in_words), ["2 minutes", "3 minutes", "16 minutes", "120 minutes"]);
        assert_eq!([7200, 86_401].map(wait_in_words), ["2 hours", "25 hours"]);
    }

    #[test]
    fn sizes_are_rounded_up() {
        let sizes = [0, 999, 1_000, 1_001, 999_000, 999_001, 1_200_000, 1_200_001, 999_900_000, 2_000_000_000];
        let words =
            ["0 bytes", "999 bytes", "1 KB", "2 KB", "999 KB", "1.0 MB", "1.2 MB", "1.3 MB", "999.9 MB", "2.0 GB"];
        assert_eq!(sizes.map(size_in_words), words);
        assert_eq!([999_900_001, 999_900_000_001, 1 << 53].map(size_in_words), ["1.0 GB", "1.0 TB", "9007.2 TB"]);
    }

    #[test]
    fn a_packed_text_of_any_length_is_the_text() {
        for length in [0, 1, 102, 103, 134, 135, 166, 167, 230, 231, 70_000] {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let packed = SharedText::packed(&text);
            assert_eq!((&*packed, packed.clone()), (text.as_str(), SharedText::from(text.as_str())));
            assert_eq!(packed.part(1..length), SharedText::from(text.get(1..).unwrap_or_default()));
        }
    }

    #[test]
    fn a_part_has_only_whole_characters() {
        let text = SharedText::from("Zoë Ada".to_owned());

        assert_eq!((&*text.part(0..4), &*text.part(5..8)), ("Zoë", "Ada"));
        assert_eq!((&*text.part(3..8), &*text.part(5..99)), ("", ""));
    }
}
