//! Entry points decide nothing: they parse, call one operation and show what it gives.
//!
//! A decision that stands in a page stands somewhere else too, in the operation; sooner or later the two differ, and a
//! page offers what the operation refuses. These rules find the usual forms of a decision. A `match` over all variants
//! that gives a label is no decision.

use super::{Source, lines_where, none_of, sources};

/// Lines that may stay, each with the reason. The list may only shrink.
const EXCEPTIONS: [(&str, &str); 4] = [
    // A parser of our own that stops at the limit, so that no more than a batch is ever in memory.
    ("billing/api/wire.rs", "while self.events.len() < BATCH_EVENTS_MAX {"),
    // Not a limit of the operation, but where a body is parsed.
    ("billing/api/mod.rs", "if body.len() <= INLINE_PARSE_BYTES_MAX {"),
    // The form of a JSON member, not a fact of the domain.
    ("billing/api/wire.rs", "matches!(self.find(name), None | Some(Member::Null))"),
    // The kind of an error of the operating system.
    ("cli/", "std::io::ErrorKind::"),
];

fn entry_points() -> Vec<Source> {
    let is_entry_point = |source: &Source| {
        let path = source.path.trim_end_matches(".rs");
        path.starts_with("cli/") || path.split('/').any(|part| part == "pages" || part == "api")
    };
    sources().into_iter().filter(is_entry_point).collect()
}

#[track_caller]
fn no_line(is_decision: impl Fn(&str) -> bool, cure: &str) {
    let mut breaches = Vec::new();
    for source in entry_points() {
        let is_excepted =
            |line: &str| EXCEPTIONS.iter().any(|(path, text)| source.path.starts_with(path) && line.contains(text));
        breaches.extend(lines_where(&source, |line| is_decision(line) && !is_excepted(line)));
    }
    none_of(
        breaches,
        "where two places decide the same thing, they will differ, and a page offers what is refused",
        cure,
    );
}

/// Whether the text has a variant of an enum: `Name::Variant`, both in camel case.
fn has_variant(text: &str) -> bool {
    text.match_indices("::").any(|(at, _)| {
        let name = text[..at].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let variant: String = text[at + 2..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let is_camel =
            |word: &str| word.starts_with(|c: char| c.is_uppercase()) && word.contains(|c: char| c.is_lowercase());
        is_camel(name) && is_camel(&variant)
    })
}

/// The comparisons of a line: what is left and right of each operator, up to the next part of the condition.
fn comparisons<'l>(line: &'l str, operators: &[&str]) -> Vec<(&'l str, &'l str)> {
    let mut found = Vec::new();
    for operator in operators {
        for (at, _) in line.match_indices(&format!(" {operator} ")) {
            let begin =
                ["&& ", "|| ", "=> ", " if "].iter().filter_map(|word| line[..at].rfind(word)).max().unwrap_or(0);
            let right = &line[at + operator.len() + 2..];
            let end = [" && ", " || ", " => "].iter().filter_map(|word| right.find(word)).min().unwrap_or(right.len());
            found.push((&line[begin..at], &right[..end]));
        }
    }
    found
}

fn compares_variants(line: &str) -> bool {
    let compares = comparisons(line, &["==", "!="]).iter().any(|(left, right)| has_variant(left) || has_variant(right));
    let matches = line.split_once("matches!(").is_some_and(|(_, pattern)| has_variant(pattern));
    compares || matches
}

fn compares_limits(line: &str) -> bool {
    let is_limit = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| (word.ends_with("_MAX") || word.ends_with("_MIN")) && word.chars().all(|c| !c.is_lowercase()))
    };
    comparisons(line, &["<", "<=", ">", ">=", "==", "!="]).iter().any(|(left, right)| is_limit(left) || is_limit(right))
}

