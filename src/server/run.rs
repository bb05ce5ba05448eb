//! Start, serve, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App as Web, HttpServer, web};
use tokio::sync::watch;

use super::front::Front;
use super::wicket::Wicket;
use super::{routes, tls};
use crate::api_keys::Verifier;
use crate::app::App;
use crate::base::seconds;
use crate::config::Config;
use crate::http::Leaving;
use crate::jobs::Runner;
use crate::schedule;
use crate::services::Callers;
use crate::threads::{self, Cores};
use crate::tokens;

/// Forms and small JSON bodies; the routes that take more say so.
pub(super) const BODY_MAX: usize = 64 * 1024;
/// What is in flight when a stop is asked for has this long to end.
const DRAIN_SECONDS: u64 = 10;
/// A client that sends its request head slower than this is dropped.
const HEAD_SECONDS: u64 = 10;

/// Why serving did not begin, in one sentence for the admin.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServeError(pub String);

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It was asked to stop.
    Stopped,
    /// A write failed for good: exit status 74.
    WriteFailed,
}

/// Whether the TLS settings can be used: the files are there, can be read and fit together.
///
/// # Errors
/// [`ServeError`], as [`serve`] would say it.
pub fn check_tls(config: &Config) -> Result<(), ServeError> {
    tls::settings(config).map(drop).map_err(ServeError)
}

/// As [`serve`], on this thread until it ends.
///
/// # Errors
/// As [`serve`].
pub fn serve_and_wait(app: Arc<App>, fatal: Arc<Fatal>) -> Result<Served, ServeError> {
    actix_web::rt::System::new().block_on(serve(app, fatal))
}

/// Serves until a signal or a fatal write error. `fatal` is set by the store when it can no longer be trusted.
///
/// # Errors
/// [`ServeError`] when an address cannot be taken or the TLS files cannot be used.
pub async fn serve(app: Arc<App>, fatal: Arc<Fatal>) -> Result<Served, ServeError> {
    let config = app.config();
    let tls = tls::settings(config).map_err(ServeError)?;
    let verifier = Data::new(Verifier::new(app.clone()));
    let callers = Data::new(Callers::new(app.clone()));
    let shared = Data::new(app.clone());
    let stops = watch::Sender::new(false);
    let leaving = Data::new(Leaving::following(&stops));
    let workers = config.listen.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));

    let cores = Arc::new(Cores::for_workers(workers));
    let mut server = HttpServer::new({
        let (verifier, callers, leaving) = (verifier.clone(), callers.clone(), leaving.clone());
        move || {
            // On the worker's own thread, before its first request; once for each address.
            cores.take_one();
            let house = Web::new()
                .app_data(shared.clone())
                .app_data(verifier.clone())
                .app_data(callers.clone())
                .app_data(leaving.clone())
                .app_data(PayloadConfig::new(BODY_MAX))
                .wrap(Front::new(Some(shared.get_ref().clone())))
                .configure(routes::configure)
                .default_service(web::to(super::pages::nothing_here));
            Wicket::beside(house, verifier.clone().into_inner(), callers.clone().into_inner())
        }
    })
    .workers(workers)
    .client_request_timeout(seconds(HEAD_SECONDS))
    .shutdown_timeout(DRAIN_SECONDS)
    .server_hostname("domicile");
    for address in &config.listen.addresses {
        let told = |error| {
            ServeError(format!(
                "{address} cannot be listened on: {error}. Stop the program that uses it, or change listen.address."
            ))
        };
        server = match &tls {
            Some(tls) => server.bind_rustls_0_23(address, tls.clone()).map_err(told)?,
            None => server.bind(address).map_err(told)?,
        };
    }
    // The first verifier finds a signing key, and finds it by reading alone.
    tokens::flows::keep_keys(&app)
        .await
        .map_err(|error| ServeError(format!("The key that signs access tokens could not be made: {error}.")))?;
    let server = server.run();
    fatal.stops(server.handle());

    let _jobs: Vec<_> =
        Runner::lanes(&app, schedule::LINES).into_iter().map(|lane| tokio::spawn(lane.work())).collect();
    let _clock = schedule::start(app.clone(), verifier.clone().into_inner())
        .await
        .map_err(|error| ServeError(format!("The job schedule could not be started: {error}.")))?;
    let _watch = tokio::spawn(feed_watchdog(app.clone()));
    let _stops = tokio::spawn(tell_stop(stops));
    let reading = verifier.clone().into_inner();
    let read_ahead = move || {
        // Whoever asks meanwhile goes first.
        threads::step_back(threads::LAST);
        match reading.read_ahead() {
            Ok(keys) => tracing::debug!(keys, "Keys were read ahead."),
            Err(error) => tracing::warn!(%error, "Keys could not be read ahead; each is read when it is asked for."),
        }
    };
    let reading = std::thread::Builder::new().name("read-ahead".into()).spawn(read_ahead);
    let reading =
        reading.map_err(|error| ServeError(format!("The thread that reads keys could not be started: {error}.")))?;
    for address in &config.listen.addresses {
        tracing::info!(%address, region = config.region, "Domicile serves.");
    }
    // Its handlers of signals are in place once it has run for the first time; before that, a stop right after READY would
    // be a kill.
    let serving = actix_web::rt::spawn(server);
    tokio::task::yield_now().await;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("Serving")]);
    let served = serving.await.map_err(|error| ServeError(format!("The server failed: {error}.")))?;
    served.map_err(|error| ServeError(format!("The server failed: {error}.")))?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);

    verifier.stop_reading_ahead();
    // It answers no panic; one of its own was reported as it happened.
    let _ = reading.join();
    if fatal.happened() {
        return Ok(Served::WriteFailed);
    }
    schedule::last_words(&app, &verifier).await;
    Ok(Served::Stopped)
}

/// The way from the writer's thread to the server: stop now, no write can be trusted any more.
#[derive(Default)]
pub struct Fatal {
    happened: AtomicBool,
    server: std::sync::Mutex<Option<ServerHandle>>,
}

impl Fatal {
    /// Called by the writer.
    pub fn report(&self) {
        self.happened.store(true, Ordering::SeqCst);
        let server = self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(server) = server {
            drop(server.stop(false));
        }
    }

    fn stops(&self, handle: ServerHandle) {
        *self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(handle);
    }

    fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }
}

/// Tells answers that wait that a signal asks for the stop: the server itself only stops taking new requests, and waits for
/// those it has.
async fn tell_stop(stops: watch::Sender<bool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    stops.send_replace(true);
}

/// Tells systemd that we live, but only while the writer answers.
async fn feed_watchdog(app: Arc<App>) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(interval / 2);
    loop {
        ticks.tick().await;
        if app.write(|_| Ok::<(), crate::db::Error>(())).await.is_ok() {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}
