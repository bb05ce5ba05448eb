//! Every command, as `--help` lists them: each has an example, its help fits a terminal, and the documents name no command or option that the program does not have.

use std::collections::BTreeSet;
use std::path::Path;

use crate::architecture::{every_file_under, files_under};
use crate::support::Appliance;

/// The options of every command. The manual page describes them once.
const COMMON: [&str; 4] = ["config", "json", "help", "version"];

/// A command without subcommands, as its help describes it.
#[derive(Debug)]
pub struct Command {
    /// `account create`
    pub words: String,
    pub help: String,
}

impl Command {
    /// The names of its options: `email`.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        let lines = self.help.split("\nOptions:\n").nth(1).unwrap_or_default().lines().map(str::trim_start);
        let names = lines.filter(|line| line.starts_with('-')).filter_map(|line| line.split("--").nth(1));
        names.map(|name| name.split([' ', '.']).next().unwrap_or_default())
    }

    /// The arguments that it needs, with a value for each: `--email x`.
    pub fn required(&self) -> Vec<String> {
        let usage = self.help.split("Usage: domicile ").nth(1).unwrap().split("\n\n").next().unwrap();
        let usage = usage.strip_prefix(&self.words).unwrap().replace("[OPTIONS]", "").replace("--to <TO>", "");
        let words = usage.split_whitespace().filter(|word| !word.starts_with('['));
        words.map(|word| if word.starts_with('<') { "x".to_owned() } else { word.to_owned() }).collect()
    }
}

/// All commands.
pub fn commands() -> Vec<Command> {
    let site = Appliance::configured("");
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = site.run(&arguments).ok();
        let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let Some(listed) = listed else {
            found.push(Command { words: words.join(" "), help });
            continue;
        };
        let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        open.extend(names.map(|name| words.iter().cloned().chain([name.to_owned()]).collect()));
    }
    found.sort_by(|one, other| one.words.cmp(&other.words));
    assert!(found.len() > 25, "{found:?}");
    found
}

#[test]
fn every_command_has_an_example_in_its_help() {
    for Command { words, help, .. } in commands() {
        let examples = help.split("Example").nth(1).unwrap_or_default();
        assert!(
            examples.contains(&format!("domicile {words}")),
            "`domicile {words} --help` has no example of the command: add `after_help = \"Example:\\n  domicile \
             {words} ..\"` to it in src/cli/arguments. Its help is:\n{help}"
        );
    }
    let site = Appliance::configured("");
    assert!(site.run(&["--help"]).ok().contains("Examples:"));
    assert!(site.run(&["--version"]).ok().starts_with("domicile "));
}

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    for Command { words, help } in commands() {
        // Neither the line of its usage nor examples are broken, so that they can be copied.
        let text = help.split("\nExample").next().unwrap().lines().filter(|line| !line.starts_with("Usage: "));
        let long: Vec<_> = text.filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "`domicile {words} --help` has lines of more than 80 columns: {long:#?}");
    }
}

/// The calls of the program in a text: what is after `domicile ` in code, up to the end of the code.
fn calls(text: &str) -> Vec<String> {
    let mut calls = Vec::new();
    for line in text.lines() {
        let is_code = line.starts_with("  ") || line.starts_with("domicile ") || line.contains(".Dl ");
        for (at, name) in line.match_indices("domicile ") {
            let before = line[..at].trim_end_matches(' ');
            let is_call = before.ends_with('`')
                || is_code && (before.is_empty() || before.ends_with(['|', '&', ':']) || before.ends_with("sudo"));
            let rest = line[at + name.len()..].split(". ").next().unwrap_or_default();
            let end = rest.find(['`', '"', '|', ';', '<', '>', '\\']).unwrap_or(rest.len());
            if is_call && rest.starts_with(|c: char| c.is_ascii_lowercase()) {
                calls.push(rest[..end].trim().to_owned());
            }
        }
    }
    calls
}

#[test]
fn documents_and_messages_name_existing_commands_with_their_options() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["README.md", "CHANGELOG.md"].map(|name| root.join(name)).into();
    files.extend(files_under(&root.join("src"), "rs"));
    files.extend(files_under(&root.join("src"), "md"));
    files.extend(["packaging", "systemd", "templates"].iter().flat_map(|folder| every_file_under(&root.join(folder))));
    let commands = commands();
    let groups: BTreeSet<&str> = commands.iter().filter_map(|command| Some(command.words.split_once(' ')?.0)).collect();
    let (mut faults, mut count) = (Vec::new(), 0);
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for call in calls(&text) {
            count += 1;
            let words: Vec<&str> = call.split_whitespace().collect();
            let command =
                commands.iter().find(|command| format!("{call} ").starts_with(&format!("{} ", command.words)));
            let options = words.iter().filter_map(|word| word.strip_prefix("--"));
            let options = options.map(|name| name.split(['=', '.', ',', ')']).next().unwrap_or_default());
            let own: Vec<&str> = command.iter().flat_map(|command| command.options()).chain(COMMON).collect();
            let is_group = groups.contains(words[0]) && matches!(words[1..], [] | ["…"]);
            let unknown: Vec<&str> = options.filter(|name| !own.contains(name)).collect();
            if (command.is_none() && !is_group) || !unknown.is_empty() {
                faults.push(format!("{}: domicile {call} {unknown:?}", file.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(count > 50, "only {count} calls were found");
    assert!(faults.is_empty(), "these commands or options do not exist:\n{}", faults.join("\n"));
}

#[test]
fn documents_name_existing_verbs_of_dev() {
    let dev = document("dev");
    let mut faults = Vec::new();
    for name in
        ["README.md", "CHANGELOG.md", "Cargo.toml", "src/ARCHITECTURE.md", ".ci/run", "tests/it/fixtures/README.md"]
    {
        let text = document(name);
        let verbs =
            text.split("./dev ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next());
        faults.extend(
            verbs.filter(|verb| !dev.contains(&format!("\n        {verb})"))).map(|verb| format!("{name}: {verb}")),
        );
    }
    assert!(faults.is_empty(), "./dev has no such verbs: {faults:?}");
}
