//! Starts the server, serves, and stops it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, PayloadConfig, QueryConfig};
use actix_web::{App as Web, HttpServer, web};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::bounds::Bounds;
use super::fast_path::FastPath;
use super::listeners::{self, Listeners};
use super::middleware::Middleware;
use super::route::BODY_MAX;
use super::tls::Certificates;
use super::{frame, metrics, redirect, routes, tls};
use crate::app::App;
use crate::base::seconds;
use crate::config::Config;
use crate::db;
use crate::http::{Fault, ShutdownSignal, json};
use crate::inbox::{self, WaitingPolls};
use crate::jobs::Runner;
use crate::schedule::{self, Schedule};
use crate::services::Callers;
use crate::services::api::AckHandlers;
use crate::threads::{self, Cores};
use crate::tokens;
use crate::verification::Verifier;

/// How many seconds running requests have to end after a stop was requested.
const DRAIN_SECONDS: u64 = 10;
/// How many seconds a client has to send the head of its request.
const HEAD_SECONDS: u64 = 10;

/// How long no answer may have closed its connection before the rest is closed.
const QUIET: Duration = Duration::from_millis(200);
/// How often to wait for it. A client that needs more than this between two requests opens a new connection by itself.
const QUIET_CHECKS_MAX: usize = 10;

/// Why the server did not start, as one sentence for the admin.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServeError(pub String);

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServeOutcome {
    /// A signal stopped it.
    Stopped,
    /// A write failed permanently: exit status 74.
    WriteFailed,
    /// The writer met damage of the database: exit status 3, if a look at the file confirms it.
    Damaged,
}

/// Checks that the TLS files exist, can be read and belong together.
///
/// # Errors
/// The same [`ServeError`] that [`serve`] would return.
pub fn check_tls(config: &Config) -> Result<(), ServeError> {
    tls::check(config).map_err(ServeError)
}

/// Runs [`serve`] on this thread until the server ends.
///
/// # Errors
/// Those of [`serve`].
pub fn serve_and_wait(
    app: Arc<App>,
    fatal: Arc<Fatal>,
    settings: Option<ReadSettings>,
) -> Result<ServeOutcome, ServeError> {
    actix_web::rt::System::new().block_on(serve(app, fatal, settings))
}

