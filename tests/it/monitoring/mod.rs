//! What an admin sees of a running appliance: the log, the metrics, and what the package has for Prometheus, Grafana and
//! fail2ban.

mod logs;
mod metrics;
mod rules;

use std::path::{Path, PathBuf};

/// A file of `packaging`.
fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}
