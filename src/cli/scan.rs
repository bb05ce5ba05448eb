//! `domicile key scan` and `domicile key pattern`: find exposed keys. They need no network and no appliance, so that
//! they can run where code is written and pushed.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use super::output::out;
use crate::api_keys::KeyText;
use crate::config::is_key_prefix;
use crate::services::CREDENTIAL_PREFIX;

/// The default prefix of keys.
const PREFIX: &str = "dok";
/// Bytes that are read at once, so that a file of any size needs no more memory.
const CHUNK_BYTES: usize = 1 << 20;

/// A hook that refuses a push with a key in any of its commits. It checks added lines only, of commits that the server
/// does not have yet.
const PRE_RECEIVE: &str = r#"#!/bin/sh
set -eu
none=$(git hash-object --stdin < /dev/null | tr '0-9a-f' '0')
while read -r old new ref; do
    [ "$new" != "$none" ] || continue
    if ! git log --no-color --format= --patch --unified=0 "$new" --not --all | grep '^+' | domicile key scan -; then
        echo "refused: $ref contains a key. Rotate the key, because it is exposed, and remove it from the history." >&2
        exit 1
    fi
done"#;

/// An exposed key.
struct Finding {
    path: String,
    line: usize,
    /// The first characters of the key, which may be shown.
    display: String,
}

/// The prefixes to search for: the given ones, otherwise the configured one and the prefix of services.
fn prefixes(common: &Common, given: &[String]) -> Result<Vec<String>, Failure> {
    if let Some(wrong) = given.iter().find(|prefix| !is_key_prefix(prefix) && *prefix != CREDENTIAL_PREFIX) {
        let sentence =
            format!("\"{wrong}\" is not the prefix of keys. Give 2 to 8 characters of a-z and 0-9, such as {PREFIX}.");
        return Err(Failure::configuration(sentence).with_code("usage"));
    }
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    // Without a valid configuration, use the default, which most sites have.
    let own = context::config(common).map_or_else(|_| PREFIX.to_owned(), |config| config.api_keys.prefix);
    Ok(vec![own, CREDENTIAL_PREFIX.to_owned()])
}

pub(super) fn scan(common: &Common, path: &Path, given: &[String]) -> Result<(), Failure> {
    let prefixes = prefixes(common, given)?;
    let mut found = Vec::new();
    if path == Path::new("-") {
        read(std::io::stdin(), "-", &prefixes, &mut found).map_err(|error| cannot_read(path, &error))?;
    } else {
        scan_path(path, &prefixes, &mut found)?;
    }
    let sentence = match found.len() {
        0 if common.json => return out!("{}", json!({"found": []})),
        0 => return Ok(()),
        1 => "1 key was found. Revoke it, then remove it from the file and its history.".to_owned(),
        count => format!("{count} keys were found. Revoke them, then remove them from the files and their history."),
    };
    if !common.json {
        let lines: Vec<_> = found.iter().map(|key| format!("{}:{}: {}…", key.path, key.line, key.display)).collect();
        // The exit status says that keys were found, also when nobody reads the list.
        let _ = out!("{}", lines.join("\n"));
    }
    let found = found.iter().map(|key| json!({"path": key.path, "line": key.line, "key": key.display})).collect();
    Err(Failure::refused(sentence).with_code("keys_found").with_detail("found", found))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{} cannot be read: {error}.", path.display()))
}

/// Scans a file, or all files below a folder. Links are not followed, so that no file is read twice or outside the
/// folder. `.git` is skipped, because its objects are compressed.
fn scan_path(path: &Path, prefixes: &[String], found: &mut Vec<Finding>) -> Result<(), Failure> {
    let mut remaining: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = remaining.pop() {
        let metadata = std::fs::symlink_metadata(&path).map_err(|error| cannot_read(&path, &error))?;
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
            let entries = entries.map_err(|error| cannot_read(&path, &error))?;
            let mut children: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            children.retain(|path| path.file_name().is_none_or(|name| name != ".git"));
            // In reverse order, because the last path is scanned first.
            children.sort_unstable_by(|a, b| b.cmp(a));
            remaining.append(&mut children);
        } else if metadata.is_file() {
            let file = File::open(&path).map_err(|error| cannot_read(&path, &error))?;
            read(file, &path.display().to_string(), prefixes, found).map_err(|error| cannot_read(&path, &error))?;
        }
    }
    Ok(())
}

