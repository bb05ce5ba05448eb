//! The site rules, as tests.

use std::path::{Path, PathBuf};

/// Every file under `folder` with this ending.
pub fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = every_file_under(folder);
    found.retain(|path| path.extension().is_some_and(|found| found == ending));
    found
}

/// Every file under `folder`.
pub fn every_file_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file of `src`, its comments and its own tests taken off, line by line; numbers stay.
struct Source {
    /// From `src/`.
    path: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = files_under(&root, "rs").into_iter().map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(&root).unwrap().display().to_string();
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned()).collect();
        Source { path, lines }
    });
    sources.collect()
}

impl Source {
    fn room(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn slice(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Fails with every line that breaks a rule, the rule's reason and the cure.
#[track_caller]
fn none_of(breaches: Vec<String>, reason: &str, cure: &str) {
    assert!(breaches.is_empty(), "\n{}\n\nWhy: {reason}\nCure: {cure}\n", breaches.join("\n"));
}

/// Lines of `source` for which `is_breach` holds, as `path:line: text`.
fn lines_where(source: &Source, is_breach: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = source.lines.iter().enumerate().filter(|(_, line)| is_breach(line));
    lines.map(|(number, line)| format!("src/{}:{}: {}", source.path, number + 1, line.trim())).collect()
}

/// From the ground up. A module may use those of lower floors only.
const FLOORS: &[&[&str]] = &[
    &["base", "threads"],
    &["config", "crypto"],
    &["db", "outbound"],
    &["app"],
    &["http", "jobs", "idempotency"],
    &["mail", "audit"],
    &["accounts"],
    &["workspaces", "invitations", "people"],
    &["sessions", "api_keys"],
    &["tokens"],
    &["services", "resources", "factors"],
    &["billing"],
    &["signin", "activity"],
    &["privacy"],
    &["snapshots"],
    &["schedule"],
    &["server"],
    &["cli"],
    &["lib", "main"],
];

fn floor_of(module: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&module)).unwrap_or_else(|| {
        panic!("the module {module} is on no floor: add it to FLOORS in tests/it/site.rs and to src/ARCHITECTURE.md")
    })
}

/// The modules behind `crate::`, with the number of their line: `crate::x` and `crate::{x::.., y}`.
fn uses(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text = source.lines.join("\n");
    for (place, _) in text.match_indices("crate::") {
        let line = text[..place].matches('\n').count() + 1;
        let rest = &text[place + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            None => vec![rest],
            Some(group) => {
                let mut depth = 0;
                let end = group.find(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth < 0
                });
                let group = &group[..end.unwrap_or(0)];
                let mut depth = 0;
                let is_comma = |c: char| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    c == ',' && depth == 0
                };
                group.split(is_comma).collect()
            }
        };
        let word =
            |name: &str| -> String { name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
        found.extend(names.into_iter().map(word).filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    found
}

#[test]
fn imports_go_down_only() {
    let mut breaches = Vec::new();
    for source in sources() {
        let own = source.slice().to_owned();
        for (line, other) in uses(&source) {
            if other != own && floor_of(&other) >= floor_of(&own) {
                breaches.push(format!("src/{}:{line}: {own} uses {other}, which is not on a lower floor", source.path));
            }
        }
    }
    none_of(
        breaches,
        "with circles no part can be read alone (rule 1)",
        "move the operation to the highest slice it touches, or what both need to a lower floor",
    );
}

/// The rooms of a slice, from the inside to the doors: a room may use those before it.
const ROOMS: [&str; 5] = ["model", "store", "ops", "flows", "pages api jobs"];

#[test]
fn inside_a_slice_rooms_look_inward_only() {
    let rank = |room: &str| ROOMS.iter().position(|rooms| rooms.split(' ').any(|known| known == room));
    let mut breaches = Vec::new();
    for source in
        sources().into_iter().filter(|source| !source.is_in(&["server/", "cli/", "base/", "config/", "db/", "http/"]))
    {
        let Some(own) = source.path.split('/').rev().find_map(|part| rank(part.trim_end_matches(".rs"))) else {
            continue;
        };
        for (number, line) in
            source.lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("use super::"))
        {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let outward = words.iter().find(|word| rank(word).is_some_and(|other| other > own));
            if let Some(other) = outward {
                breaches.push(format!("src/{}:{}: uses the room {other}", source.path, number + 1));
            }
        }
    }
    none_of(
        breaches,
        "a request walks forward only: model, store, ops, flows, doors (rule 2)",
        "move the furniture: what two rooms need belongs to the inner one",
    );
}

#[test]
fn from_another_slice_only_the_face_is_seen() {
    let inner = ["store", "ops", "model", "mails"];
    let mut breaches = Vec::new();
    for source in sources() {
        let own = source.slice().to_owned();
        breaches.extend(lines_where(&source, |line| {
            let Some((_, rest)) = line.split_once("crate::") else { return false };
            let mut parts = rest.split("::").map(|part| part.trim_end_matches(['{', ';', ' ']));
            let slice = parts.next().unwrap_or_default();
            slice != own
                && parts
                    .next()
                    .is_some_and(|room| inner.contains(&room.split(['{', ';', ',']).next().unwrap_or_default()))
        }));
    }
    none_of(
        breaches,
        "another slice's rooms are its own business (rule 3)",
        "export it in that slice's mod.rs, or ask for an operation there",
    );
}

#[test]
fn sql_stands_in_stores_only() {
    let verbs = ["\"select ", "\"insert ", "\"update ", "\"delete ", "\"pragma ", "\"begin", "\"savepoint"];
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.room() != "store.rs" && !source.is_in(&["db/"])) {
        breaches.extend(lines_where(source, |line| {
            let is_sql = |verb: &&str| line.contains(*verb) || line.contains(&verb.to_uppercase());
            verbs.iter().any(is_sql) || line.contains("rusqlite::Connection")
        }));
    }
    none_of(
        breaches,
        "a change of the schema must not be a hunt (rule 5)",
        "write a function in the slice's store.rs and list the statement in STATEMENTS",
    );
}

