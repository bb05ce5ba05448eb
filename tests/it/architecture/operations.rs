//! An operation asks whether its actor may do it, and records an event. Where it does not, it says why.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, none_of, sources};

/// What an operation does to ask for a permission. A [`CredentialAdmin`](domicile::base::CredentialAdmin) proves one.
const QUESTIONS: [&str; 5] =
    ["can_manage(", "is_operator(", "matches!(actor, Actor::", "let Actor::", "admin: &CredentialAdmin"];
/// What an operation does to record an event.
const RECORDS: [&str; 1] = ["audit::record("];
/// Modules whose functions have the names of operations but are none.
const NO_OPERATIONS: [&str; 3] = ["store", "mails", "records"];

/// A function of `src`, with its signature and body.
struct Function {
    path: String,
    line: usize,
    name: String,
    /// Whether other files than its neighbours can call it.
    is_public: bool,
    /// Without comments.
    code: String,
    /// The comments above it and in it.
    notes: String,
}

impl Function {
    fn is_in_ops(&self) -> bool {
        self.path.split('/').any(|part| part == "ops" || part == "ops.rs")
    }

    fn is_operation(&self) -> bool {
        let signature = self.code.split('{').next().unwrap_or_default();
        let has_actor = ["actor: &Actor", "&CredentialAdmin"].iter().any(|actor| signature.contains(actor));
        // The audit records; it has no permissions and no events of its own.
        self.is_in_ops()
            && self.is_public
            && has_actor
            && signature.contains("tx: &mut Tx")
            && !self.path.starts_with("audit/")
    }

    fn slice(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Its file, and the folders that its file is in.
    fn modules(&self) -> impl Iterator<Item = &str> {
        self.path.trim_end_matches(".rs").split('/')
    }

    /// The functions that it calls, as (module before the name, name). The module is empty for a plain call.
    fn calls(&self) -> BTreeSet<(String, String)> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut calls = BTreeSet::new();
        for (at, _) in self.code.match_indices('(') {
            let before = &self.code[..at];
            let start = before.rfind(|c: char| !is_word(c)).map_or(0, |end| end + 1);
            let name = &before[start..];
            if name.is_empty() || before[..start].ends_with(['.', '!']) || before[..start].ends_with("fn ") {
                continue;
            }
            let module = before[..start].strip_suffix("::").unwrap_or_default();
            let module = &module[module.rfind(|c: char| !is_word(c)).map_or(0, |end| end + 1)..];
            calls.insert((module.to_owned(), name.to_owned()));
        }
        calls
    }
}

/// The functions of a file at its first level: they begin and end at the left margin.
fn functions_of(source: &Source, raw: &str) -> Vec<Function> {
    let raw: Vec<&str> = raw.lines().collect();
    let mut functions = Vec::new();
    let mut number = 0;
    while number < source.lines.len() {
        let line = &source.lines[number];
        let Some(head) = ["pub fn ", "fn "].into_iter().find_map(|start| line.strip_prefix(start)).or_else(|| {
            let (visibility, rest) = line.split_once(") fn ")?;
            visibility.starts_with("pub(").then_some(rest)
        }) else {
            number += 1;
            continue;
        };
        let length = source.lines[number..]
            .iter()
            .position(|line| line == "}" || line.ends_with(" }") && !line.starts_with(' '));
        let end = number + length.unwrap_or(0);
        let above = raw[..number].iter().rev().take_while(|line| line.starts_with("//") || line.starts_with("#["));
        let notes = above.chain(&raw[number..=end]).filter_map(|line| line.split_once("// ").map(|(_, note)| note));
        functions.push(Function {
            path: source.path.clone(),
            line: number + 1,
            name: head.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
            is_public: line.starts_with("pub fn") || line.starts_with("pub(in ") || line.starts_with("pub(crate)"),
            code: source.lines[number..=end].join("\n"),
            notes: notes.collect::<Vec<_>>().join("\n"),
        });
        number = end + 1;
    }
    functions
}

struct Functions {
    /// By slice and name. Two functions of a slice may have the same name.
    by_name: BTreeMap<(String, String), Vec<Function>>,
    /// The slices that have a module of this name.
    slices: BTreeMap<String, BTreeSet<String>>,
}

impl Functions {
    fn read() -> Self {
        let mut all = Self { by_name: BTreeMap::new(), slices: BTreeMap::new() };
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for source in sources() {
            if NO_OPERATIONS.iter().any(|name| source.file_name() == format!("{name}.rs")) {
                continue;
            }
            let raw = std::fs::read_to_string(root.join(&source.path)).unwrap();
            for function in functions_of(&source, &raw) {
                let slice = function.slice().to_owned();
                for module in function.modules() {
                    all.slices.entry(module.to_owned()).or_default().insert(slice.clone());
                }
                all.by_name.entry((slice, function.name.clone())).or_default().push(function);
            }
        }
        all
    }

