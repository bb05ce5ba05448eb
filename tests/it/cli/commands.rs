//! Every command, as `--help` lists them: each has an example, and the manual page names it.

use std::collections::BTreeSet;

use crate::support::Appliance;

/// The commands without subcommands, each with its words (`account create`) and its help.
fn commands(site: &Appliance) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = site.run(&arguments).ok();
        let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let Some(listed) = listed else {
            found.push((words, help));
            continue;
        };
        let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        open.extend(names.map(|name| words.iter().cloned().chain([name.to_owned()]).collect()));
    }
    found.sort();
    found
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let site = Appliance::configured("");
    let commands = commands(&site);
    assert!(commands.len() > 25, "{commands:?}");
    for (words, help) in commands {
        let command = words.join(" ");
        let examples = help.split("Example").nth(1).unwrap_or_default();
        assert!(
            examples.contains(&format!("domicile {command}")),
            "`domicile {command} --help` has no example of the command: add `after_help = \"Example:\\n  domicile \
             {command} ..\"` to it in src/cli/arguments.rs. Its help is:\n{help}"
        );
    }
    assert!(site.run(&["--help"]).ok().contains("Examples:"));
    assert!(site.run(&["--version"]).ok().starts_with("domicile "));
}

/// The commands that the manual page describes: `.It Cm key Cm create | list` names `key create` and `key list`.
fn in_the_manual() -> BTreeSet<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/man/domicile.8")).unwrap();
    let mut named = BTreeSet::new();
    for item in page.lines().filter_map(|line| line.strip_prefix(".It Cm ")) {
        let words: Vec<&str> = item.split(' ').collect();
        match words[..] {
            [group, "Cm", ref rest @ ..] => {
                let first = rest.iter().take(1);
                let alternatives = rest.windows(2).filter(|pair| pair[0] == "|").map(|pair| &pair[1]);
                let verbs = first.chain(alternatives.filter(|verb| verb.starts_with(char::is_lowercase)));
                named.extend(verbs.map(|verb| format!("{group} {verb}")));
            }
            [command, ..] => drop(named.insert(command.to_owned())),
            [] => {}
        }
    }
    named
}

#[test]
fn the_manual_page_names_every_command_and_no_other() {
    let site = Appliance::configured("");
    let known: BTreeSet<String> = commands(&site).into_iter().map(|(words, _)| words.join(" ")).collect();
    let named = in_the_manual();

    let missing: Vec<_> = known.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&known).collect();

    assert!(
        missing.is_empty(),
        "packaging/man/domicile.8 lacks {missing:?}: add them to `.It Cm` lines with a sentence each"
    );
    assert!(unknown.is_empty(), "packaging/man/domicile.8 describes {unknown:?}, which the program does not have");
}
