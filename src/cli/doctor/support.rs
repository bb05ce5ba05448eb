//! The text for support: what is known about the appliance, without secrets and without data of people.

use std::fmt::Write;

use super::Check;
use crate::base::Clock;
use crate::cli::arguments::Common;
use crate::cli::{context, status};

pub(super) fn text(common: &Common, checks: &[Check]) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let system = read("/etc/os-release");
    let system =
        system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown").trim_matches('"');
    let kernel = read("/proc/sys/kernel/osrelease");
    let mut text = format!(
        "Domicile support text. It has no passwords, keys or names of people; read it before you send it.\n\nmade      {}\nversion   {}\n",
        Clock::system().now().rfc3339(),
        env!("CARGO_PKG_VERSION")
    );
    for (name, version) in status::versions() {
        let _ = writeln!(text, "{name:<9} {version}");
    }
    let _ = writeln!(text, "system    {system}, Linux {}, {} processors", kernel.trim(), cores());
    text.push_str("\nChecks\n");
    for check in checks {
        let _ = writeln!(text, "{}", check.to_text());
    }
    if let Ok(config) = context::config(common) {
        text.push_str("\nSettings\n");
        for (name, value) in config.describe() {
            let _ = writeln!(text, "{name:<14} {value}");
        }
    }
    text
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
