//! `domicile serve`.

use std::fs::File;
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};

use super::arguments::Common;
use super::context;
use super::failure::{Exit, Failure};
use crate::app::App;
use crate::base::Problem;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::Layout;
use crate::jobs::NewJob;
use crate::server::{self, Fatal, Served};
use crate::{api_keys, jobs, privacy, snapshots};

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    log_to_stderr();
    let config = context::config(common)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let keyring = context::keyring(&config)?;
    context::become_owner(&config.data_dir)?;
    run_with(config, keyring, |_| Ok(()))
}

/// Serves an appliance; `before` runs once it is open and before it listens.
pub(super) fn run_with(
    config: Config,
    keyring: Keyring,
    before: impl FnOnce(&Arc<App>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Before anything is opened: a start that is refused writes nothing.
    server::check_tls(&config).map_err(|error| Failure::configuration(error.to_string()))?;
    let layout = Layout::new(&config.data_dir);
    let _lock = lock(&layout)?;
    let fatal = Arc::new(Fatal::default());
    let told = fatal.clone();
    let on_fatal = Box::new(move |error: &crate::db::Error| {
        tracing::error!(%error, "A write failed for good: the server stops, so that nothing false is answered.");
        told.report();
    });
    let app = context::open_with(config, keyring, on_fatal)?;
    privacy::tombstones::catch_up(&app)?;
    snapshots::clean_up(&layout).map_err(|error| Failure::configuration(format!("{error}.")))?;
    if let Some(keys) = app.use_newest_keys()? {
        tracing::info!(pepper = keys.pepper, data_key = keys.data_key, "New keys of the keyring are in use.");
        let queued = app.store().write_blocking(|tx| jobs::enqueue(tx, NewJob::once(api_keys::RESEAL)));
        queued.map_err(|error: crate::db::Error| Problem::from(error))?;
    }
    before(&app)?;
    match server::serve_and_wait(app, fatal) {
        Ok(Served::Stopped) => Ok(()),
        Ok(Served::WriteFailed) => Err(Failure {
            sentence: "a write failed, so the server stopped. Check the disk; what was acknowledged is safe.".into(),
            exit: Exit::Io,
        }),
        Err(error) => Err(Failure::configuration(error.to_string())),
    }
}

/// Only one server on a folder. The lock goes with the process, however it ends.
fn lock(layout: &Layout) -> Result<Option<Flock<File>>, Failure> {
    if !layout.live_dir().exists() {
        return Ok(None);
    }
    let path = layout.lock();
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(|error| {
        Failure::configuration(format!(
            "{} cannot be written: {error}. Mount the folder writable and give it to the person who runs the server.",
            path.display()
        ))
    })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Some).map_err(|_| {
        Failure::configuration(format!(
            "another server is running on {}. Stop it first, or give this one a data_dir of its own.",
            layout.root().display()
        ))
    })
}

/// Logs go to stderr, where systemd takes them up; `RUST_LOG` narrows or widens them. Colour is for people at a terminal
/// who did not ask for none (no-color.org).
pub(super) fn log_to_stderr() {
    use std::io::IsTerminal;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| QUIET_GUESTS.into());
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second installation in one process keeps the first.
    let _ = log.with_target(false).with_ansi(colour).try_init();
}

/// What we say ourselves, and of our libraries what went wrong.
const QUIET_GUESTS: &str = "warn,domicile=info";
