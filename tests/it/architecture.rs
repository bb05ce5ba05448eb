//! The rules of the source tree, as tests. `src/ARCHITECTURE.md` describes them.

mod circles;
mod decisions;
mod events;
mod forms;
mod operations;
mod paths;
mod words;

use std::path::{Path, PathBuf};

/// All files under `folder` with this extension.
pub fn files_under(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = every_file_under(folder);
    files.retain(|path| path.extension().is_some_and(|own| own == extension));
    files
}

/// All files under `folder`.
pub fn every_file_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut remaining = vec![folder.to_owned()];
    while let Some(folder) = remaining.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                remaining.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A file of `src` as lines, without its comments and unit tests. Line numbers stay the same.
struct Source {
    /// Relative to `src/`.
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
    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// `store.rs`, or a file of a folder `store`.
    fn is_store(&self) -> bool {
        self.file_name() == "store.rs" || self.path.contains("/store/")
    }

    fn slice(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Fails if a rule is broken. Prints each breach, the reason of the rule and the fix.
#[track_caller]
fn none_of(breaches: Vec<String>, reason: &str, fix: &str) {
    assert!(breaches.is_empty(), "\n{}\n\nWhy: {reason}\nFix: {fix}\n", breaches.join("\n"));
}

/// Lines of `source` for which `is_breach` holds, as `path:line: text`.
fn lines_where(source: &Source, is_breach: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = source.lines.iter().enumerate().filter(|(_, line)| is_breach(line));
    lines.map(|(number, line)| format!("src/{}:{}: {}", source.path, number + 1, line.trim())).collect()
}

/// The layers, the lowest first. A module may use modules of lower layers only.
const LAYERS: &[&[&str]] = &[
    &["base", "threads"],
    &["config", "crypto"],
    &["db", "outbound"],
    &["journal"],
    &["app"],
    &["http", "jobs", "idempotency", "machine"],
    &["mail", "audit"],
    &["accounts"],
    &["workspaces", "invitations", "people"],
    &["sessions", "api_keys"],
    &["verification"],
    &["tokens"],
    &["inbox"],
    &["services", "factors"],
    &["resources"],
    &["billing"],
    &["signin"],
    &["privacy"],
    &["snapshots", "activity", "clock"],
    &["restore"],
    &["maintenance"],
    &["settings", "console"],
    &["schedule"],
    &["server"],
    &["cli"],
    &["lib", "main"],
];

fn layer_of(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| {
        panic!("the module {module} is in no layer: add it to LAYERS in tests/it/architecture.rs and to src/ARCHITECTURE.md")
    })
}

/// The modules after `crate::` with their line numbers, from `crate::x` and `crate::{x::.., y}`.
fn uses(source: &Source) -> Vec<(usize, String)> {
    let mut uses = Vec::new();
    let text = source.lines.join("\n");
    for (index, _) in text.match_indices("crate::") {
        let line = text[..index].matches('\n').count() + 1;
        let rest = &text[index + "crate::".len()..];
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
        uses.extend(names.into_iter().map(word).filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    uses
}

#[test]
fn modules_use_lower_layers_only() {
    let mut breaches = Vec::new();
    for source in sources() {
        let own = source.slice().to_owned();
        for (line, other) in uses(&source) {
            if other != own && layer_of(&other) >= layer_of(&own) {
                breaches.push(format!("src/{}:{line}: {own} uses {other}, which is not in a lower layer", source.path));
            }
        }
    }
    none_of(
        breaches,
        "with dependency cycles, no module can be understood alone (rule 1)",
        "move the operation to the highest slice that it uses, or move what both need to a lower layer",
    );
}

/// The files of a slice, from the inside to the entry points. A file may use the files before it.
const SLICE_FILES: [&str; 6] = ["tables", "model", "store", "ops", "flows", "pages api jobs"];

#[test]
fn inside_a_slice_files_use_inner_files_only() {
    let rank = |name: &str| SLICE_FILES.iter().position(|names| names.split(' ').any(|known| known == name));
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
                breaches.push(format!("src/{}:{}: uses {other}", source.path, number + 1));
            }
        }
    }
    none_of(
        breaches,
        "a request moves forward only: an entry point calls flows or ops, which use store and model (rule 2)",
        "move what two files need to the inner one",
    );
}

#[test]
fn other_slices_use_the_public_interface_only() {
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
                    .is_some_and(|name| inner.contains(&name.split(['{', ';', ',']).next().unwrap_or_default()))
        }));
    }
    none_of(
        breaches,
        "the files of a slice may change without its users (rule 3)",
        "export it in the mod.rs of that slice, or add an operation there",
    );
}

