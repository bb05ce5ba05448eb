//! Metrics for Prometheus, on an address of their own (`listen.metrics_address`), because they are for the admin only.

mod exposition;
mod families;
mod process;
mod values;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{App as Web, HttpResponse, HttpServer, web};

use crate::app::App;
use crate::base::{JOB_OUTCOMES, RequestClass, STATUSES};
use crate::threads::spawn_blocking;
use exposition::Exposition;
pub use exposition::{Family, Kind};
use families as f;
pub use families::FAMILIES;
use values::Stored;

/// Where Prometheus looks for metrics.
const PATH: &str = concat!("/", "metrics");
/// The format and its version.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Listens on the address for metrics, if there is one. The server runs when it is polled.
///
/// # Errors
/// A sentence for the admin when it cannot listen.
pub(super) fn listen(app: &Arc<App>) -> Result<Option<Server>, String> {
    let Some(address) = app.config().listen.metrics_address else { return Ok(None) };
    let (shared, stored) = (Data::new(app.clone()), Data::new(Stored::default()));
    let server = HttpServer::new(move || {
        let web = Web::new().app_data(shared.clone()).app_data(stored.clone());
        web.route(PATH, web::get().to(answer))
    });
    let bound = server.workers(1).disable_signals().shutdown_timeout(1).bind(address).map_err(|error| {
        format!(
            "The server cannot listen on {address}: {error}. Stop the program that uses the address, or change \
             listen.metrics_address."
        )
    })?;
    tracing::info!(%address, "Metrics are served.");
    Ok(Some(bound.run()))
}

async fn answer(app: Data<Arc<App>>, stored: Data<Stored>) -> HttpResponse {
    let (app, stored) = (app.get_ref().clone(), stored.into_inner());
    match spawn_blocking(move || text(&app, &stored)).await {
        Ok(text) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// All metrics as text. Blocks this thread.
fn text(app: &Arc<App>, stored: &Arc<Stored>) -> String {
    let mut text = Exposition::default();
    add_requests(&mut text, app);
    add_writer(&mut text, app);
    add_events(&mut text, app);
    values::add_stored(&mut text, app, stored);
    values::add_readiness(&mut text, app);
    values::add_build(&mut text);
    process::add(&mut text, app);
    text.into_text()
}

fn add_requests(text: &mut Exposition, app: &App) {
    let classes = RequestClass::ALL.map(|class| (class.as_str(), app.metrics().requests(class)));
    text.family(&f::REQUESTS);
    for (class, (counts, _)) in &classes {
        for (status, count) in STATUSES.iter().zip(counts) {
            text.value(f::REQUESTS.name, &[("class", class), ("status", status)], count);
        }
    }
    text.family(&f::REQUEST_DURATION);
    for (class, (_, durations)) in &classes {
        text.histogram(f::REQUEST_DURATION.name, &[("class", class)], durations);
    }
    text.family(&f::THROTTLED);
    text.value(f::THROTTLED.name, &[], app.metrics().throttled.load(Ordering::Relaxed));
}

fn add_writer(text: &mut Exposition, app: &App) {
    let writer = &app.metrics().writer;
    let (waiting, max) = app.store().queue_length();
    text.family(&f::QUEUE_LENGTH);
    text.value(f::QUEUE_LENGTH.name, &[], waiting);
    text.family(&f::QUEUE_MAX);
    text.value(f::QUEUE_MAX.name, &[], max);
    text.family(&f::QUEUE_REFUSED);
    text.value(f::QUEUE_REFUSED.name, &[], writer.refused.load(Ordering::Relaxed));
    text.family(&f::WRITER_WAIT);
    text.histogram(f::WRITER_WAIT.name, &[], &writer.wait.state());
    text.family(&f::COMMITS);
    text.histogram(f::COMMITS.name, &[], &writer.commit.state());
    text.family(&f::COMMITS_FAILED);
    text.value(f::COMMITS_FAILED.name, &[], writer.failed.load(Ordering::Relaxed));
}

fn add_events(text: &mut Exposition, app: &App) {
    text.family(&f::SECURITY_EVENTS);
    for ((event, outcome), count) in app.metrics().security() {
        text.value(f::SECURITY_EVENTS.name, &[("event", event), ("outcome", outcome)], count);
    }
    let jobs = app.metrics().jobs();
    text.family(&f::JOB_RUNS);
    for (name, runs) in &jobs {
        for (outcome, count) in JOB_OUTCOMES.iter().zip(runs.outcomes) {
            text.value(f::JOB_RUNS.name, &[("job", name), ("outcome", outcome)], count);
        }
    }
    text.family(&f::JOB_LAST_SUCCESS);
    for (name, runs) in &jobs {
        if let Some(at) = runs.last_success {
            text.value(f::JOB_LAST_SUCCESS.name, &[("job", name)], values::in_seconds(at));
        }
    }
    let [published, failed] = &app.metrics().snapshots;
    text.family(&f::SNAPSHOTS);
    for (result, count) in [("published", published), ("failed", failed)] {
        text.value(f::SNAPSHOTS.name, &[("result", result)], count.load(Ordering::Relaxed));
    }
}
