//! The manual pages and the completions, which the program makes of its own description.

use std::path::Path;
use std::process::{Command, Stdio};

use super::commands::commands;
use crate::architecture::files_under;
use crate::support::{Appliance, tool};

/// The output of a program for these arguments, and whether it succeeded.
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tool(program)).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

#[test]
fn each_command_has_a_page_and_a_strict_reader_finds_no_fault() {
    let site = Appliance::configured("");
    let folder = site.folder().join("man");
    site.run(&["man", "--folder", folder.to_str().unwrap()]).ok();
    let program = std::fs::read_to_string(folder.join("domicile.8")).unwrap();
    for command in commands() {
        assert!(program.contains(&format!("\n.It Cm {}", command.words)), "{}", command.words);
        let words: Vec<&str> = std::iter::once("man").chain(command.words.split(' ')).collect();
        let page = site.run(&words).ok();
        let file = folder.join(format!("domicile-{}.8", command.words.replace(' ', "-")));
        assert_eq!(page, std::fs::read_to_string(file).unwrap().trim_end());
        for option in command.options().filter(|name| !["config", "json", "help", "version"].contains(name)) {
            assert!(page.contains(&format!(".It Fl Fl {option}")), "{} --{option}: {page}", command.words);
        }
    }
    let pages: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let chapters = files_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/manual"), "md");
    for chapter in &chapters {
        let name = chapter.file_stem().unwrap().to_str().unwrap();
        let name = if name == "index" { "domicile-manual".to_owned() } else { format!("domicile-manual-{name}") };
        let text = std::fs::read_to_string(folder.join(format!("{name}.7"))).unwrap();
        assert!(text.contains("\n.Sh DESCRIPTION\n") && text.len() > 500, "{text}");
    }
    assert_eq!(pages.len(), commands().len() + 1 + chapters.len());
    let pages: Vec<&str> = pages.iter().map(|path| path.to_str().unwrap()).collect();
    let (is_clean, faults) = run("mandoc", &[&["-T", "lint", "-W", "warning"], &pages[..]].concat());
    assert!(is_clean, "{faults}");
}

#[test]
fn completions_are_loaded_by_each_shell_and_offer_the_commands() {
    let site = Appliance::configured("");
    let path = |shell: &str| site.folder().join(format!("completions.{shell}")).display().to_string();
    for shell in ["bash", "zsh", "fish"] {
        std::fs::write(path(shell), site.run(&["completions", shell]).ok()).unwrap();
    }
    let bash = format!(
        "source {}; COMP_WORDS=(domicile service ''); COMP_CWORD=2; _domicile domicile '' service; echo \"${{COMPREPLY[@]}}\"",
        path("bash")
    );
    let fish = format!("source {}; complete --do-complete 'domicile service '", path("fish"));
    let zsh = format!(
        "autoload -U compinit && compinit -u -d {}.dump; source {}; functions _domicile",
        path("zsh"),
        path("zsh")
    );
    for (shell, arguments, expected) in [
        ("bash", vec!["--norc", "-c", &bash], "rotate"),
        ("fish", vec!["--no-config", "-c", &fish], "rotate"),
        ("zsh", vec!["-f", "-c", &zsh], "_domicile"),
    ] {
        let (is_done, text) = run(shell, &arguments);
        assert!(is_done && text.contains(expected) && !text.contains("rehearse"), "{shell}: {text}");
    }
    let manual = site.run(&["man", "nothing"]);
    assert_eq!((manual.status, manual.stdout.as_str()), (2, ""), "{manual:?}");
    assert!(manual.stderr.contains("domicile --help"), "{manual:?}");
}