#[test]
fn actix_stands_at_doors_only() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let is_door = source.is_in(&["http/", "server/"])
            || source.room() == "pages.rs"
            || source.path.split('/').any(|part| matches!(part, "api" | "api.rs" | "pages"))
            || source.path == "services/callers.rs";
        if !is_door {
            breaches.extend(lines_where(source, |line| line.contains("actix_web")));
        }
    }
    none_of(
        breaches,
        "an operation serves every door (rule 5)",
        "pass what you need as values; doors parse, call and show",
    );
}

#[test]
fn what_takes_long_is_done_beside_workers() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path != "threads.rs") {
        let words = ["spawn_blocking", "web::block", "setpriority"];
        breaches.extend(lines_where(source, |line| words.iter().any(|word| line.contains(word))));
    }
    none_of(
        breaches,
        "a thread that a worker begins has the worker's core and takes turns with it",
        "call threads::spawn_blocking, or threads::step_back",
    );
}

#[test]
fn time_and_chance_come_from_outside() {
    let clock = ["SystemTime", "Instant::now", "Timestamp::now(", "Zoned::now("];
    let dice = ["rand::", "OsRng", "SysRng", "getrandom"];
    let mut breaches = Vec::new();
    for source in &sources() {
        if source.path != "base/time.rs" {
            breaches.extend(lines_where(source, |line| clock.iter().any(|word| line.contains(word))));
        }
        if source.path != "base/rng.rs" {
            breaches.extend(lines_where(source, |line| dice.iter().any(|word| line.contains(word))));
        }
    }
    none_of(
        breaches,
        "a test must be able to say \"a month later\" and get the same key every run (rule 6)",
        "ask tx.now() and tx.rng(), or the Clock and Rng of the App",
    );
}

#[test]
fn a_model_is_not_a_wire_format() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let may = source.is_in(&["config/", "cli/", "http/", "server/", "privacy/archive/"])
            || matches!(source.room(), "pages.rs" | "api.rs" | "tombstones.rs" | "client.rs" | "claims.rs")
            || source.path.contains("/api/")
            || source.path.contains("/pages/");
        if !may {
            breaches.extend(lines_where(source, |line| {
                line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize"))
            }));
        }
    }
    none_of(
        breaches,
        "one forgotten attribute publishes a column (rule 7)",
        "make a wire type at the door and convert",
    );
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let all =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path)).unwrap();
        let whole: Vec<&str> = all.lines().collect();
        for (number, line) in source.lines.iter().enumerate() {
            if line.contains(".unwrap()")
                || line.contains(".expect(")
                || line.contains("panic!(")
                || line.contains("unreachable!(")
            {
                let has_reason =
                    whole[number.saturating_sub(3)..number].iter().any(|above| above.trim_start().starts_with("//"));
                if !has_reason {
                    breaches.push(format!("src/{}:{}: {}", source.path, number + 1, line.trim()));
                }
            }
        }
    }
    none_of(
        breaches,
        "a panic is an answer nobody wrote (rule 8)",
        "return an error, or say in the line above why it cannot fail",
    );
}

