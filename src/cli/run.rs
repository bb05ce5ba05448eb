//! Runs a command and turns its outcome into an exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::{Arguments, Command};
use super::failure::Failure;
use super::output::print;
use super::{
    audit, backup, check, demo, doctor, erasures, health, inbox, init, keys, log, mail, maintenance, manual, people,
    resources, restore, serve, services, site, status, vouchers,
};

/// Runs one command. Answers its exit status: 0 done, 1 refused or failed, 2 usage or configuration, 3 damage found, 74
/// I/O error while serving.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return end(explain(&error, is_json), is_json),
    };
    // Only the owner can read the files that this program creates, even if the folder allows more.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    // If a provider is installed already, rustls refuses this one, and nothing changes.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !matches!(arguments.command, Command::Serve | Command::Demo { .. }) {
        log::start_for_command(&arguments.common.config);
    }
    end(dispatch(&arguments), is_json)
}

/// Prints the help that was asked for, or what is wrong with the arguments.
fn explain(error: &clap::Error, is_json: bool) -> Result<(), Failure> {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return print(text.trim_end());
    }
    if !is_json && error.exit_code() == 2 {
        // With colours at a terminal. If nobody can read it, the exit status says it.
        let _ = error.print();
    }
    // The usage that follows is for people.
    let sentence = text.split("\n\nUsage:").next().unwrap_or_default().trim_start_matches("error: ");
    Err(Failure { is_told: !is_json, ..Failure::configuration(sentence).with_code("usage") })
}

/// Prints a failure, and turns the outcome into an exit status.
fn end(outcome: Result<(), Failure>, is_json: bool) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if failure.is_closed_pipe {
        return ExitCode::SUCCESS;
    }
    if is_json {
        // If it cannot be printed, the exit status says it.
        let _ = print(&failure.to_json().to_string());
    } else if !failure.is_told {
        log::report_failure(&failure);
    }
    ExitCode::from(failure.exit as u8)
}

fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Demo { port } => demo::run(common, *port),
        Command::Init { region, public_url } => init::run(common, region.as_deref().zip(public_url.as_deref())),
        Command::Check => check::run(common),
        Command::Serve => serve::run(common),
        Command::Account { command } => people::account(common, command),
        Command::Key { command } => keys::key(common, command),
        Command::Service { command } => services::service(common, command),
        Command::Inbox { command } => inbox::inbox(common, command),
        Command::Erasure { command } => erasures::erasure(common, command),
        Command::Resource { command } => resources::resource(common, command),
        Command::Mail { command } => mail::mail(common, command),
        Command::Credit { command } => site::credit(common, command),
        Command::Voucher { command } => vouchers::voucher(common, command),
        Command::Ledger { command } => site::ledger(common, command),
        Command::Audit { command } => audit::audit(common, command),
        Command::Snapshot { command } => site::snapshot(common, command),
        Command::Keyring { command } => site::keyring(common, command),
        Command::Clock { command } => site::clock(common, command),
        Command::Verify { file } => site::verify(common, file),
        Command::Backup { dest } => backup::run(common, dest),
        Command::Restore(arguments) => restore::run(common, arguments),
        Command::Drill => maintenance::drill(common),
        Command::RehearseRestore { region, folder } => maintenance::rehearse(region, folder),
        Command::Doctor { support } => doctor::run(common, support.as_deref()),
        Command::Status => status::run(common),
        Command::Healthcheck { url } => health::run(common, url.as_deref()),
        Command::Completions { shell } => manual::completions(common, *shell),
        Command::Man { command, folder } => manual::man(common, command, folder.as_deref()),
    }
}
