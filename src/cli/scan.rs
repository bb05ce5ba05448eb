//! `domicile key scan` and `domicile key pattern`: keys that lie about, found without asking anybody. Neither needs an
//! appliance, so that they run where code is written and pushed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use crate::api_keys::KeyText;
use crate::services::CREDENTIAL_PREFIX;

/// What keys begin with where nobody says otherwise.
const PREFIX: &str = "dok";
/// Read at once; a file of any size takes no more memory.
const PIECE_BYTES: usize = 1 << 20;

/// Refuses a push that brings a key, in whichever of its commits: only lines that are added, of commits that the server does
/// not have yet.
const PRE_RECEIVE: &str = r#"#!/bin/sh
set -eu
none=$(git hash-object --stdin < /dev/null | tr '0-9a-f' '0')
while read -r old new ref; do
    [ "$new" != "$none" ] || continue
    if ! git log --no-color --format= --patch --unified=0 "$new" --not --all | grep '^+' | domicile key scan -; then
        echo "refused: $ref brings a key. Take it out of the history, and rotate it: it is known." >&2
        exit 1
    fi
done"#;

/// A key that lies about.
struct Found {
    place: String,
    line: usize,
    shown: String,
}

/// The prefixes to look for: those given, else the configuration's where there is one, and the services'.
fn prefixes(common: &Common, given: &[String]) -> Vec<String> {
    if !given.is_empty() {
        return given.to_vec();
    }
    // Without a configuration, or with a broken one, the default is what most sites have.
    let own = context::config(common).map_or_else(|_| PREFIX.to_owned(), |config| config.api_keys.prefix);
    vec![own, CREDENTIAL_PREFIX.to_owned()]
}

pub(super) fn scan(common: &Common, path: &Path, given: &[String]) -> Result<(), Failure> {
    let prefixes = prefixes(common, given);
    let mut found = Vec::new();
    if path == Path::new("-") {
        read(std::io::stdin(), "-", &prefixes, &mut found).map_err(|error| cannot_read(path, &error))?;
    } else {
        look_into(path, &prefixes, &mut found)?;
    }
    if common.json {
        let found: Vec<_> =
            found.iter().map(|key| json!({"path": key.place, "line": key.line, "key": key.shown})).collect();
        println!("{}", json!({"found": found}));
    } else {
        found.iter().for_each(|key| println!("{}:{}: {}…", key.place, key.line, key.shown));
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(Failure::refused("1 key was found. Revoke it, then take it out of the file and its history.")),
        count => Err(Failure::refused(format!(
            "{count} keys were found. Revoke them, then take them out of the files and their history."
        ))),
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{} cannot be read: {error}.", path.display()))
}

/// Looks into a file, or every file below a folder. Links are not followed, so that nothing is read twice or elsewhere; nor
/// is `.git`, whose objects are compressed.
fn look_into(path: &Path, prefixes: &[String], found: &mut Vec<Found>) -> Result<(), Failure> {
    let mut open: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let about = std::fs::symlink_metadata(&path).map_err(|error| cannot_read(&path, &error))?;
        if about.is_dir() {
            let entries = std::fs::read_dir(&path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
            let entries = entries.map_err(|error| cannot_read(&path, &error))?;
            let mut below: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            below.retain(|path| path.file_name().is_none_or(|name| name != ".git"));
            // The last is taken first.
            below.sort_unstable_by(|a, b| b.cmp(a));
            open.append(&mut below);
        } else if about.is_file() {
            let file = File::open(&path).map_err(|error| cannot_read(&path, &error))?;
            read(file, &path.display().to_string(), prefixes, found).map_err(|error| cannot_read(&path, &error))?;
        }
    }
    Ok(())
}

fn read(mut source: impl Read, place: &str, prefixes: &[String], found: &mut Vec<Found>) -> std::io::Result<()> {
    // The end of a piece is kept, because a key may go on in the next: of each prefix a byte less than a key has, so that
    // none is found twice.
    let longest = prefixes.iter().map(|prefix| KeyText::length(prefix)).max().unwrap_or(1);
    let (mut bytes, mut line, mut kept) = (Vec::with_capacity(PIECE_BYTES + longest), 1, 0);
    loop {
        if (&mut source).take(PIECE_BYTES as u64).read_to_end(&mut bytes)? == 0 {
            return Ok(());
        }
        let mut keys: Vec<(usize, usize)> = Vec::new();
        for prefix in prefixes {
            let length = KeyText::length(prefix);
            let is_new = |at: &usize| at + length > kept;
            keys.extend(KeyText::places_in(prefix, &bytes).into_iter().filter(is_new).map(|at| (at, length)));
        }
        keys.sort_unstable();
        let lines_before = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        for (at, length) in keys {
            let key = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
            let shown = KeyText::shown(&key).to_owned();
            found.push(Found { place: place.to_owned(), line: line + lines_before(at), shown });
        }
        let done = bytes.len().saturating_sub(longest - 1);
        line += lines_before(done);
        bytes.drain(..done);
        kept = bytes.len();
    }
}

pub(super) fn pattern(common: &Common, given: &[String]) {
    let prefixes = prefixes(common, given);
    if common.json {
        let patterns: Vec<_> = prefixes.iter().map(|prefix| KeyText::pattern(prefix)).collect();
        println!("{}", json!({"patterns": patterns}));
        return;
    }
    println!("# What keys look like. The last eight digits are a checksum (CRC-32), which `domicile key scan` knows.");
    prefixes.iter().for_each(|prefix| println!("{}", KeyText::pattern(prefix)));
    println!("\n# For gitleaks, in .gitleaks.toml:");
    for prefix in &prefixes {
        println!("[[rules]]\nid = \"domicile-{prefix}\"\ndescription = \"Domicile credential\"");
        println!("regex = '''\\b{}\\b'''", KeyText::pattern(prefix));
    }
    println!("\n# For git, as .git/hooks/pre-commit:\n#!/bin/sh\ngit diff --cached | domicile key scan -");
    println!("\n# For a git server, as hooks/pre-receive:\n{PRE_RECEIVE}");
}
