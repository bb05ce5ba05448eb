//! Measurements below HTTP, in this process: the store and the audit log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domicile::app::App;
use domicile::audit::{self, Event, SiteEvent};
use domicile::base::{Actor, JobId, Rng, ServiceId};
use domicile::jobs::{self, NewJob};
use domicile::{billing, db};
use rusqlite::params;

use crate::fixture::{self, Fixture};
use crate::process::cpu_of_this_thread;
use crate::requests;
use crate::table::{Row, median, thousands};
use crate::{Failure, Run, fail};

/// The number of audit events in one transaction.
const AUDIT_EVENTS: u32 = 10_000;
/// The number of usage batches.
const BATCHES: u32 = 200;
/// The number of usage events in a batch.
const BATCH: u32 = 100;

pub fn rows(run: Run, _: &Fixture) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let empty = fixture::empty()?;
    {
        let app = empty.open()?;
        let (alone, p99) = one_transaction_each(&app, run.writes / 8)?;
        for callers in [1, 16, 64] {
            rows.push(writes(&app, callers, if callers == 1 { run.writes / 8 } else { run.writes }, alone, p99)?);
        }
        rows.push(audit_append(&app)?);
        rows.push(usage_batches(&app, &empty)?);
    }
    Ok(rows)
}

fn job() -> NewJob {
    NewJob { name: "bench", payload: serde_json::Value::Null, subject: None, unique_key: None }
}

/// Writes one transaction after the other, on a connection as durable as the store's. Returns writes per second and the
/// p99 in milliseconds.
fn one_transaction_each(app: &App, writes: u64) -> Result<(f64, f64), Failure> {
    let connection = fixture::plain_writer(app)?;
    let mut rng = Rng::seeded(3);
    let mut times = Vec::new();
    let begun = Instant::now();
    for _ in 0..writes {
        let at = Instant::now();
        let now = app.now();
        connection.prepare_cached("begin immediate")?.execute([])?;
        connection
            .prepare_cached(
                "insert into job (id, name, payload_json, state, run_at, created_at) values (?1, 'bench', 'null', 'queued', ?2, ?2)",
            )?
            .execute(params![JobId::new(now, &mut rng), now])?;
        connection.prepare_cached("commit")?.execute([])?;
        times.push(at.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((writes as f64 / begun.elapsed().as_secs_f64(), quantile(times, 0.99)))
}

/// The value below which this part of the values is.
pub fn quantile(mut times: Vec<f64>, part: f64) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    let place = (times.len().saturating_sub(1) as f64 * part).round() as usize;
    times.get(place).copied().unwrap_or(0.0)
}

/// Writes with this number of concurrent callers, each with one write at a time. Returns the time of each write in
/// milliseconds and of all writes in seconds.
fn write_together(app: &Arc<App>, callers: usize, writes: u64) -> Result<(Vec<f64>, f64), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = Arc::new(AtomicU64::new(writes));
    let begun = Instant::now();
    let times = runtime.block_on(async {
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (app, left) = (app.clone(), left.clone());
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                        let at = Instant::now();
                        app.write(|tx| jobs::enqueue(tx, job())).await?;
                        times.push(at.elapsed().as_secs_f64() * 1000.0);
                    }
                    Ok::<_, db::Error>(times)
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.map_err(|error| fail(error.to_string()))??);
        }
        Ok::<_, Failure>(all)
    })?;
    Ok((times, begun.elapsed().as_secs_f64()))
}

fn writes(app: &Arc<App>, callers: usize, writes: u64, alone: f64, alone_p99: f64) -> Result<Row, Failure> {
    let (times, seconds) = write_together(app, callers, writes)?;
    let rate = times.len() as f64 / seconds;
    let (p50, p99) = (quantile(times.clone(), 0.5), quantile(times, 0.99));
    Ok(Row::plain(format!("durable writes in the store, {callers} callers"), format!("x {:.1}", rate / alone))
        .ours(format!("{:>7}/s {p50:>5.2}/{p99:>5.2} ms", thousands(rate)))
        .compared_with(format!("{:>7}/s p99 {alone_p99:.2} ms, one by one", thousands(alone))))
}

fn audit_append(app: &App) -> Result<Row, Failure> {
    let append = |tx: &mut db::Tx<'_>| {
        let before = cpu_of_this_thread();
        for _ in 0..AUDIT_EVENTS {
            audit::record(tx, &Actor::System, Event::new(SiteEvent::KeyringRotated))?;
        }
        Ok::<_, db::Error>((cpu_of_this_thread() - before).as_secs_f64() * 1e6 / f64::from(AUDIT_EVENTS))
    };
    let times = (0..3).map(|_| app.store().write_blocking(append)).collect::<Result<Vec<_>, _>>()?;
    let each = median(times);
    Ok(Row::new("audit append inside a transaction", format!("{each:.1} µs"), "<= 4 µs", each <= 4.0))
}

/// The time of the writer thread for one usage event, without HTTP and without the commit.
fn usage_batches(app: &App, fixture: &Fixture) -> Result<Row, Failure> {
    let actor = Actor::Service {
        service: ServiceId::new(app.now(), &mut Rng::seeded(4)),
        name: "training".into(),
        request: String::new(),
    };
    let events = f64::from(BATCHES * BATCH);
    let bodies: Vec<String> = (0..BATCHES).map(|_| requests::usage_body(&fixture.customers, BATCH as usize)).collect();
    let before = cpu_of_this_thread();
    let batches = bodies
        .iter()
        .map(|body| billing::api::read_events(body.as_bytes()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problem| fail(problem.sentence))?;
    let reading = cpu_of_this_thread() - before;
    let recording = app.store().write_blocking(move |tx| {
        let before = cpu_of_this_thread();
        for batch in &batches {
            let answer = billing::usage::record_batch(tx, &actor, batch)?;
            if answer.accepted != batch.len() {
                return Err(fail("a usage event was not accepted"));
            }
        }
        Ok::<_, Failure>(cpu_of_this_thread() - before)
    })?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / events;
    Ok(Row::plain("a usage event on the writer's thread", format!("{:.1} µs", each(recording)))
        .ours(format!("its JSON read on a worker in {:.1} µs", each(reading))))
}
