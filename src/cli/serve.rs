//! `domicile serve`.

mod previous;

use std::fs::File;
use std::sync::Arc;

use super::arguments::Common;
use super::context;
use super::failure::{Exit, Failure};
use super::log;
use crate::app::App;
use crate::base::{Clock, Problem};
use crate::config::{Config, UnitLimits, unit_warnings};
use crate::crypto::Keyring;
use crate::db::Layout;
use crate::jobs::NewJob;
use crate::journal::Extent;
use crate::maintenance::{self, UpgradeBy};
use crate::server::{self, Fatal, ReadSettings, ServeOutcome};
use crate::{api_keys, clock, db, jobs, snapshots};
use previous::Previous;

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    ignore_hangup().map_err(|error| Failure::refused(format!("signals cannot be received: {error}.")))?;
    let config = context::config(common)?;
    let set_level = log::start(&config.log);
    for warning in config.warnings().into_iter().chain(unit_warnings(&config, &UnitLimits::find())) {
        tracing::warn!("{warning}");
    }
    let keyring = context::keyring(&config)?;
    context::drop_privileges(&config.data_dir)?;
    let common = common.clone();
    let settings = move || {
        let config = context::config(&common).map_err(|failure| failure.to_string())?;
        set_level(&config.log);
        Ok(config)
    };
    let previous = Previous::find(&config)?;
    let served = run_with(config, keyring, Some(Box::new(settings)), |_| Ok(()));
    served.map_err(|failure| match previous {
        Some(previous) => previous.serve_instead(failure),
        None => failure,
    })
}

/// From here on, SIGHUP does not end this process, also while it starts. The server handles it later.
fn ignore_hangup() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    // The handler stays when its stream is dropped.
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(drop)
}

/// Serves an appliance. `settings` reads the settings again, at SIGHUP. `before` runs after the appliance is open and before
/// the server listens.
pub(super) fn run_with(
    config: Config,
    keyring: Keyring,
    settings: Option<ReadSettings>,
    before: impl FnOnce(&Arc<App>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Before anything is opened, so that a refused start writes nothing.
    server::check_tls(&config).map_err(|error| Failure::configuration(error.to_string()))?;
    let layout = Layout::new(&config.data_dir);
    let _lock = lock(&layout)?;
    let fatal = Arc::new(Fatal::default());
    let reported = fatal.clone();
    let on_fatal = Box::new(move |error: &crate::db::Error| {
        tracing::error!(%error, "A write failed permanently; the server stops, so that it gives no false answers.");
        reported.report(error);
    });
    let app = context::open_with(config, keyring, UpgradeBy::Server, on_fatal)?;
    app.verify_journal(Extent::New)?;
    // Before anything compares a stored time with the clock.
    clock::begin(&app).map_err(Problem::from)?;
    app.write_journal()?;
    maintenance::clean_up(&layout).map_err(|error| Failure::configuration(format!("{error}.")))?;
    snapshots::clean_up(&layout).map_err(|error| Failure::configuration(format!("{error}.")))?;
    if let Some(keys) = app.use_newest_keys()? {
        tracing::info!(pepper = keys.pepper, data_key = keys.data_key, "The server now uses new keys of the keyring.");
        let queued = app.store().write_blocking(|tx| jobs::enqueue(tx, NewJob::once(api_keys::RESEAL)));
        queued.map_err(|error: crate::db::Error| Problem::from(error))?;
    }
    // A demonstration is never restored.
    if !app.config().demo
        && let Some(reminder) = app.query_inline(maintenance::escrow_reminder).map_err(Problem::from)?
    {
        tracing::warn!("{reminder}");
    }
    before(&app)?;
    let site = app.store().site().clone();
    match server::serve_and_wait(app, fatal, settings) {
        Ok(ServeOutcome::Stopped) => Ok(()),
        Ok(ServeOutcome::WriteFailed) => Err(write_failed()),
        Ok(ServeOutcome::Damaged) => Err(after_damage(&layout, &site)),
        Err(error) => Err(Failure::configuration(error.to_string())),
    }
}

fn write_failed() -> Failure {
    let sentence = "a write failed, so the server stopped. Check the disk; all acknowledged changes are safe.";
    Failure::new(Exit::Io, sentence)
}

/// SQLite says that the database is damaged also when a disk failed, so the file is read once more.
fn after_damage(layout: &Layout, site: &Arc<db::Site>) -> Failure {
    match snapshots::find_live_damage(layout, site, Clock::system().now()) {
        Some(damage) => Failure::damage(format!(
            "{} is damaged: {damage}. The server stopped. Run: {}",
            layout.live().display(),
            layout.restore_command()
        )),
        None => write_failed(),
    }
}

/// Locks the folder, so that only one server uses it. The lock ends with the process, however the process ends.
fn lock(layout: &Layout) -> Result<Option<File>, Failure> {
    if !layout.live_dir().exists() {
        return Ok(None);
    }
    let path = layout.lock();
    let taken = db::try_lock_file(&path).map_err(|error| {
        Failure::configuration(format!(
            "{error}. Mount the folder writable, and give it to the user that runs the server."
        ))
    })?;
    taken.map(Some).ok_or_else(|| {
        Failure::configuration(format!(
            "another server is running on {}. Stop it first, or give this server its own data_dir.",
            layout.root().display()
        ))
    })
}
