//! Every command, as `--help` lists them: each has an example, the manual page describes it with all its options, and the
//! documents name no command or option that the program does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::architecture::{every_file_under, files_under};
use crate::support::Appliance;

/// The options of every command. The manual page describes them once.
const COMMON: [&str; 4] = ["config", "json", "help", "version"];

/// A command without subcommands, as its help describes it.
#[derive(Debug)]
struct Command {
    /// `account create`
    words: String,
    help: String,
    /// What is after the words in its usage: `--email <EMAIL>`.
    required: String,
    /// Positional arguments and options (`<ACCOUNT>`, `--email <EMAIL>`), each with its sentences.
    arguments: Vec<(String, String)>,
}

impl Command {
    fn new(words: &[String], help: String) -> Self {
        let words = words.join(" ");
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: domicile ")).unwrap();
        let required = usage.strip_prefix(&words).unwrap().replace("[OPTIONS]", "").trim().to_owned();
        let sections = ["\nArguments:\n", "\nOptions:\n"];
        let lines = sections.iter().filter_map(|title| help.split(title).nth(1)?.split("\n\n").next());
        let lines = lines.flat_map(str::lines).map(|line| line.trim_start().split_once("  "));
        let arguments = lines.map(|line| line.unwrap_or_else(|| panic!("an argument of `{words}` has no sentence")));
        let arguments = arguments.map(|(name, text)| (name.trim_start_matches("-h, ").to_owned(), sentences(text)));
        Self { required, arguments: arguments.collect(), words, help }
    }

    /// The names of its options: `email`.
    fn options(&self) -> impl Iterator<Item = &str> {
        let names =
            self.arguments.iter().filter_map(|(name, _)| name.rsplit("--").next().filter(|_| name.contains("--")));
        names.map(|name| name.split(' ').next().unwrap_or_default())
    }

    /// The line of the manual page that begins its description.
    fn heading(&self) -> String {
        let is_required = |name: &str| format!(" {} ", self.required).contains(&format!(" {name} "));
        let has_more = self.own_arguments().any(|(name, _)| !is_required(name));
        let required = if self.required.is_empty() { String::new() } else { format!(" {}", macros(&self.required)) };
        format!(".It Cm {}{required}{}", self.words, if has_more { " Op Ar option ..." } else { "" })
    }

    /// The list of its arguments in the manual page. Empty: it has none.
    fn list(&self) -> String {
        let mut list = String::new();
        for (name, text) in self.own_arguments() {
            write!(list, ".It {}\n{}\n", macros(name), text.replace(". ", ".\n")).unwrap();
        }
        if list.is_empty() { list } else { format!(".Bl -tag -width Ds\n{list}.El\n") }
    }

    fn own_arguments(&self) -> impl Iterator<Item = &(String, String)> {
        self.arguments.iter().filter(|(name, _)| !COMMON.iter().any(|common| name.contains(&format!("--{common}"))))
    }
}

/// The text of an argument in the help as the manual page has it.
fn sentences(text: &str) -> String {
    let text = text.trim().split(" [env: ").next().unwrap_or_default();
    let (text, default) = text.split_once(" [default: ").unwrap_or((text, ""));
    let mut text = format!("{text}.");
    if !default.is_empty() {
        write!(text, " Default: {}.", default.trim_end_matches(']')).unwrap();
    }
    let parts = text.split('`').enumerate();
    let quoted = parts.map(|(part, text)| match part % 2 {
        0 => text.to_owned(),
        _ => format!("\\(oq{}\\(cq", text.replace('-', "\\-")),
    });
    quoted.collect()
}

/// `--email <EMAIL>` in the language of manual pages.
fn macros(usage: &str) -> String {
    let words = usage.split(' ').map(|word| match word.strip_prefix("--") {
        Some(option) => format!("Fl Fl {option}"),
        None => format!("Ar {}", word.trim_matches(['<', '>', '[', ']']).to_lowercase()),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn commands() -> Vec<Command> {
    let site = Appliance::configured("");
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = site.run(&arguments).ok();
        let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let Some(listed) = listed else {
            found.push(Command::new(&words, help));
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
             {words} ..\"` to it in src/cli/arguments.rs. Its help is:\n{help}"
        );
    }
    let site = Appliance::configured("");
    assert!(site.run(&["--help"]).ok().contains("Examples:"));
    assert!(site.run(&["--version"]).ok().starts_with("domicile "));
}

const MANUAL: &str = "packaging/man/domicile.8";

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The descriptions of commands in the manual page, by their first lines.
fn in_the_manual() -> BTreeMap<String, String> {
    let manual = document(MANUAL);
    let section = manual.split(".Sh COMMANDS\n").nth(1).unwrap().split(".Sh ").next().unwrap();
    let mut described: BTreeMap<String, String> = BTreeMap::new();
    let mut heading = String::new();
    for line in section.lines() {
        if line.starts_with(".It Cm ") {
            line.clone_into(&mut heading);
            described.insert(heading.clone(), String::new());
        } else if let Some(text) = described.get_mut(&heading) {
            writeln!(text, "{line}").unwrap();
        }
    }
    described
}

#[test]
fn the_manual_page_describes_every_command_with_its_arguments() {
    let mut described = in_the_manual();
    let mut faults = String::new();
    for command in commands() {
        let (heading, list) = (command.heading(), command.list());
        let text = described.remove(&heading);
        // An item without prose says less than the list of commands in the help.
        let is_described = text.as_ref().is_some_and(|text| !text.is_empty() && !text.starts_with(".Bl"));
        if !is_described || !text.is_some_and(|text| text.contains(&list)) {
            let about = sentences(command.help.lines().next().unwrap_or_default()).replace(". ", ".\n");
            write!(faults, "{heading}\n{about}\n{list}").unwrap();
        }
    }
    assert!(
        faults.is_empty(),
        "{MANUAL} lacks these commands, or describes other arguments of them. What it should say, with more prose where \
         it helps:\n\n{faults}"
    );
    assert!(described.is_empty(), "{MANUAL} describes commands that the program does not have: {described:#?}");
}

#[test]
fn the_manual_page_names_no_other_options() {
    let commands = commands();
    let known: BTreeSet<&str> = commands.iter().flat_map(Command::options).chain(COMMON).collect();
    let manual = document(MANUAL);
    let words: Vec<&str> = manual.split_whitespace().collect();
    let named = words.windows(3).filter(|words| words[..2] == ["Fl", "Fl"] || words[..2] == [".Fl", "Fl"]);
    let unknown: Vec<_> = named.map(|words| words[2]).filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{MANUAL} names options that the program does not have: {unknown:?}");
    for common in ["config", "json"] {
        assert!(manual.contains(&format!(".It Fl Fl {common}")), "{MANUAL} does not describe --{common}");
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
            let rest = &line[at + name.len()..];
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
