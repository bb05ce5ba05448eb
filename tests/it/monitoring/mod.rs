//! What an admin sees of a running appliance: the log, the metrics, and what the package has for Prometheus, Grafana and
//! fail2ban.

mod logs;
mod metrics;
mod rules;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of `packaging`.
fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The command with its input and both outputs given to the test.
pub fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
}