#[test]
fn sql_is_in_stores_only() {
    let verbs = ["\"select ", "\"insert ", "\"update ", "\"delete ", "\"pragma ", "\"begin", "\"savepoint"];
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| !source.is_store() && !source.is_in(&["db/"])) {
        breaches.extend(lines_where(source, |line| {
            let is_sql = |verb: &&str| line.contains(*verb) || line.contains(&verb.to_uppercase());
            // A method and a path.
            let is_route = line.contains("\"DELETE /");
            (verbs.iter().any(is_sql) && !is_route) || line.contains("rusqlite::Connection")
        }));
    }
    none_of(
        breaches,
        "after a change of the schema, all statements must be easy to find (rule 5)",
        "write a function in the store.rs of the slice, and list the statement in STATEMENTS",
    );
}

#[test]
fn actix_is_used_by_entry_points_only() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let is_entry_point = source.is_in(&["http/", "server/"])
            || source.file_name() == "pages.rs"
            || source.path.split('/').any(|part| matches!(part, "api" | "api.rs" | "pages"))
            || source.path == "services/callers.rs";
        if !is_entry_point {
            breaches.extend(lines_where(source, |line| line.contains("actix_web")));
        }
    }
    none_of(
        breaches,
        "every entry point can call an operation, so it must not depend on HTTP (rule 5)",
        "pass values; an entry point parses, calls and renders",
    );
}

#[test]
fn slow_work_runs_on_blocking_threads() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path != "threads.rs") {
        // `spawn_blocking` is the function of `threads` in the files that import it from there.
        let is_ours = source.lines.iter().any(|line| line.contains("threads::") && line.contains("spawn_blocking"));
        let words = ["task::spawn_blocking", "rt::spawn_blocking", "web::block", "setpriority"];
        breaches.extend(lines_where(source, |line| {
            words.iter().any(|word| line.contains(word)) || (line.contains("spawn_blocking") && !is_ours)
        }));
    }
    none_of(
        breaches,
        "a thread that a worker starts runs on the worker's core and delays it",
        "call threads::spawn_blocking, or threads::lower_priority",
    );
}

#[test]
fn time_and_randomness_come_from_outside() {
    let clock = ["SystemTime", "Instant::now", "Timestamp::now(", "Zoned::now("];
    let rng = ["rand::", "OsRng", "SysRng", "getrandom"];
    let mut breaches = Vec::new();
    for source in &sources() {
        if !matches!(source.path.as_str(), "base/time.rs" | "base/clock.rs") {
            breaches.extend(lines_where(source, |line| clock.iter().any(|word| line.contains(word))));
        }
        if source.path != "base/rng.rs" {
            breaches.extend(lines_where(source, |line| rng.iter().any(|word| line.contains(word))));
        }
    }
    none_of(
        breaches,
        "a test must be able to move the clock and to get the same key in every run (rule 6)",
        "use tx.now() and tx.rng(), or the Clock and Rng of the App",
    );
}

#[test]
fn a_model_is_not_a_wire_format() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let is_allowed = source.is_in(&["config/", "cli/", "http/", "server/", "privacy/archive/"])
            || matches!(source.file_name(), "pages.rs" | "api.rs" | "lines.rs" | "claims.rs" | "id_token.rs")
            // What services get: it has no other use.
            || source.path == "inbox/message.rs"
            || source.path.contains("/api/")
            || source.path.contains("/client/")
            || source.path.contains("/pages/");
        if !is_allowed {
            breaches.extend(lines_where(source, |line| {
                line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize"))
            }));
        }
    }
    none_of(
        breaches,
        "one missing attribute would publish a column (rule 7)",
        "define a wire type at the entry point and convert",
    );
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    let mut breaches = Vec::new();
    for source in &sources() {
        let all =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path)).unwrap();
        let all_lines: Vec<&str> = all.lines().collect();
        for (number, line) in source.lines.iter().enumerate() {
            if line.contains(".unwrap()")
                || line.contains(".expect(")
                || line.contains("panic!(")
                || line.contains("unreachable!(")
            {
                let has_reason = all_lines[number.saturating_sub(3)..number]
                    .iter()
                    .any(|above| above.trim_start().starts_with("//"));
                if !has_reason {
                    breaches.push(format!("src/{}:{}: {}", source.path, number + 1, line.trim()));
                }
            }
        }
    }
    none_of(
        breaches,
        "a panic gives the caller no useful answer (rule 8)",
        "return an error, or say in a comment above why it cannot fail",
    );
}

#[test]
fn a_result_is_not_nested_in_a_result() {
    let mut breaches = Vec::new();
    for source in &sources() {
        breaches.extend(lines_where(source, |line| line.contains("Result<Result<")));
    }
    none_of(
        breaches,
        "the type does not say which of the two errors rolls the transaction back",
        "use db::Decided for a refusal that is committed, and an enum with names for anything else",
    );
}