fn compares_dates(line: &str) -> bool {
    let is_date = |text: &str| {
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        words
            .iter()
            .any(|word| word.ends_with("_at") || ["now", "until", "since", "good_until", "delete_after"].contains(word))
    };
    comparisons(line, &["<", "<=", ">", ">="]).iter().any(|(left, right)| is_date(left) || is_date(right))
}

#[test]
fn entry_points_compare_no_states() {
    no_line(
        compares_variants,
        "ask a method of the model (`key.acts().can_rotate`), or write a `match` over all variants",
    );
}

#[test]
fn entry_points_compare_no_limits() {
    no_line(compares_limits, "let the operation refuse, or give what the page may offer (`ExpiryOffer`)");
}

#[test]
fn entry_points_compare_no_dates() {
    no_line(compares_dates, "ask a method of the model with `now` (`key.ends_soon(now)`)");
}

#[test]
fn entry_points_know_no_roles() {
    no_line(|line| line.contains("Role::"), "let the operation check the role, and show what it gives");
}

#[test]
fn a_decision_would_be_noticed() {
    for line in [
        "can_rotate: key.state == KeyState::Active,",
        "if matches!(mode, SignupMode::Closed) {",
        "a || b != Period::Month",
    ] {
        assert!(compares_variants(line), "{line}");
    }
    for line in [
        "KeyState::Active => (\"Active\", \"ok\"),",
        "let kind = ResourceKind::parse(text);",
        "if name == \"nginx\" {",
        "if amount == Credits::ZERO {",
    ] {
        assert!(!compares_variants(line), "{line}");
    }
    assert!(compares_limits("if emails.len() >= EMAILS_MAX {") && compares_limits("overlap <= OVERLAP_MAX"));
    assert!(!compares_limits("number(\"limit\", &query.limit, PAGE_ITEMS, PAGE_ITEMS_MAX)?"));
    for line in
        ["if expires_at <= now {", "is_fresh: app.now().since(proved_at) < step_up_after,", "end.since(now) < days(7)"]
    {
        assert!(compares_dates(line), "{line}");
    }
    assert!(!compares_dates("fn row(key: ApiKey, now: Timestamp) -> KeyRow {"));
}

/// Statics that may change, each with the reason. The list may only shrink.
const CHANGING_STATICS: [(&str, &str); 7] = [
    // Threads belong to the process, and not to an appliance.
    ("threads.rs", "IS_ON_ALL_CORES"),
    ("threads.rs", "IS_PINNED"),
    // Connections of a thread, by the number of their store.
    ("db/pool.rs", "OWN"),
    ("db/store.rs", "NEXT_STORE"),
    // Counts the statements of a test's own thread.
    ("db/tx.rs", "STATEMENTS"),
    // Whether the work of the writer's thread has logged its panic.
    ("db/writer.rs", "HAS_LOGGED"),
    // Descriptors that must stay open as long as the process lives, because locks belong to the process.
    ("db/frozen.rs", "SOURCES"),
];

#[test]
fn no_static_changes() {
    // `OnceLock` and `LazyLock` are written once; what they have inside may not change either.
    let changing = ["Mutex", "RwLock", "Cell<", "Atomic", "Semaphore", "HashMap<"];
    let mut breaches = Vec::new();
    for source in sources() {
        breaches.extend(lines_where(&source, |line| {
            let Some((_, rest)) = line.trim_start().split_once("static ") else { return false };
            let is_static = line.trim_start().starts_with("static ") || line.trim_start().starts_with("pub");
            let is_constant = rest.contains("OnceLock<HashMap<");
            let is_known = CHANGING_STATICS
                .iter()
                .any(|(path, name)| source.path == *path && rest.starts_with(&format!("{name}:")));
            is_static && changing.iter().any(|word| rest.contains(word)) && !is_constant && !is_known
        }));
    }
    none_of(
        breaches,
        "two appliances in one process would share it, and a test could not have its own",
        "let the App own it: App::admit for rates, App::try_permit for work at once",
    );
}