    fn operations(&self) -> impl Iterator<Item = &Function> {
        self.by_name.values().flatten().filter(|function| function.is_operation())
    }

    /// The slices that `module`, as named in a function of the slice `own`, can be in.
    fn slices_of(&self, own: &str, module: &str) -> BTreeSet<String> {
        match self.slices.get(module) {
            Some(slices) if !slices.contains(own) => slices.clone(),
            _ => BTreeSet::from([own.to_owned()]),
        }
    }

    /// Whether `function`, or a function that it calls directly or not, contains one of the words.
    fn reaches(&self, function: &Function, words: &[&str]) -> bool {
        let mut open = vec![function];
        let mut known = BTreeSet::from([(function.slice().to_owned(), function.name.clone())]);
        while let Some(next) = open.pop() {
            if words.iter().any(|word| next.code.contains(word)) {
                return true;
            }
            for (module, name) in next.calls() {
                if NO_OPERATIONS.contains(&module.as_str()) || module.starts_with(char::is_uppercase) {
                    continue;
                }
                for slice in self.slices_of(next.slice(), &module) {
                    let key = (slice, name.clone());
                    if let Some(functions) = self.by_name.get(&key)
                        && known.insert(key)
                    {
                        open.extend(functions);
                    }
                }
            }
        }
        false
    }
}

/// The operations that miss one of `words` without a note, and those with a note that they do not need.
fn breaches(functions: &Functions, words: &[&str], what: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for operation in functions.operations() {
        let note = format!("No {what}: ");
        let has_note = operation.notes.lines().any(|line| line.starts_with(&note) && line.len() > note.len() + 8);
        let place = format!("src/{}:{}: {}", operation.path, operation.line, operation.name);
        match (functions.reaches(operation, words), has_note) {
            (true, false) | (false, true) => {}
            (false, false) => breaches.push(format!("{place}: no {what}")),
            (true, true) => breaches.push(format!("{place}: `// {note}..`, but there is one")),
        }
    }
    breaches
}

#[test]
fn an_operation_asks_for_a_permission_or_says_why_not() {
    let functions = Functions::read();
    assert!(functions.operations().count() > 60);
    none_of(
        breaches(&functions, &QUESTIONS, "permission"),
        "an entry point decides nothing, so an operation that does not ask lets everybody do it",
        "ask actor.can_manage(..), take a CredentialAdmin, or write `// No permission: why.` above the function",
    );
}

#[test]
fn an_operation_records_an_event_or_says_why_not() {
    none_of(
        breaches(&Functions::read(), &RECORDS, "event"),
        "a change that is not in the audit cannot be explained to the person it concerns",
        "call audit::record in the same transaction, or write `// No event: why.` above the function",
    );
}

/// The function of the store that is all of `function`, with the same parameters in the same order.
fn only_calls(function: &Function) -> Option<&str> {
    let (signature, body) = function.code.split_once("{")?;
    let (name, arguments) = body.trim().trim_end_matches('}').trim().strip_prefix("store::")?.split_once('(')?;
    let words = |list: &str| -> Vec<String> {
        let parts = list.split(", ").map(|part| part.split(':').next().unwrap_or_default().trim().trim_matches(','));
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let parameters = signature.split_once('(')?.1.rsplit_once(") ->")?.0.replace(",\n", ", ");
    let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_word && words(arguments.strip_suffix(')')?) == words(&parameters)).then_some(name)
}

/// Functions that may stay. The list may only shrink.
const ONLY_CALLS: [(&str, &str); 1] = [("journal/ops.rs", "head")];

#[test]
fn an_operation_does_more_than_call_the_store() {
    let functions = Functions::read();
    let mut breaches = Vec::new();
    for function in functions.by_name.values().flatten().filter(|function| function.is_in_ops()) {
        let may_stay = ONLY_CALLS.contains(&(function.path.as_str(), function.name.as_str()));
        if let Some(name) = only_calls(function).filter(|_| !may_stay) {
            breaches.push(format!("src/{}:{}: {} is store::{name}", function.path, function.line, function.name));
        }
    }
    none_of(
        breaches,
        "a function that adds nothing is read for nothing",
        "delete it, and write `pub use store::that_function as this_name` in the mod.rs of the slice",
    );
}
