//! Paths: `src/http` knows none of a feature, and every path in the code and in the templates has a route.

use std::path::Path;

use domicile::server::ROUTES;

use super::{files_under, none_of, sources};

/// Whether a route has this path. A `{..}` in the path stands for anything.
fn is_routed(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.starts_with("/assets/") {
        return true;
    }
    let parts: Vec<&str> = path.split('/').collect();
    ROUTES.iter().any(|route| {
        let known: Vec<&str> = route.path.split('/').collect();
        known.len() == parts.len()
            && known
                .iter()
                .zip(&parts)
                .all(|(known, part)| known.starts_with('{') || part.contains('{') || known == part)
    })
}

/// The string literals of a line that look like a path of this site.
fn paths_in(line: &str) -> Vec<&str> {
    let literals = line.split('"').skip(1).step_by(2);
    literals.filter(|text| text.starts_with('/') && text[1..].starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn http_knows_no_path_of_a_feature() {
    let mut breaches = Vec::new();
    // The files that the program embeds belong to `http` itself.
    for source in sources().iter().filter(|source| source.is_in(&["http/"]) && source.path != "http/assets.rs") {
        for (number, line) in source.lines.iter().enumerate() {
            for path in paths_in(line).into_iter().filter(|path| is_routed(path)) {
                breaches.push(format!("src/{}:{}: {path}", source.path, number + 1));
            }
        }
    }
    none_of(
        breaches,
        "http is a tool of all features and knows none of them; a route is described in one place",
        "add a rule to src/server/route.rs and state it in src/server/routes.rs, or pass the path in",
    );
}

#[test]
fn every_path_in_the_code_has_a_route() {
    let mut breaches = Vec::new();
    for source in sources() {
        let is_page = source.path.contains("/pages") || source.is_in(&["server/"]) || source.path.ends_with("mails.rs");
        if !is_page || source.path == "server/route.rs" || source.path == "server/docs.rs" {
            continue;
        }
        for (number, line) in source.lines.iter().enumerate() {
            for path in paths_in(line).into_iter().filter(|path| !path.ends_with('/') && !is_routed(path)) {
                breaches.push(format!("src/{}:{}: {path}", source.path, number + 1));
            }
        }
    }
    none_of(breaches, "a link or redirect must not lead to a page that does not exist", "correct the path");
}

#[test]
fn every_link_in_the_templates_has_a_route() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for file in files_under(&root.join("templates"), "html") {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for attribute in ["href=\"/", "action=\"/", "formaction=\"/", "src=\"/"] {
                for (at, _) in line.match_indices(attribute) {
                    let path = line[at + attribute.len() - 1..].split('"').next().unwrap_or_default();
                    if path.len() > 1 && !is_routed(path) {
                        let file = file.strip_prefix(root).unwrap().display();
                        breaches.push(format!("{file}:{}: {path}", number + 1));
                    }
                }
            }
        }
    }
    none_of(breaches, "a link must not lead to a page that does not exist", "correct the path");
}