#[test]
fn nothing_is_printed_with_macros_that_panic() {
    let macros = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    let is_macro = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '!').any(|word| macros.contains(&word))
    };
    let breaches = sources().iter().flat_map(|source| lines_where(source, is_macro)).collect();
    none_of(
        breaches,
        "these macros panic when the reader of a pipe has gone or the disk is full, and a secret would be lost",
        "use `out!` and `tell!` of src/cli/output.rs, or `issue` for a secret",
    );
}

#[test]
fn unsafe_code_is_in_one_file() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path != "db/wal_index.rs") {
        breaches.extend(lines_where(source, |line| line.contains("unsafe ") || line.contains("allow(unsafe_code)")));
    }
    none_of(
        breaches,
        "code that the compiler cannot check must be short and in one file",
        "use a crate with a safe interface, or give the reason for a second file in src/ARCHITECTURE.md",
    );
}

#[test]
fn the_server_knows_all_flash_messages() {
    let frame = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/frame.rs")).unwrap();
    let mut breaches = Vec::new();
    for source in sources() {
        let mut is_declared = false;
        for (number, line) in source.lines.iter().enumerate() {
            is_declared |= line.starts_with("flashes! {");
            if let Some(name) = line.trim().strip_prefix("pub enum ").filter(|_| is_declared) {
                let name = name.trim_end_matches(" {");
                if !frame.contains(&format!("{name}::ALL")) {
                    breaches.push(format!("src/{}:{}: {name}", source.path, number + 1));
                }
                is_declared = false;
            }
        }
    }
    none_of(
        breaches,
        "a page shows only the flash messages that the server gives to it",
        "add the ALL of the enum to FLASHES in src/server/frame.rs",
    );
}

/// How long a file may be: a folder, and its lines. A table of test cases may be a little longer.
const LINES_MAX: [(&str, usize); 3] = [("src", 500), ("benches", 500), ("tests/it", 600)];

#[test]
fn no_file_is_too_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for (folder, most) in LINES_MAX {
        for file in files_under(&root.join(folder), "rs") {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            let path = file.strip_prefix(root).unwrap().display();
            if lines > most {
                breaches.push(format!("{path}: {lines} lines, and not {most}"));
            }
        }
    }
    none_of(
        breaches,
        "a file must be short enough to be read as a whole (rule 9)",
        "make it a folder of the same name, with one file for each operation",
    );
}

#[test]
fn every_slice_has_a_module_comment() {
    let words = ["**For:**", "**Words:**", "**Tables:**", "**Never:**", "**Start reading:**"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    for slice in LAYERS[3..].iter().copied().flatten() {
        let Ok(interface) = std::fs::read_to_string(root.join(slice).join("mod.rs")) else { continue };
        let missing: Vec<_> = words
            .iter()
            .filter(|word| !interface.lines().any(|line| line.starts_with("//!") && line.contains(**word)))
            .collect();
        if !missing.is_empty() {
            breaches.push(format!("src/{slice}/mod.rs lacks {missing:?}"));
        }
        let code = interface
            .lines()
            .find(|line| line.starts_with("fn ") || line.starts_with("pub fn ") || line.starts_with("impl "));
        breaches.extend(code.map(|line| format!("src/{slice}/mod.rs has code: {line}")));
    }
    none_of(
        breaches,
        "a newcomer reads the module comment first (rule 10)",
        "write five lines: for, words, tables, never, start reading; and no code",
    );
}

#[test]
fn documents_name_existing_paths_and_all_modules() {
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
    let architecture = std::fs::read_to_string(root.join("src/ARCHITECTURE.md")).unwrap();
    for module in LAYERS.iter().copied().flatten().filter(|module| !matches!(**module, "lib" | "main")) {
        if !architecture.contains(&format!("`{module}`")) {
            breaches.push(format!("src/ARCHITECTURE.md does not name `{module}`"));
        }
    }
    none_of(
        breaches,
        "outdated documentation misleads newcomers (rule 10)",
        "change the document in the commit that moves the code",
    );
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut breaches = Vec::new();
    let (mut in_dependencies, mut has_reason) = (false, false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies]");
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_dependencies && line.contains('=') && !has_reason {
            breaches.push(format!("Cargo.toml: {line}"));
        } else if line.is_empty() {
            has_reason = false;
        }
        // One comment may give the reason for a group of lines.
    }
    none_of(breaches, "each dependency has a lasting cost", "say why in a comment above it");
}

#[test]
fn a_test_is_left_out_only_because_it_is_deep() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for folder in ["src", "tests/it"] {
        for file in files_under(&root.join(folder), "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            let attributes = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("#[ignore"));
            let others = attributes.filter(|(_, line)| !line.contains("#[ignore = \"deep: "));
            let path = file.strip_prefix(root).unwrap().display();
            breaches.extend(others.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())));
        }
    }
    none_of(
        breaches,
        "a test that no command runs is not a test",
        "repair it, or write `#[ignore = \"deep: why it takes long\"]`, and `./dev test --deep` runs it",
    );
}
