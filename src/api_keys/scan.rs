//! Finds keys in text and in anything else, offline: by prefix and checksum.

use std::io::{ErrorKind, Read};

use super::text::{DIGITS, KeyText};

/// Bytes read at once: a file of any size takes no more memory.
const CHUNK: usize = 256 * 1024;

/// A key that was found. Its text is not here, so that no report of it is another leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line of the input, from 1.
    pub line: u64,
    /// The first characters of the key.
    pub display: String,
}

/// Knows keys of some prefixes when it sees them.
pub struct Scanner {
    prefixes: Vec<String>,
    longest: usize,
}

impl Scanner {
    /// For keys that begin with one of these, the underscore left out.
    pub fn new(prefixes: Vec<String>) -> Self {
        let longest = prefixes.iter().map(String::len).max().unwrap_or(0);
        Self { prefixes, longest }
    }

    /// Reads to the end and tells each key in its order; `on_read` hears of bytes as they come. Text in UTF-16 is read as such
    /// when it begins with a byte order mark, as Windows writes it.
    ///
    /// # Errors
    /// What reading said; what was found before was told.
    pub fn scan(
        &self,
        mut input: impl Read,
        mut on_found: impl FnMut(Finding),
        mut on_read: impl FnMut(u64),
    ) -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let mut text: Vec<u8> = Vec::with_capacity(CHUNK + 128);
        let (mut line, mut looked, mut is_wide) = (1, 0, None);
        loop {
            let read = match input.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            on_read(read as u64);
            let new = &chunk[..read];
            let wide = *is_wide.get_or_insert(matches!(new, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]));
            text.extend(new.iter().copied().filter(|byte| !wide || *byte != 0));
            // An underscore too near to the end waits for what comes after it.
            let decided = if read == 0 { text.len() } else { text.len().saturating_sub(DIGITS).max(looked) };
            for place in looked..decided {
                match text[place] {
                    b'\n' => line += 1,
                    b'_' => {
                        if let Some(display) = self.key_around(&text, place) {
                            on_found(Finding { line, display });
                        }
                    }
                    _ => {}
                }
            }
            if read == 0 {
                return Ok(());
            }
            // What stands before the first one not looked at may be its prefix.
            let kept = decided.saturating_sub(self.longest);
            text.drain(..kept);
            looked = decided - kept;
        }
    }

    fn key_around(&self, text: &[u8], underscore: usize) -> Option<String> {
        let end = underscore + 1 + DIGITS;
        for prefix in &self.prefixes {
            let Some(start) = underscore.checked_sub(prefix.len()) else { continue };
            let Some(candidate) = text.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()) else { continue };
            if KeyText::is_well_formed(prefix, candidate) {
                return Some(KeyText::display_of(candidate));
            }
        }
        None
    }
}

/// A regular expression for what looks like a key: PCRE, RE2 and grep -E take it. The checksum is beyond it.
pub fn pattern(prefixes: &[String]) -> String {
    format!(r"\b(?:{})_[0-9a-f]{{{DIGITS}}}\b", prefixes.join("|"))
}

/// A rule for gitleaks, to be put into its `.gitleaks.toml`.
pub fn gitleaks_rule(prefixes: &[String]) -> String {
    let keywords = prefixes.iter().map(|prefix| format!("\"{prefix}_\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[[rules]]\nid = \"domicile-key\"\ndescription = \"API key or service credential of Domicile\"\nregex = '''{}'''\nkeywords = [{keywords}]\n",
        pattern(prefixes)
    )
}

/// A `pre-receive` hook for a git server: refuses a push that brings a key in any of its commits.
pub fn pre_receive_hook() -> &'static str {
    r#"#!/bin/sh
# hooks/pre-receive: refuses a push that brings a key of Domicile, in whichever of its commits.
set -eu
none=$(git hash-object --stdin < /dev/null | tr '0-9a-f' '0')
while read -r old new ref; do
    [ "$new" != "$none" ] || continue
    # Only lines that are added, of commits that the server does not have yet.
    if ! git log --no-color --format= --patch --unified=0 "$new" --not --all | grep '^+' | domicile key scan -; then
        echo "refused: $ref brings a key. Take it out of the history, and rotate it: it is known." >&2
        exit 1
    fi
done
"#
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Chance;

    fn scanner() -> Scanner {
        Scanner::new(vec!["dok".into(), "dos".into()])
    }

    fn found(input: impl Read) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        scanner().scan(input, |finding| found.push((finding.line, finding.display)), |_| ()).unwrap();
        found
    }

    fn key(seed: u64) -> (String, String) {
        let key = KeyText::generate(if seed.is_multiple_of(2) { "dok" } else { "dos" }, &mut Chance::seeded(seed));
        (key.expose().to_owned(), key.display())
    }

    #[test]
    fn keys_are_found_wherever_they_stand_and_look_alikes_are_not() {
        let ((a, shown_a), (b, shown_b)) = (key(1), key(2));
        let mut slip = a.clone();
        slip.replace_range(10..11, if &a[10..11] == "0" { "1" } else { "0" });

        assert_eq!(found(a.as_bytes()), [(1, shown_a.clone())]);
        let text = format!("x\n\nKEY=\"{a}\"\n{slip} dok_{} _ __\nurl?k={b}&{a}{b}", "0".repeat(40));
        let all = [(3, shown_a.clone()), (5, shown_b.clone()), (5, shown_a.clone()), (5, shown_b.clone())];
        assert_eq!(found(text.as_bytes()), all);
        for nothing in ["", "_", "dok_", &a[..43], &a[1..], &slip, &a.to_uppercase()] {
            assert_eq!(found(nothing.as_bytes()), [], "{nothing}");
        }
    }

    /// Gives so many bytes at a time.
    struct Drops<'t>(&'t [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn where_the_input_is_cut_does_not_matter() {
        let ((a, shown_a), (b, shown_b)) = (key(1), key(2));
        let text = format!("\n_dok_\n{a}\n\n\n{b}{a}\n__\ndok_");
        let all = [(3, shown_a.clone()), (6, shown_b), (6, shown_a)];

        for size in 1..130 {
            assert_eq!(found(Drops(text.as_bytes(), size)), all, "{size} bytes at a time");
        }
    }

    #[test]
    fn bytes_of_any_kind_and_utf_16_are_looked_through() {
        let (a, shown) = key(4);
        let mut binary: Vec<u8> = (0..=255).cycle().take(700_000).collect();
        let line = binary.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        binary.extend(a.as_bytes());
        binary.extend((0..=255).cycle().take(1000));
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(format!("\r\nkey {a}").bytes().flat_map(|b| [b, 0])).collect();

        assert_eq!(found(binary.as_slice()), [(line, shown.clone())]);
        assert_eq!(found(wide.as_slice()), [(2, shown)]);
    }
}