/// Serves until a signal or a permanent write error stops it. The store reports such an error through `fatal`. `settings`
/// reads the settings again at SIGHUP; without it, SIGHUP stops the server too.
///
/// # Errors
/// [`ServeError`] when an address cannot be bound or the TLS files cannot be used.
pub async fn serve(
    app: Arc<App>,
    fatal: Arc<Fatal>,
    settings: Option<ReadSettings>,
) -> Result<ServeOutcome, ServeError> {
    let config = app.config();
    let certificates = Certificates::open(config, app.now()).map_err(ServeError)?;
    let verifier = Data::new(Verifier::new(app.clone()));
    let callers = Data::new(Callers::new(app.clone()));
    let shared = Data::new(app.clone());
    let polls = Data::new(WaitingPolls::default());
    let ack_handlers = Data::new(AckHandlers(schedule::ACK_HANDLERS));
    let page_frame = Data::new(frame::page_frame());
    let shutdown = Data::new(ShutdownSignal::default());
    let mut listeners = Listeners::take(config.listen.sockets()).map_err(ServeError)?;
    let workers = config.listen.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));

    let bounds = Bounds::new();
    let cores = Arc::new(Cores::for_workers(workers));
    let mut server = HttpServer::new({
        let (verifier, callers, shutdown) = (verifier.clone(), callers.clone(), shutdown.clone());
        let bounds = bounds.clone();
        move || {
            // Runs on the worker's own thread before its first request, once for each address.
            cores.pin_this_worker();
            db::receive_answers_here();
            let router = Web::new()
                .app_data(shared.clone())
                .app_data(verifier.clone())
                .app_data(callers.clone())
                .app_data(ack_handlers.clone())
                .app_data(polls.clone())
                .app_data(shutdown.clone())
                .app_data(page_frame.clone())
                .app_data(PayloadConfig::new(BODY_MAX))
                .app_data(query_config())
                .wrap(Middleware::new(Some(shared.get_ref().clone())))
                .configure(routes::configure)
                .default_service(web::to(super::pages::not_found));
            let stops = shutdown.get_ref().clone();
            FastPath::new(router, verifier.clone().into_inner(), callers.clone().into_inner(), stops, bounds.clone())
        }
    })
    .workers(workers)
    .max_connections(bounds.connections_of_worker(workers))
    .on_connect(move |stream, extensions| bounds.on_connect(stream, extensions))
    .client_request_timeout(seconds(HEAD_SECONDS))
    .shutdown_timeout(DRAIN_SECONDS)
    // `stop_in_order` handles them.
    .disable_signals()
    .server_hostname("domicile");
    for address in &config.listen.addresses {
        let socket = listeners.listen(address.socket).map_err(ServeError)?;
        let outcome = match certificates.as_ref().filter(|_| address.is_tls).map(Certificates::server_config) {
            Some(tls) => server.listen_rustls_0_23(socket, tls),
            None => server.listen(socket),
        };
        server = outcome.map_err(|error| ServeError(listeners::unusable(error)))?;
    }
    let redirect = redirect::server(&config.listen.redirect, &mut listeners, &config.public_url).map_err(ServeError)?;
    let are_kept = listeners.are_kept;
    let metrics = metrics::listen(&app).map_err(ServeError)?;
    // So the first verifier finds a signing key, and no request for the key set has to write.
    tokens::flows::ensure_signing_key(&app)
        .await
        .map_err(|error| ServeError(format!("The key that signs access tokens could not be created: {error}.")))?;
    // Before anything that a signal can interrupt.
    let signals = Signals::listen()?;
    let server = server.run();
    fatal.set_server(server.handle());
    let redirect_handle = redirect.as_ref().map(actix_web::dev::Server::handle);
    let _redirect = redirect.map(actix_web::rt::spawn);

    let _jobs: Vec<_> = Runner::for_each_queue(&app, schedule::JOB_HANDLERS)
        .into_iter()
        .map(|runner| tokio::spawn(runner.work()))
        .collect();
    let _webhooks = tokio::spawn(inbox::deliver_webhooks(app.clone()));
    let schedule = Schedule::new(app.clone(), verifier.clone().into_inner(), callers.clone().into_inner());
    let scheduler = schedule
        .start()
        .await
        .map_err(|error| ServeError(format!("The job schedule could not be started: {error}.")))?;
    let _clock = tokio::spawn(schedule.clone().follow_clock(scheduler));
    let first = schedule.clone();
    let _publishing = tokio::spawn(async move { first.publish_at_start().await });
    let _catching_up = tokio::spawn(async move { schedule.catch_up().await });
    let _watch = tokio::spawn(feed_watchdog(app.clone()));
    let _stop = tokio::spawn({
        let (app, verifier, callers, app_for_reload) = (app.clone(), verifier.clone(), callers.clone(), app.clone());
        // Our own sockets refuse connections when they are closed. So what takes long is done before.
        let flush = async move {
            if !are_kept {
                schedule::flush_at_shutdown(&app, &verifier, &callers).await;
            }
        };
        let (server, shutdown, reloading) = (server.handle(), shutdown.get_ref().clone(), certificates.clone());
        async move {
            let reload = settings.map(|settings| (app_for_reload, settings, reloading));
            wait_for_stop(signals, reload).await;
            if let Some(redirect) = redirect_handle {
                drop(redirect.stop(false));
            }
            stop_in_order(shutdown, server, are_kept, flush).await;
        }
    });
    let _certificate = certificates.clone().map(|certificates| tokio::spawn(tls::watch(app.clone(), certificates)));
    let reading = verifier.clone().into_inner();
    let read_ahead = move || {
        // Requests that arrive in the meantime have priority.
        threads::lower_priority(threads::LOWEST);
        match reading.preload() {
            Ok(keys) => tracing::debug!(keys, "All keys are in memory."),
            Err(error) => {
                tracing::warn!(%error, "The keys could not be loaded into memory. Each is read when it is first used.")
            }
        }
    };
    let reading = std::thread::Builder::new().name("read-ahead".into()).spawn(read_ahead);
    let reading =
        reading.map_err(|error| ServeError(format!("The thread that reads keys could not be started: {error}.")))?;
    for address in &config.listen.addresses {
        tracing::info!(%address, region = config.region, "Domicile is serving.");
    }
    if let Some(certificate) = certificates.as_ref().map(|certificates| certificates.certificate()) {
        let (names, ends) = (certificate.names_in_words(), certificate.ends_at.day());
        tracing::info!("The certificate is for {names}, until {ends}, SHA-256 {}.", certificate.fingerprint);
    }
    let serving = actix_web::rt::spawn(server);
    let metrics = metrics.map(|server| {
        let handle = server.handle();
        actix_web::rt::spawn(server);
        handle
    });
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("Serving")]);
    let served = serving.await.map_err(|error| ServeError(format!("The server failed: {error}.")))?;
    served.map_err(|error| ServeError(format!("The server failed: {error}.")))?;
    if let Some(metrics) = metrics {
        metrics.stop(false).await;
    }
    verifier.stop_preload();
    // A panic of this thread was already reported when it happened.
    let _ = reading.join();
    if let Some(outcome) = fatal.outcome() {
        // Work on other threads that has the database open ends too.
        app.store().interrupt().set();
        return Ok(outcome);
    }
    schedule::flush_at_shutdown(&app, &verifier, &callers).await;
    Ok(ServeOutcome::Stopped)
}

