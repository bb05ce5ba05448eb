//! The words that neither code nor documents use any more. Both lists may only grow.

use std::path::{Path, PathBuf};

use super::{every_file_under, none_of};

/// Metaphors that cost every reader a translation, in code, templates and documents.
const NOWHERE: [&str; 20] = [
    "wicket",
    "wickets",
    "turnstile",
    "turnstiles",
    "keeper",
    "keepers",
    "governor",
    "governors",
    "plaque",
    "plaques",
    "stranger",
    "strangers",
    "whoever",
    "whence",
    "half-session",
    "half-sessions",
    "farewell",
    // As names of our own parts; where an ordinary sentence needs them, another word is as good.
    "house",
    "houses",
    "doors",
];

/// Ordinary words that name no type, function, module, constant or variant.
const NO_IDENTIFIERS: [&str; 24] = [
    "guard", "lane", "line", "way", "letter", "chance", "desk", "turn", "mark", "found", "asked", "told", "seen",
    "shown", "made", "wanted", "beside", "glance", "look", "cut", "rail", "house", "door", "room",
];

/// Files that hold other people's words, or words that were released.
const LEFT_ALONE: [&str; 7] = [
    "src/db/migrations/",
    "src/crypto/known_passwords.txt",
    "tests/it/data/",
    "tests/it/fixtures/",
    "tests/tools/",
    "tests/it/architecture/words.rs",
    "tests/.cache/",
];

fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "Cargo.toml", "dev", ".ci/run"].map(|name| root.join(name)).into();
    for folder in ["src", "templates", "assets", "packaging", "systemd", "tests", "benches"] {
        files.extend(every_file_under(&root.join(folder)));
    }
    let named = files.into_iter().map(|file| (file.strip_prefix(root).unwrap().display().to_string(), file));
    named
        .filter(|(name, _)| !LEFT_ALONE.iter().any(|start| name.starts_with(start)))
        .filter_map(|(name, file)| Some((name, std::fs::read_to_string(file).ok()?)))
        .collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    // `half-session` is one word, `house_rules` and `House` are words too.
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
}

#[test]
fn forbidden_words_stand_nowhere() {
    let mut breaches = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let is_forbidden = |word: &str| {
                let word = word.to_lowercase();
                let parts = word.split(['_', '-']).any(|part| NOWHERE.contains(&part));
                parts || NOWHERE.contains(&word.as_str())
            };
            if words(line).any(is_forbidden) {
                breaches.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none_of(
        breaches,
        "a metaphor is a name that has to be explained",
        "use the word that an engineer of this field would search for; src/ARCHITECTURE.md has the glossary",
    );
}

/// The names that a line of code defines: types, functions, modules, constants; variants stand alone on a line.
fn defined(line: &str) -> Option<&str> {
    let kinds = ["struct", "enum", "union", "type", "trait", "fn", "mod", "const", "static"];
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.find(|word| kinds.contains(word))?;
    words.next()
}

#[test]
fn ordinary_words_name_nothing() {
    let mut breaches = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name.ends_with(".rs")) {
        let stem = name.rsplit('/').find(|part| *part != "mod.rs").unwrap_or_default().trim_end_matches(".rs").to_owned();
        if NO_IDENTIFIERS.contains(&stem.as_str()) {
            breaches.push(format!("{name}: the name of the file"));
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let code = if code.trim_start().starts_with('"') { "" } else { code };
            if let Some(word) = defined(code)
                && NO_IDENTIFIERS.contains(&word.to_lowercase().as_str())
            {
                breaches.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none_of(
        breaches,
        "a word of everyday speech says nothing about what the thing is",
        "name the type after what it is (`IntrospectionRequest`), the function after what it does (`read_inline`)",
    );
}