fn read(mut source: impl Read, path: &str, prefixes: &[String], found: &mut Vec<Finding>) -> std::io::Result<()> {
    // Keep the end of each chunk, because a key may continue in the next one: one byte less than the longest key, which has
    // two bytes a character in UTF-16, so that no key is found twice.
    let longest = prefixes.iter().map(|prefix| 2 * KeyText::length(prefix)).max().unwrap_or(1);
    let (mut bytes, mut line, mut kept) = (Vec::with_capacity(CHUNK_BYTES + longest), 1, 0);
    loop {
        if (&mut source).take(CHUNK_BYTES as u64).read_to_end(&mut bytes)? == 0 {
            return Ok(());
        }
        let mut keys: Vec<(usize, String)> = Vec::new();
        for text in [Some(Text::bytes(&bytes)), Text::utf_16(&bytes, 0), Text::utf_16(&bytes, 1)].into_iter().flatten()
        {
            for prefix in prefixes {
                let length = KeyText::length(prefix);
                let is_new = |at: &usize| text.place(at + length - 1) >= kept;
                let positions = KeyText::positions_in(prefix, &text.characters).into_iter().filter(is_new);
                keys.extend(positions.map(|at| {
                    let key = String::from_utf8_lossy(&text.characters[at..at + length]);
                    (text.place(at), KeyText::display_of(&key).to_owned())
                }));
            }
        }
        keys.sort_unstable();
        let lines_before = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        for (at, display) in keys {
            found.push(Finding { path: path.to_owned(), line: line + lines_before(at), display });
        }
        let done = bytes.len().saturating_sub(longest - 1);
        line += lines_before(done);
        bytes.drain(..done);
        kept = bytes.len();
    }
}

/// Bytes read in one way: as they are, or every second one, which are the ASCII characters of UTF-16 in either byte order.
struct Text<'b> {
    characters: Cow<'b, [u8]>,
    /// The place of the first character in the bytes, and the distance to the next one.
    first: usize,
    step: usize,
}

impl<'b> Text<'b> {
    fn bytes(bytes: &'b [u8]) -> Self {
        Self { characters: Cow::Borrowed(bytes), first: 0, step: 1 }
    }

    /// Windows and its PowerShell write UTF-16. `None`: no byte is zero, so no ASCII character is encoded in it.
    fn utf_16(bytes: &[u8], first: usize) -> Option<Self> {
        if !bytes.contains(&0) {
            return None;
        }
        let is_zero = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&0);
        let character = |at: usize| {
            let is_ascii = is_zero(Some(at + 1)) || is_zero(at.checked_sub(1));
            if is_ascii { bytes[at] } else { u8::MAX }
        };
        let characters: Vec<u8> = (first..bytes.len()).step_by(2).map(character).collect();
        Some(Self { characters: Cow::Owned(characters), first, step: 2 })
    }

    /// The place in the bytes of a character.
    fn place(&self, at: usize) -> usize {
        self.first + at * self.step
    }
}

pub(super) fn pattern(common: &Common, given: &[String]) -> Result<(), Failure> {
    let prefixes = prefixes(common, given)?;
    let patterns: Vec<_> = prefixes.iter().map(|prefix| KeyText::pattern(prefix)).collect();
    if common.json {
        return out!("{}", json!({"patterns": patterns}));
    }
    out!(
        "# Patterns of keys. The last eight digits are a checksum (CRC-32), which `domicile key scan` checks.\n{}",
        patterns.join("\n")
    )?;
    out!("\n# For gitleaks, in .gitleaks.toml:")?;
    for (prefix, pattern) in prefixes.iter().zip(&patterns) {
        out!("[[rules]]\nid = \"domicile-{prefix}\"\ndescription = \"Domicile credential\"")?;
        out!("regex = '''\\b{pattern}\\b'''")?;
    }
    out!("\n# For git, as .git/hooks/pre-commit:\n#!/bin/sh\ngit diff --cached | domicile key scan -")?;
    out!("\n# For a git server, as hooks/pre-receive:\n{PRE_RECEIVE}")
}