/// Lets the writer thread stop the server when writes no longer succeed.
#[derive(Default)]
pub struct Fatal {
    outcome: Mutex<Option<ServeOutcome>>,
    server: Mutex<Option<ServerHandle>>,
}

impl Fatal {
    /// Stops the server at once. The writer calls this when a write failed permanently.
    pub fn report(&self, error: &db::Error) {
        let outcome = if error.is_damage() { ServeOutcome::Damaged } else { ServeOutcome::WriteFailed };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(server) = server {
            drop(server.stop(false));
        }
    }

    fn set_server(&self, handle: ServerHandle) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    fn outcome(&self) -> Option<ServeOutcome> {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the settings again, and sets the level of the log. An error has all faults, as sentences.
pub type ReadSettings = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// The signals to the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(|error| ServeError(format!("Signals cannot be received: {error}.")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Whether the next signal asks to reload, and not to stop.
    async fn is_hangup(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            _ = self.hangup.recv() => true,
        }
    }
}

/// What SIGHUP needs: the appliance, its settings as they are written now, and the certificate in use.
type Reload = (Arc<App>, ReadSettings, Option<Arc<Certificates>>);

/// Waits for a signal to stop. Without `reload`, SIGHUP is one.
async fn wait_for_stop(mut signals: Signals, reload: Option<Reload>) {
    while signals.is_hangup().await {
        let Some((app, settings, certificates)) = &reload else { return };
        match settings() {
            Ok(config) => {
                reload_settings(app.config(), &config, certificates.is_some());
                if let Some(certificates) = certificates {
                    tls::log(certificates.reload(app.config(), &config.listen.tls, app.now()), certificates);
                    tls::tell(app, certificates).await;
                }
            }
            Err(faults) => tracing::error!(
                "SIGHUP: nothing was read again, because the settings have faults, and a restart would fail: {faults}"
            ),
        }
    }
}

/// The level of the log and the settings that name the certificate are in force at once; all others need a restart.
fn reload_settings(running: &Config, written: &Config, has_certificate: bool) {
    const OF_CERTIFICATE: [&str; 2] = ["listen.certificate", "listen.private_key"];
    let mut changed = running.changed(written);
    changed.retain(|name| name != "log.level" && !(has_certificate && OF_CERTIFICATE.contains(&name.as_str())));
    if changed.is_empty() {
        tracing::info!("SIGHUP: log level and certificate are read again. No other setting has changed.");
    } else {
        tracing::warn!(
            "SIGHUP: log level and certificate are read again. These settings have changed and need a restart: {}. Run: systemctl restart domicile",
            changed.join(", ")
        );
    }
}

/// Stops the server so that no request fails:
///
/// ```text
/// publish a snapshot           if the sockets are our own: they are closed at the very end
/// accept no more connections   if systemd keeps the sockets: new ones wait for the next server
/// end long polling             every answer from now on closes its connection
/// wait until it is quiet       until no connection was closed with an answer for a moment
/// stop                         what still runs is answered; idle connections and our own sockets are closed
/// ```
async fn stop_in_order(
    shutdown: ShutdownSignal,
    server: ServerHandle,
    are_kept: bool,
    flush: impl Future<Output = ()>,
) {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    flush.await;
    if are_kept {
        server.pause().await;
    }
    shutdown.request();
    for _ in 0..QUIET_CHECKS_MAX {
        let before = shutdown.last_answers();
        tokio::time::sleep(QUIET).await;
        if shutdown.last_answers() == before {
            break;
        }
    }
    server.stop(true).await;
}

/// Tells systemd that the process works, as long as the writer answers.
async fn feed_watchdog(app: Arc<App>) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(interval / 2);
    loop {
        ticks.tick().await;
        if app.write(|_| Ok::<(), db::Error>(())).await.is_ok() {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

/// A query that cannot be read is refused like a wrong parameter in it.
fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| Fault(json::query_problem(&error)).into())
}
