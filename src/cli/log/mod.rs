//! The log of the server: one event is one line on stderr, from where systemd collects it.
//!
//! `[log]` sets the level and the format, `RUST_LOG` the level of each part. In the journal each line begins with its
//! priority (sd-daemon(3)), and has no time, because the journal has its own.

mod format;
mod syslog;

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::failure::Failure;
use super::output::tell;
use crate::config::{DEFAULT_PATH, Log, LogFormat};
use format::{Lines, Style};
use syslog::Syslog;

/// What other people cause: requests that are no HTTP, TLS that fails. These libraries report it as errors and warnings. It
/// is logged at the level debug only.
const CAUSED_BY_OTHERS: [&str; 2] = ["actix_http", "rustls"];

/// Sets the level of the running log, unless `RUST_LOG` does.
pub(super) type SetLevel = Box<dyn Fn(&Log) + Send + Sync>;

/// Starts the log, before anything is logged. Panics are events too. If this process logs already, nothing changes.
pub(super) fn start(settings: &Log) -> SetLevel {
    let chosen = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let style = match settings.format {
        LogFormat::Json => Style::Json,
        LogFormat::Text => Style::Text,
    };
    let lines = Lines { style, has_priority: is_journal() };
    let colour = !lines.has_priority && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter(chosen.as_deref(), settings.level.as_str()));
    let log = log.with_writer(std::io::stderr).with_ansi(colour).event_format(lines).with_filter_reloading();
    let handle = log.reload_handle();
    if log.try_init().is_ok() {
        std::panic::set_hook(Box::new(report_panic));
    }
    // If another log runs, this one is gone, and there is nothing to set.
    Box::new(move |settings| drop(handle.reload(filter(chosen.as_deref(), settings.level.as_str()))))
}

/// `chosen`: the filter of `RUST_LOG`. Otherwise what this program reports at `level`, and warnings of its libraries.
fn filter(chosen: Option<&str>, level: &str) -> EnvFilter {
    let usual = format!("warn,domicile={level}");
    let text = chosen.unwrap_or(&usual);
    let filter = EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new(&usual));
    let shows_debug = filter.max_level_hint().is_some_and(|max| max >= tracing::level_filters::LevelFilter::DEBUG);
    let quiet = CAUSED_BY_OTHERS.iter().filter(|name| !shows_debug && !text.contains(**name));
    quiet.filter_map(|name| format!("{name}=off").parse().ok()).fold(filter, EnvFilter::add_directive)
}

/// Tells the log of the machine what an operator does at the command line, if it is about security. `config`: the settings
/// of the command; only those of the installed appliance are about this machine.
pub(super) fn start_for_command(config: &Path) {
    let Some(syslog) = Syslog::of_machine().filter(|_| config == Path::new(DEFAULT_PATH)) else { return };
    // A command that logs by itself has begun already.
    let _ = syslog.subscriber().try_init();
}

/// The place of a panic is enough to find it. Its words can contain what a person entered, so only words that stand in the
/// source are logged.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("see the place");
    tracing::error!(place, words, "A part of the program failed. This is a bug.");
}

/// Reports why `serve` does not start or did not go on. In the journal each line has the priority of an error.
pub(super) fn report_failure(failure: &Failure) {
    let priority = if is_journal() { "<3>" } else { "" };
    let text = format!("domicile: {failure}");
    text.lines().for_each(|line| tell!("{priority}{line}"));
}

/// Whether stderr is the journal (systemd.exec(5), `$JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let own = std::io::stderr().as_fd().try_clone_to_owned().and_then(|own| File::from(own).metadata());
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}