#[test]
fn unsafe_stands_in_one_room() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path != "db/wal_index.rs") {
        breaches.extend(lines_where(source, |line| line.contains("unsafe ") || line.contains("allow(unsafe_code)")));
    }
    none_of(
        breaches,
        "what the compiler cannot check must fit on one page",
        "use a crate that wraps it, or argue for a second room in src/ARCHITECTURE.md",
    );
}

/// Files that may be longer than [`LINES_MAX`]; this list only shrinks.
const LONG_FILES: [&str; 0] = [];
const LINES_MAX: usize = 600;

#[test]
fn no_file_is_longer_than_one_sitting() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for folder in ["src", "tests/it", "benches"] {
        for file in files_under(&root.join(folder), "rs") {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            let path = file.strip_prefix(root).unwrap().display().to_string();
            if lines > LINES_MAX && !LONG_FILES.contains(&path.as_str()) {
                breaches.push(format!("{path}: {lines} lines"));
            }
        }
    }
    none_of(breaches, "nobody reads it whole (rule 9)", "make it a folder of the same name, one verb a file");
}

#[test]
fn every_slice_has_its_plaque() {
    let words = ["**For:**", "**Words:**", "**Tables:**", "**Never:**", "**Start reading:**"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    for slice in FLOORS[4..].iter().copied().flatten() {
        let Ok(face) = std::fs::read_to_string(root.join(slice).join("mod.rs")) else { continue };
        let missing: Vec<_> = words
            .iter()
            .filter(|word| !face.lines().any(|line| line.starts_with("//!") && line.contains(**word)))
            .collect();
        if !missing.is_empty() {
            breaches.push(format!("src/{slice}/mod.rs lacks {missing:?}"));
        }
        let code = face
            .lines()
            .find(|line| line.starts_with("fn ") || line.starts_with("pub fn ") || line.starts_with("impl "));
        breaches.extend(code.map(|line| format!("src/{slice}/mod.rs has code: {line}")));
    }
    none_of(
        breaches,
        "a newcomer reads the plaque first (rule 10)",
        "five lines: for, words, tables, never, start reading; and no code",
    );
}

#[test]
fn the_map_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for document in ["src/ARCHITECTURE.md", "README.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap_or_else(|_| panic!("{document} is missing"));
        for word in text.split(['`', '(', ')', ' ', '\n']) {
            let is_path = ["src/", "tests/", "templates/", "assets/", "packaging/", "systemd/", "benches/"]
                .iter()
                .any(|folder| word.starts_with(folder));
            if is_path
                && !word.contains(['*', '<', '{'])
                && !root.join(word.trim_end_matches([',', '.', ':', ';'])).exists()
            {
                breaches.push(format!("{document} names {word}"));
            }
        }
    }
    let map = std::fs::read_to_string(root.join("src/ARCHITECTURE.md")).unwrap();
    for module in FLOORS.iter().copied().flatten().filter(|module| !matches!(**module, "lib" | "main")) {
        if !map.contains(&format!("`{module}`")) {
            breaches.push(format!("src/ARCHITECTURE.md does not name `{module}`"));
        }
    }
    none_of(
        breaches,
        "a map that is out of date loses newcomers (rule 10)",
        "change the map in the commit that moves the thing",
    );
}

#[test]
fn every_guest_says_why_it_is_here() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut breaches = Vec::new();
    let (mut in_guests, mut has_reason) = (false, false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_guests = line.contains("dependencies]");
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_guests && line.contains('=') && !has_reason {
            breaches.push(format!("Cargo.toml: {line}"));
        } else if line.is_empty() {
            has_reason = false;
        }
        // One reason may stand above a group of lines that belong together.
    }
    none_of(breaches, "each dependency is a guest who stays", "say in one line above it why");
}
