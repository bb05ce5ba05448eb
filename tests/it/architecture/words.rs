//! The words that neither code nor documents use any more (both lists may only grow), and times on pages.

use std::path::{Path, PathBuf};

use super::{every_file_under, lines_where, none_of, sources};

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

/// Names that were released before the list, or that others gave, with the only place for each. `""` is any place.
const RELEASED: [(&str, &str); 4] = [
    // A crate that we do not use.
    ("src/base/rate_limit.rs", "`governor`"),
    ("", "\"house.tidy\""),
    ("", "half_session"),
    // People cannot take it as a username.
    ("src/accounts/reserved.rs", "\"house\""),
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

/// The files of the checkout that are text, with their names. What [`LEFT_ALONE`] names is not even opened.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name_of = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let is_left_alone = |path: &Path| {
        let name = name_of(path) + if path.is_dir() { "/" } else { "" };
        LEFT_ALONE.iter().any(|start| name.starts_with(start))
    };
    let mut files: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "Cargo.toml", "dev", ".ci/run"].map(|name| root.join(name)).into();
    for folder in ["src", "templates", "assets", "packaging", "systemd", "tests", "benches"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !is_left_alone(&path) {
                files.extend(every_file_under(&path));
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.retain(|path| !is_left_alone(path));
    files.into_iter().filter_map(|path| Some((name_of(&path), std::fs::read_to_string(path).ok()?))).collect()
}

/// The words of a line in lower case, and the parts of names: `HouseRules` and `house_rules` contain `house`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
        let mut parts = String::new();
        for (index, letter) in word.char_indices() {
            if letter.is_uppercase() && word[..index].ends_with(char::is_lowercase) {
                parts.push('-');
            }
            parts.extend(letter.to_lowercase().map(|letter| if letter == '_' { '-' } else { letter }));
        }
        words.extend(parts.split('-').map(str::to_owned));
        words.push(parts);
    }
    words
}

/// The line without the released names that may stand in this file.
fn without_released(file: &str, line: &str) -> String {
    let allowed = RELEASED.iter().filter(|(place, _)| place.is_empty() || *place == file);
    allowed.fold(line.to_owned(), |line, (_, name)| line.replace(name, ""))
}

#[test]
fn forbidden_words_stand_nowhere() {
    let mut breaches = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            if words(&without_released(&name, line)).iter().any(|word| NOWHERE.contains(&word.as_str())) {
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

#[test]
fn words_are_found_inside_names() {
    let of = |line| words(line).into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
    assert!(of("struct HouseRules").contains(&"house".to_owned()));
    assert!(of("let half_session = 1").contains(&"half-session".to_owned()));
    assert!(!of("the warehouse").contains(&"house".to_owned()));
    assert_eq!(without_released("src/schedule.rs", "\"house.tidy\""), "");
    assert_eq!(without_released("src/schedule.rs", "\"house\""), "\"house\"");
}

/// The names that a line of code defines: types, functions, modules, constants; variants stand alone on a line.
fn defined(line: &str) -> Option<&str> {
    let kinds = ["struct", "enum", "union", "type", "trait", "fn", "mod", "const", "static"];
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.find(|word| kinds.contains(word))?;
    words.next()
}

/// The line without its comment and its texts.
fn code_of(line: &str) -> String {
    line.split("//").next().unwrap_or_default().split('"').step_by(2).collect::<Vec<_>>().join("\"")
}

#[test]
fn ordinary_words_name_nothing() {
    let mut breaches = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name.ends_with(".rs")) {
        let stem =
            name.rsplit('/').find(|part| *part != "mod.rs").unwrap_or_default().trim_end_matches(".rs").to_owned();
        if NO_IDENTIFIERS.contains(&stem.as_str()) {
            breaches.push(format!("{name}: the name of the file"));
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = defined(&code_of(line))
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

#[test]
fn pages_show_moments_in_one_way() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path.contains("/pages")) {
        breaches.extend(lines_where(source, |line| line.contains(".day_and_")));
    }
    none_of(
        breaches,
        "people read \"3 hours ago\" on one page and a date on another, and miss the time zone",
        "show it with http::TimeFormat::moment, which gives a `time` element",
    );
}
