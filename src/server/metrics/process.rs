//! The process itself, under the names that every Prometheus exporter uses.

use std::path::Path;
use std::sync::atomic::Ordering;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

use super::exposition::Exposition;
use super::{families as f, values};
use crate::app::App;
use crate::base::Timestamp;

/// Where the kernel describes this process.
const SELF: &str = "/proc/self/";

/// Adds what the kernel says about this process. What it does not say is left out.
pub(super) fn add(text: &mut Exposition, app: &App) {
    let started = Timestamp::from_millis(app.metrics().started_at.load(Ordering::Relaxed));
    text.family(&f::START);
    text.value(f::START.name, &[], values::in_seconds(started));
    text.family(&f::CPU);
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
        let micros: i64 = micros.iter().sum();
        text.value(f::CPU.name, &[], format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
    }
    let status = std::fs::read_to_string(Path::new(SELF).join("status")).unwrap_or_default();
    for (family, name) in [(&f::RSS, "VmRSS:"), (&f::VIRTUAL, "VmSize:")] {
        text.family(family);
        let kib =
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
        if let Some(kib) = kib {
            text.value(family.name, &[], kib * 1024);
        }
    }
    text.family(&f::OPEN_FILES);
    if let Ok(open) = std::fs::read_dir(Path::new(SELF).join("fd")) {
        text.value(f::OPEN_FILES.name, &[], open.count());
    }
    text.family(&f::OPEN_FILES_MAX);
    if let Ok((max, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        text.value(f::OPEN_FILES_MAX.name, &[], max);
    }
}
