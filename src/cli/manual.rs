//! `domicile man` and `domicile completions`: manual pages in mdoc(7), and completions, from the description of the command
//! line. `packaging/man/domicile.8` has the sections that are written by hand. The chapters of the manual are pages too.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use serde_json::json;

use super::arguments::{Arguments, Common, Shell};
use super::failure::Failure;
use super::output::{out, print};
use crate::server;

/// The page of the program, without the description of the commands.
const PAGE: &str = include_str!("../../packaging/man/domicile.8");
/// The beginning of the line of [`PAGE`] that stands for the commands.
const MARKER: &str = ".\\\" COMMANDS";

/// Prints a page, or writes all of them.
pub(super) fn man(common: &Common, words: &[String], folder: Option<&Path>) -> Result<(), Failure> {
    let pages = pages();
    if let Some(folder) = folder {
        let cannot_write = |path: &Path, error: &std::io::Error| {
            Failure::refused(format!("{} cannot be written: {error}.", path.display()))
        };
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        for Page { name, section, text } in &pages {
            let path = folder.join(format!("{name}.{section}"));
            std::fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
        }
        let names: Vec<_> = pages.iter().map(|page| &page.name).collect();
        return if common.json { out!("{}", json!({"pages": names})) } else { out!("{}", folder.display()) };
    }
    let name = std::iter::once("domicile").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let Some(Page { text, .. }) = pages.iter().find(|page| page.name == name) else {
        return Err(Failure::configuration(format!(
            "there is no command `{}` with a page of its own. `domicile --help` lists the commands.",
            words.join(" ")
        ))
        .with_code("usage"));
    };
    if common.json { out!("{}", json!({"page": text})) } else { print(text.trim_end()) }
}

/// Prints the completions for a shell.
pub(super) fn completions(common: &Common, shell: Shell) -> Result<(), Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible_commands(), "domicile", &mut script);
    let script = String::from_utf8_lossy(&script);
    if common.json { out!("{}", json!({"script": script})) } else { print(script.trim_end()) }
}

/// The command line without its hidden commands, which completions would offer.
fn visible_commands() -> Command {
    let program = Arguments::command();
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new("domicile").args(program.get_arguments()).subcommands(visible)
}

/// A manual page.
struct Page {
    /// `domicile-account-create`
    name: String,
    /// 8: commands of an admin. 7: everything else.
    section: u8,
    text: String,
}

/// All pages: the one of the program, one for each command, and the chapters of the manual.
fn pages() -> Vec<Page> {
    let mut program = Arguments::command();
    program.build();
    let mut commands = Vec::new();
    collect(&program, &mut Vec::new(), &mut commands);
    let date = PAGE.lines().find(|line| line.starts_with(".Dd ")).unwrap_or(".Dd");
    let list: String = commands.iter().map(|(words, command)| item(words, command)).collect();
    let page: String =
        PAGE.split_inclusive('\n').map(|line| if line.starts_with(MARKER) { list.as_str() } else { line }).collect();
    let of_commands = commands
        .iter()
        .map(|(words, command)| (format!("domicile-{}", words.replace(' ', "-")), page_of(words, command, date)));
    let for_admins = std::iter::once(("domicile".to_owned(), page)).chain(of_commands);
    let for_admins = for_admins.map(|(name, text)| Page { name, section: 8, text });
    for_admins
        .chain(server::manual_chapters(date).into_iter().map(|(name, text)| Page { name, section: 7, text }))
        .collect()
}

/// The commands without subcommands, with their words: `account create`.
fn collect<'a>(command: &'a Command, words: &mut Vec<&'a str>, found: &mut Vec<(String, &'a Command)>) {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        words.push(inner.get_name());
        if inner.has_subcommands() {
            collect(inner, words, found);
        } else {
            found.push((words.join(" "), inner));
        }
        words.pop();
    }
}

/// The arguments of its own, not those of every command.
fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !argument.is_global_set() && !is_of_every_command(argument))
}

fn is_of_every_command(argument: &Arg) -> bool {
    ["help", "version", "config", "json"].contains(&argument.get_id().as_str())
}

