//! `domicile doctor`: checks the appliance and everything around it, and names the cause and the cure of each fault.
//! Changes nothing, and needs no server.

mod mail;
mod network;
mod own;
mod proxy;
mod stored;
mod support;

pub(super) use stored::journal_fault;

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::Common;
use super::context;
use super::failure::{Exit, Failure};
use super::output::{out, print, tell};
use crate::app::{App, OpenError};
use crate::base::Clock;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::{FileCopy, Layout, MIGRATIONS_COUNT};

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    /// It works, and may not for long, or not for everybody.
    Warning,
    Failed,
    /// It could not be checked, or there is nothing to check.
    Skipped,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check and its result.
#[derive(Clone, Debug)]
pub(super) struct Check {
    name: &'static str,
    state: State,
    /// What was found, without secrets.
    cause: String,
    /// What to do. Empty: nothing.
    cure: String,
}

impl Check {
    fn ok(name: &'static str, cause: impl Into<String>) -> Self {
        Self { name, state: State::Ok, cause: cause.into(), cure: String::new() }
    }

    fn warning(name: &'static str, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, state: State::Warning, cause: cause.into(), cure: cure.into() }
    }

    fn failed(name: &'static str, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, state: State::Failed, cause: cause.into(), cure: cure.into() }
    }

    fn skipped(name: &'static str, cause: impl Into<String>) -> Self {
        Self { name, state: State::Skipped, cause: cause.into(), cure: String::new() }
    }

    /// A refusal of the program: its first sentence is the cause, the rest the cure.
    fn refused(name: &'static str, failure: &Failure) -> Self {
        let text = failure.sentence.trim();
        let end = text.find(". ").map(|at| at + 1);
        let (cause, cure) = end.map_or((text, "Run: domicile check"), |at| text.split_at(at));
        Self::failed(name, cause.trim(), cure.trim())
    }

    fn to_json(&self) -> Value {
        json!({"name": self.name, "state": self.state.as_str(), "cause": self.cause, "cure": self.cure})
    }

    fn to_text(&self) -> String {
        let cure = if self.cure.is_empty() { String::new() } else { format!("\n         -> {}", self.cure) };
        format!("{:<8} {}: {}{cure}", self.state.as_str(), self.name, self.cause.replace('\n', "\n         "))
    }
}

/// Makes all checks and prints them, or writes a text for support.
pub(super) fn run(common: &Common, support: Option<&Path>) -> Result<(), Failure> {
    let checks = check_all(common);
    if let Some(file) = support {
        let text = support::text(common, &checks);
        if file == Path::new("-") {
            return if common.json { out!("{}", json!({"support": text})) } else { print(text.trim_end()) };
        }
        std::fs::write(file, text)
            .map_err(|error| Failure::refused(format!("{} cannot be written: {error}.", file.display())))?;
        return if common.json { out!("{}", json!({"file": file})) } else { out!("{}", file.display()) };
    }
    let of_state = |state: State| checks.iter().filter(|check| check.state == state).count();
    let (failed, warnings) = (of_state(State::Failed), of_state(State::Warning));
    let list: Vec<_> = checks.iter().map(Check::to_json).collect();
    if !common.json {
        print(&checks.iter().map(Check::to_text).collect::<Vec<_>>().join("\n"))?;
    }
    let sentence = match (failed, warnings) {
        (0, 0) => "Nothing is at fault.".to_owned(),
        (failed, warnings) => format!("Checks that failed: {failed}; warnings: {warnings}."),
    };
    match (failed, common.json) {
        (0, true) => out!("{}", json!({"checks": list})),
        (0, false) => {
            tell!("{sentence}");
            Ok(())
        }
        _ => {
            let failure = Failure::new(Exit::Refused, sentence).with_code("checks_failed");
            Err(failure.with_detail("checks", list.into()))
        }
    }
}

fn check_all(common: &Common) -> Vec<Check> {
    let mut checks = vec![own::unit(common)];
    let config = match context::config(common) {
        Ok(config) => config,
        Err(failure) => {
            checks.insert(
                0,
                Check::failed("configuration", failure.sentence, "Correct these lines, then run: domicile check"),
            );
            return checks;
        }
    };
    checks.insert(0, own::configuration(common, &config));
    checks.push(own::settings_file(common));
    let keyring = context::keyring(&config);
    checks.push(match &keyring {
        Ok(_) => Check::ok("keyring", config.keyring.display().to_string()),
        Err(failure) => Check::refused("keyring", failure),
    });
    // As the server does: files of its folder are read and judged as their owner.
    if let Err(failure) = context::drop_privileges(&config.data_dir) {
        checks.push(Check::refused("files", &failure));
    }
    let layout = Layout::new(&config.data_dir);
    checks.push(own::settings_readable(common));
    checks.push(own::files(&layout));
    checks.push(own::file_system(&layout));
    checks.push(own::disk(&layout));
    checks.push(own::memory(&config));
    let database = match keyring {
        Ok(keyring) => open(&config, keyring).map_err(|failure| Check::refused("database", &failure)),
        Err(_) => Err(Check::skipped("database", "it cannot be opened without the keyring")),
    };
    match &database {
        Ok(database) => checks.extend(stored::all(&layout, database)),
        Err(check) => checks.push(check.clone()),
    }
    checks.push(own::server(&config));
    checks.push(network::clock(&config));
    checks.push(network::authorities());
    checks.extend(network::all(&config));
    checks.push(proxy::check(&config, database.as_ref().ok().map(|database| &database.site().keyring)));
    checks.push(mail::check(&config));
    checks.extend(network::outgoing(&config));
    checks
}

/// A copy of the database for reading.
fn open(config: &Config, keyring: Keyring) -> Result<FileCopy, Failure> {
    let database = App::check(config.clone(), keyring, Clock::system().now())?;
    let schema = database.schema_version().map_err(OpenError::Db)?;
    if schema < MIGRATIONS_COUNT {
        return Err(Failure::refused(format!(
            "the database has schema {schema}, and this program needs {MIGRATIONS_COUNT}. The next start upgrades it: systemctl restart domicile"
        )));
    }
    Ok(database)
}
