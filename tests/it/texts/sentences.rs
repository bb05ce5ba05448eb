//! All sentences that people read, sorted in one file, so that their words can be reviewed together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{all_are_same, differs};
use crate::architecture::files_under;

/// The texts between the tags of a template, and those attributes that people read. Expressions become `{}`.
fn of_template(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        plain.push_str(&rest[..at]);
        let (end, replacement) = match &rest[at..at + 2] {
            "{{" => ("}}", "{}"),
            "{%" => ("%}", "\u{0}"),
            _ => ("#}", ""),
        };
        plain.push_str(replacement);
        rest = rest[at..].split_once(end).map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);

    let mut found = Vec::new();
    for part in plain.split('<') {
        let (tag, content) = part.split_once('>').unwrap_or(("", part));
        if !(tag.starts_with("script") || tag.starts_with("style")) {
            found.extend(content.split('\u{0}').map(str::to_owned));
        }
        for name in ["aria-label", "placeholder", "title", "alt", "content"] {
            let value = tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split('"').next());
            found.extend(value.map(str::to_owned));
        }
    }
    found
}

/// The texts of a Rust file outside its comments and unit tests, and the doc comments of `src/cli/arguments`, which
/// are the help of the commands.
fn of_rust(code: &str) -> Vec<String> {
    let code = code.split("\n#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut letters = code.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => while letters.next().is_some_and(|letter| letter != '\n') {},
            '\'' => {
                // A letter, or a lifetime.
                let first = letters.next();
                if first == Some('\\') {
                    letters.next();
                }
                if letters.peek() == Some(&'\'') || first == Some('\\') {
                    letters.next();
                }
            }
            '"' if before == '#' || before == 'r' => {
                let end = if before == '#' { "\"#" } else { "\"" };
                let mut text = String::new();
                for letter in letters.by_ref() {
                    text.push(letter);
                    if text.ends_with(end) {
                        break;
                    }
                }
            }
            '"' => found.push(literal(&mut letters)),
            _ => {}
        }
        before = letter;
    }
    found
}

/// The rest of a text literal after its first quote, as the program prints it.
fn literal(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('\n') => while letters.next_if(|next| next.is_whitespace()).is_some() {},
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

/// Whether people read it: words that begin like a sentence or a label, and are no code, path or statement.
fn is_for_people(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let letters = text.chars().filter(|letter| letter.is_alphabetic() || letter.is_whitespace()).count();
    (first.is_uppercase() || first == '{' || first == '“')
        && text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() > 1
        && letters * 10 >= text.chars().count() * 7
        && !text.starts_with("Mozilla")
}

/// Texts without what differs between uses: names inside `{}`, white space.
fn tidied(text: &str) -> String {
    let mut result = String::new();
    let mut depth = 0;
    for letter in text.chars() {
        depth -= i32::from(letter == '}');
        if depth == 0 {
            result.push(letter);
        }
        depth += i32::from(letter == '{');
    }
    result.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn all() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mut texts = Vec::new();
    for extension in ["html", "txt"] {
        for file in files_under(&root.join("templates"), extension) {
            texts.extend(of_template(&read(&file)));
        }
    }
    for file in files_under(&root.join("src"), "rs") {
        texts.extend(
            of_rust(&read(&file)).into_iter().flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>()),
        );
    }
    let help: String = files_under(&root.join("src/cli/arguments"), "rs").iter().map(|file| read(file)).collect();
    let mut paragraph = String::new();
    for line in help.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(more) => paragraph.push_str(more),
            None => texts.push(std::mem::take(&mut paragraph)),
        }
    }
    texts.iter().map(|text| tidied(text)).filter(|text| is_for_people(text)).collect()
}

#[test]
fn every_sentence_is_in_the_reviewed_list() {
    let sentences: Vec<String> = all().into_iter().collect();
    assert!(sentences.len() > 400, "only {} sentences were found", sentences.len());

    all_are_same(&differs("", "sentences", &sentences.join("\n")).into_iter().collect::<Vec<_>>());
}

#[test]
fn no_sentence_is_written_twice_with_small_differences() {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sentence in all() {
        // A label without a period and the same words as a sentence are two things.
        let kind = if sentence.ends_with(['.', '?', '!']) { "sentence " } else { "label " };
        let words = sentence.to_lowercase().replace(|c: char| !c.is_alphanumeric() && c != '{', " ");
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        alike.entry(kind.to_owned() + &words).or_default().push(sentence);
    }
    let doubled: Vec<_> = alike.into_values().filter(|sentences| sentences.len() > 1).collect();
    assert!(doubled.is_empty(), "the same words with different case or punctuation; choose one of each: {doubled:#?}");
}

#[test]
fn every_mail_has_a_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshots = files_under(&root.join("tests/it/snapshots/mails"), "snap");
    let listed: String = snapshots.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let mut missing = Vec::new();
    let files = files_under(&root.join("src"), "rs");
    for file in files.iter().filter(|file| file.ends_with("mails.rs")) {
        let code = std::fs::read_to_string(file).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let names = code.split("pub(super) fn ").skip(1).filter_map(|rest| rest.split('(').next());
        let unlisted = names.filter(|name| !listed.contains(&format!("== {name}\n")));
        missing.extend(unlisted.map(|name| format!("{}: {name}", file.strip_prefix(root).unwrap().display())));
    }
    assert!(
        missing.is_empty(),
        "mails without a snapshot: {missing:#?}\nAdd them to the test at the end of their file."
    );
}
