//! Runs a command and turns its outcome into an exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::{Arguments, Command};
use super::failure::Failure;
use super::{backup, check, demo, health, init, keys, log, maintenance, people, restore, serve, site, status};

/// Runs one command. Answers its exit status: 0 done, 1 refused or failed, 2 usage or configuration, 3 damage found, 74
/// I/O error while serving.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_help = !error.use_stderr();
            // clap prints help on stdout and errors on stderr.
            let _ = error.print();
            return ExitCode::from(if is_help { 0 } else { 2 });
        }
    };
    // Only the owner can read the files that this program creates, even if the folder allows more.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    // If a provider is installed already, rustls refuses this one, and nothing changes.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !matches!(arguments.command, Command::Serve | Command::Demo { .. }) {
        log::start_for_command(&arguments.common.config);
    }
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::report_failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Demo { port } => demo::run(*port),
        Command::Init { region, public_url } => init::run(common, region.as_deref().zip(public_url.as_deref())),
        Command::Check => check::run(common),
        Command::Serve => serve::run(common),
        Command::Account { command } => people::account(common, command),
        Command::Key { command } => keys::key(common, command),
        Command::Service { command } => site::service(common, command),
        Command::Credit { command } => site::credit(common, command),
        Command::Ledger { command } => site::ledger(common, command),
        Command::Audit { command } => site::audit(common, command),
        Command::Snapshot { command } => site::snapshot(common, command),
        Command::Keyring { command } => site::keyring(common, command),
        Command::Clock { command } => site::clock(common, command),
        Command::Verify { file } => site::verify(common, file),
        Command::Backup { dest } => backup::run(common, dest),
        Command::Restore(arguments) => restore::run(common, arguments),
        Command::Drill => maintenance::drill(common),
        Command::RehearseRestore { region, folder } => maintenance::rehearse(region, folder),
        Command::Status => status::run(common),
        Command::Healthcheck => health::run(common),
    }
}
