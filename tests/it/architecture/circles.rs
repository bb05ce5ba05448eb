//! No two files need each other: the imports between the files of `src`, `benches` and `tests/it` form no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{files_under, none_of};

/// The files of one crate by module path (`a::b`), with what each defines, re-exports and imports.
struct Crate {
    /// Module path -> file, from the root of the checkout.
    files: BTreeMap<Vec<String>, String>,
    /// Module path -> code without comments and unit tests.
    code: BTreeMap<Vec<String>, String>,
}

impl Crate {
    fn read(folder: &str, root: &str) -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut files, mut code) = (BTreeMap::new(), BTreeMap::new());
        for file in files_under(&top.join(folder), "rs") {
            let inside = file.strip_prefix(top.join(folder)).unwrap().display().to_string();
            let mut module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if module.last().is_some_and(|last| last == "mod" || last == root) {
                module.pop();
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            code.insert(module.clone(), lines.collect::<Vec<_>>().join("\n"));
            files.insert(module, format!("{folder}/{inside}"));
        }
        Self { files, code }
    }

    /// The file behind `path`: the deepest module on it. A name that a module re-exports leads to the file that has it.
    fn file_behind(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut module =
            (0..=path.len()).rev().map(|end| &path[..end]).find(|start| self.files.contains_key(*start))?;
        if let Some(name) = path.get(module.len())
            && depth < 8
            && let Some(target) = self.re_exported(module, name)
        {
            return self.file_behind(&target, depth + 1);
        }
        if module.is_empty() && !path.is_empty() {
            module = &[];
        }
        Some(module.to_vec())
    }

    /// Where a `use` of `module` takes `name` from, when it is one of its own submodules.
    fn re_exported(&self, module: &[String], name: &str) -> Option<Vec<String>> {
        imports(&self.code[module], module).into_iter().find(|path| {
            path.last().is_some_and(|last| last == name) && path.len() > module.len() + 1 && path.starts_with(module)
        })
    }

    /// Which files each file needs. A `mod.rs` that only passes on what its submodules have needs none of them.
    fn edges(&self) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
        let mut edges = BTreeMap::new();
        for (module, code) in &self.code {
            let without_exports = without_public_uses(code);
            let mut needed: BTreeSet<_> = imports(&without_exports, module)
                .into_iter()
                .filter_map(|path| self.file_behind(&path, 0))
                .filter(|other| other != module)
                .collect();
            // The root knows every module, and is known for nothing but its modules.
            needed.remove(&Vec::new());
            edges.insert(module.clone(), needed);
        }
        edges
    }
}

/// The code without its `pub use ...;` statements.
fn without_public_uses(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("pub") {
        let statement = &rest[at..];
        let end = statement.find([';', '{']).unwrap_or(statement.len());
        let head = &statement[..end];
        let is_use = head.split_whitespace().any(|word| word == "use") && !head.contains("fn ");
        kept.push_str(&rest[..at]);
        if is_use {
            let whole = statement.find(';').map_or(statement.len(), |end| end + 1);
            rest = &statement[whole..];
        } else {
            kept.push_str("pub");
            rest = &statement[3..];
        }
    }
    kept + rest
}

/// Every path that starts with `crate::`, `super::` or `self::`, groups unfolded, as module paths from the root.
fn imports(code: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut at = 0;
    while let Some(next) = ["crate::", "super::", "self::"].iter().filter_map(|start| code[at..].find(start)).min() {
        let begin = at + next;
        let is_whole = !code[..begin].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let (paths, read) = unfold(&code[begin..]);
        if is_whole {
            found.extend(paths.into_iter().filter_map(|path| from_root(&path, module)));
        }
        at = begin + read.max(6);
    }
    found
}

/// The paths of one `a::{b, c::{d}}`, and how many bytes it took.
fn unfold(text: &str) -> (Vec<Vec<String>>, usize) {
    let mut path = Vec::new();
    let mut read = 0;
    loop {
        let rest = &text[read..];
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.is_empty() {
            break;
        }
        read += word.len();
        path.push(word);
        let rest = &text[read..];
        if rest.starts_with("::{") {
            let (mut paths, mut inner) = (Vec::new(), read + 3);
            loop {
                inner += text[inner..].len() - text[inner..].trim_start_matches([' ', '\n', '\t', ',', '*']).len();
                if text[inner..].starts_with('}') || text[inner..].is_empty() {
                    return (paths, inner + 1);
                }
                let (group, used) = unfold(&text[inner..]);
                if used == 0 {
                    return (paths, inner + 1);
                }
                paths.extend(group.into_iter().map(|tail| path.iter().cloned().chain(tail).collect()));
                inner += used;
                // `name as other`
                let end = text[inner..].find([',', '}']).unwrap_or(0);
                inner += end;
            }
        }
        match rest.strip_prefix("::") {
            Some(_) => read += 2,
            None => break,
        }
    }
    if path.is_empty() { (Vec::new(), read) } else { (vec![path], read) }
}

/// `super::x` as seen from `module`, from the root. `None`: above the root.
fn from_root(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut words = path.iter().peekable();
    match words.next()?.as_str() {
        "crate" => base.clear(),
        "super" => {
            base.pop()?;
        }
        _ => {}
    }
    while words.peek().is_some_and(|word| *word == "super") {
        base.pop()?;
        words.next();
    }
    base.extend(words.filter(|word| *word != "self").cloned());
    Some(base)
}

/// Groups of files that need each other, directly or not.
fn circles(edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<Vec<Vec<String>>> {
    let reach = |from: &Vec<String>| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(next) = open.pop() {
            for other in edges.get(&next).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|module| (module.clone(), reach(module))).collect();
    let mut groups: Vec<Vec<Vec<String>>> = Vec::new();
    for (module, _) in reached.iter().filter(|(module, reached)| reached.contains(*module)) {
        if groups.iter().flatten().any(|known| known == module) {
            continue;
        }
        let group = reached.iter().filter(|(other, back)| reached[module].contains(*other) && back.contains(module));
        groups.push(group.map(|(other, _)| other.clone()).collect());
    }
    groups
}

#[test]
fn no_files_form_a_circle() {
    let mut breaches = Vec::new();
    for (folder, root) in [("src", "lib"), ("benches/bench", "main"), ("tests/it", "main")] {
        let all = Crate::read(folder, root);
        let edges = all.edges();
        for circle in circles(&edges) {
            let names: Vec<_> = circle.iter().map(|module| all.files[module].as_str()).collect();
            breaches.push(names.join(" <-> "));
        }
    }
    none_of(
        breaches,
        "with circles no file can be read alone",
        "move what both need into a file of its own that neither of them imports back",
    );
}

#[test]
fn a_circle_would_be_noticed() {
    let module = |name: &str| vec![name.to_owned()];
    let edge = |from: &str, to: &[&str]| (module(from), to.iter().map(|name| module(name)).collect::<BTreeSet<_>>());
    let edges = BTreeMap::from([edge("a", &["b"]), edge("b", &["c"]), edge("c", &["a"]), edge("d", &["a"])]);

    assert_eq!(circles(&edges), [vec![module("a"), module("b"), module("c")]]);

    let code = "use crate::x::{self, y::Z, w};\nuse super::{model::A, store};\nfn f() { super::super::q::r() }";
    let here = ["m".to_owned(), "ops".to_owned(), "deep".to_owned()];
    let paths: Vec<String> = imports(code, &here).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["m::ops::model::A", "m::ops::store", "m::q::r", "x", "x::w", "x::y::Z"]);
}