/// The description of a command in the page of the program.
fn item(words: &str, command: &Command) -> String {
    let required = own_arguments(command).filter(|argument| argument.is_required_set());
    let mut heading = format!(".It Cm {words}");
    required.for_each(|argument| heading.push_str(&format!(" {}", macros(argument))));
    if own_arguments(command).any(|argument| !argument.is_required_set()) {
        heading.push_str(" Op Ar option ...");
    }
    format!("{heading}\n{}{}", about(command), list_of_arguments(command))
}

fn page_of(words: &str, command: &Command, date: &str) -> String {
    let name = format!("domicile-{}", words.replace(' ', "-"));
    let summary = command.get_about().map(ToString::to_string).unwrap_or_default();
    let summary = summary.split(['.', ':', ';']).next().unwrap_or_default();
    let synopsis: String = own_arguments(command)
        .map(|argument| match argument.is_required_set() {
            true => format!(".{}\n", macros(argument)),
            false => format!(".Op {}\n", macros(argument)),
        })
        .collect();
    let list = list_of_arguments(command);
    let examples: String = examples(command).iter().map(|line| format!("{}\n", literal(line))).collect();
    format!(
        "{date}\n.Dt {upper} 8\n.Os Domicile\n.Sh NAME\n.Nm {name}\n.Nd {summary}\n.Sh SYNOPSIS\n.Nm domicile {words}\n\
         {synopsis}.Sh DESCRIPTION\n{about}{list}.Pp\nThe options of every command and the exit status are in\n\
         .Xr domicile 8 .\n.Sh EXAMPLES\n.Bd -literal\n{examples}.Ed\n.Sh SEE ALSO\n.Xr domicile 8\n",
        upper = name.to_uppercase(),
        summary = prose(summary).trim_end(),
        about = about(command),
    )
}

/// What the command does: its description, and what its help says after the options, without the examples.
fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let more = more.split("\n\n").filter(|part| !part.starts_with("Example")).map(prose);
    let mut text = prose(&about);
    more.for_each(|part| text.push_str(&part));
    text
}

fn examples(command: &Command) -> Vec<String> {
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = more.split("\n\n").find(|part| part.starts_with("Example")).unwrap_or_default().lines().skip(1);
    lines.map(|line| line.trim_start().to_owned()).collect()
}

fn list_of_arguments(command: &Command) -> String {
    let mut list = String::new();
    for argument in own_arguments(command) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(list, ".It {}\n{}", macros(argument), prose(&help));
        let is_flag = !argument.get_action().takes_values();
        if let Some(default) =
            argument.get_default_values().first().filter(|_| !is_flag && !argument.is_hide_default_value_set())
        {
            let _ = writeln!(list, "Default: {}.", default.to_string_lossy());
        }
        let choices = argument.get_possible_values();
        if !is_flag && !choices.is_empty() {
            let names: Vec<_> = choices.iter().map(|choice| choice.get_name()).collect();
            let _ = writeln!(list, "One of: {}.", names.join(", "));
        }
    }
    if list.is_empty() { list } else { format!(".Bl -tag -width Ds\n{list}.El\n") }
}

/// `--email <EMAIL>` in the language of manual pages.
fn macros(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_lowercase());
    let value = value.filter(|_| argument.get_action().takes_values());
    let name = argument.get_long().map(|long| format!("Fl Fl {long}"));
    let several = if argument.is_positional() && argument.get_num_args().is_some_and(|range| range.max_values() > 1) {
        " ..."
    } else {
        ""
    };
    let value = value.map(|value| format!("Ar {value}{several}"));
    name.into_iter().chain(value).collect::<Vec<_>>().join(" ")
}

/// Sentences as lines of a manual page, one on each. What is between backticks is quoted.
fn prose(text: &str) -> String {
    let quoted = text.split('`').enumerate().map(|(part, text)| match part % 2 {
        0 => text.replace('\\', "\\e"),
        _ => format!("\\(oq{}\\(cq", text.replace('\\', "\\e").replace('-', "\\-")),
    });
    let mut text = quoted.collect::<String>().replace(". ", ".\n");
    if !text.ends_with(['.', '\n', ':']) {
        text.push('.');
    }
    text.lines()
        .map(|line| format!("{}\n", if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }))
        .collect()
}

/// A line of an example.
fn literal(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}
