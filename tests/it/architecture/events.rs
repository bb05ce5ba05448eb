//! Audit events are declared once, in the `events.rs` of the module that records them.

use std::path::Path;

use super::{Source, lines_where, none_of, sources};

/// A file, and a name that it declares.
type Declared = (String, String);

/// The enums and the stored names that the `events.rs` files declare, each with its file.
fn declared(sources: &[Source]) -> (Vec<Declared>, Vec<Declared>) {
    let (mut enums, mut names) = (Vec::new(), Vec::new());
    for source in sources.iter().filter(|source| source.file_name() == "events.rs") {
        for line in source.lines.iter().map(|line| line.trim()) {
            if let Some(kind) = line.strip_suffix("Event {") {
                enums.push((source.path.clone(), format!("{kind}Event")));
            }
            if let Some((_, name)) = line.split_once(" = \"") {
                names.push((source.path.clone(), name.split('"').next().unwrap_or_default().to_owned()));
            }
        }
    }
    (enums, names)
}

#[test]
fn event_names_are_in_events_files_only() {
    let sources = sources();
    let (_, names) = declared(&sources);
    assert!(names.len() > 70, "the declarations were not found: {names:?}");
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| source.file_name() != "events.rs") {
        let has_name = |line: &str| {
            let words = line.split(|c: char| !c.is_alphanumeric() && !"_.".contains(c));
            words.into_iter().any(|word| names.iter().any(|(_, name)| name == word))
        };
        breaches.extend(lines_where(source, has_name));
        let declares = |line: &str| line.trim_start().starts_with("events! {");
        breaches.extend(lines_where(source, declares));
    }
    none_of(
        breaches,
        "titles, personal parts and visibility of an event stand beside its name, so nothing may name it elsewhere",
        "declare the event in the events.rs of the module, and use its variant",
    );
}

#[test]
fn every_enum_of_events_is_in_the_catalogue() {
    let (enums, _) = declared(&sources());
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/activity/catalogue.rs");
    let catalogue = std::fs::read_to_string(catalogue).unwrap();
    let missing = enums.iter().filter(|(_, kind)| !catalogue.contains(&format!("    {kind}::TYPES,\n")));
    none_of(
        missing.map(|(path, kind)| format!("src/{path}: {kind} is not in src/activity/catalogue.rs")).collect(),
        "the activity of people shows an event that is not in the catalogue under its technical name",
        "add its TYPES to CATALOGUE",
    );
}

#[test]
fn each_module_declares_its_events_in_one_enum() {
    let sources = sources();
    let (enums, _) = declared(&sources);
    let files = sources.iter().filter(|source| source.file_name() == "events.rs");
    let wrong = files.filter(|file| enums.iter().filter(|(path, _)| *path == file.path).count() != 1);
    none_of(
        wrong.map(|file| format!("src/{}", file.path)).collect(),
        "a reader finds all events of a module at one place",
        "declare one enum whose name ends with Event",
    );
}
