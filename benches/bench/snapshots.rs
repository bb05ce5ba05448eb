//! Snapshots of a large appliance: how long the copy takes, what writers notice of it, what two of them share, and how
//! long a stop takes.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domicile::app::App;
use domicile::base::{Actor, Credits, Rng, WorkspaceId};
use domicile::db::PAGE_BYTES;
use domicile::jobs::{self, NewJob};
use domicile::{billing, db, snapshots};

use crate::cores::Core;
use crate::fixture::{self, Fixture};
use crate::inside::quantile;
use crate::seed::Seed;
use crate::table::Row;
use crate::{Failure, Run, fail};

/// The number of writes per second while a snapshot is made.
const WRITES_PER_SECOND: u64 = 1_000;
/// The number of grants between two snapshots.
const GRANTS: u32 = 1_000;

pub fn rows(run: Run, _: &Fixture) -> Result<Vec<Row>, Failure> {
    let seed = Seed { accounts: 1_000, events: 0, audit: run.snapshot_audit };
    let fixture = Fixture::seeded(seed)?;
    let mut rows = Vec::new();
    {
        let app = fixture.open()?;
        rows.extend(copy(&app)?);
        rows.push(publication(&app, "first, verified as a whole")?);
        rows.push(publication(&app, "next, what is new verified")?);
        rows.push(shared(&app, &fixture.customers)?);
    }
    rows.push(stop(&fixture)?);
    Ok(rows)
}

fn job() -> NewJob {
    NewJob { name: "bench", payload: serde_json::Value::Null, subject: None, unique_key: None }
}

/// Writes at a steady pace until `work` is done. Answers its result, how long it took in seconds, and the times of the
/// writes in milliseconds.
fn under_writes<T>(app: &Arc<App>, work: impl FnOnce() -> T) -> Result<(T, f64, Vec<f64>), Failure> {
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (app, is_over) = (app.clone(), is_over.clone());
        move || {
            let mut times = Vec::new();
            let pause = Duration::from_micros(1_000_000 / WRITES_PER_SECOND);
            while !is_over.load(Ordering::Relaxed) {
                let at = Instant::now();
                app.store().write_blocking(|tx| jobs::enqueue(tx, job()))?;
                times.push(at.elapsed().as_secs_f64() * 1000.0);
                std::thread::sleep(pause.saturating_sub(at.elapsed()));
            }
            Ok::<_, db::Error>(times)
        }
    });
    let begun = Instant::now();
    let done = work();
    let took = begun.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Relaxed);
    let times = writer.join().map_err(|_| fail("a writer panicked"))??;
    Ok((done, took, times))
}

/// The copy without its verification, and the same time without a copy as the control.
fn copy(app: &Arc<App>) -> Result<Vec<Row>, Failure> {
    let size = fixture::size_mib(app);
    let path = app.store().layout().root().join("copy-of-the-benchmark");
    let ((), _, alone) = under_writes(app, || std::thread::sleep(Duration::from_secs(3)))?;
    let (copied, took, times) = under_writes(app, || {
        app.store().copy_to(&path, &mut Rng::seeded(6), |_, _| Ok(()))?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| db::Error::file(&path, error))
    })?;
    copied?;
    std::fs::remove_file(&path)?;
    let per_gib = took * 1024.0 / size;
    let writers = |times: &[f64]| (quantile(times.to_vec(), 0.99), quantile(times.to_vec(), 1.0));
    let ((p99, longest), (alone_p99, alone_longest)) = (writers(&times), writers(&alone));
    Ok(vec![
        Row::new(
            format!("copy of {size:.0} MiB under {WRITES_PER_SECOND} writes/s"),
            format!("{took:.2} s, {per_gib:.2} s a GiB"),
            "<= 2 s a GiB",
            per_gib <= 2.0,
        ),
        Row::new(
            "writers meanwhile, p99 and max",
            format!("{p99:.1} and {longest:.1} ms"),
            "<= 5 and <= 50 ms",
            p99 <= 5.0 && longest <= 50.0,
        )
        .compared_with(format!("{alone_p99:.1} and {alone_longest:.1} ms without a copy")),
    ])
}

fn publication(app: &Arc<App>, what: &str) -> Result<Row, Failure> {
    let (published, took, times) = under_writes(app, || snapshots::publish(app))?;
    published?;
    let (p99, longest) = (quantile(times.clone(), 0.99), quantile(times, 1.0));
    Ok(Row::new(
        format!("publication under writes, {what}"),
        format!("{took:.2} s"),
        "writers' max <= 50 ms",
        longest <= 50.0,
    )
    .ours(format!("writers p99 {p99:.1}, max {longest:.1} ms")))
}

/// What differs between two snapshots, compared with the pages that the grants between them changed.
fn shared(app: &Arc<App>, customers: &[String]) -> Result<Row, Failure> {
    let published = app.store().layout().snapshot();
    let kept = app.store().layout().root().join("snapshot-of-the-benchmark");
    snapshots::publish(app)?;
    std::fs::rename(&published, &kept)?;
    app.store().empty_log(100)?;
    let workspace = customers.first().and_then(|id| WorkspaceId::parse(id)).ok_or_else(|| fail("no customer"))?;
    for _ in 0..GRANTS {
        let grant = move |tx: &mut db::Tx<'_>| {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(1), "bench").map(drop)
        };
        app.store().write_blocking(grant)?;
    }
    let changed = pages_in_log(&app.store().layout().live_dir().join("live.sqlite-wal"))?.len();
    snapshots::publish(app)?;
    let (differ, all) = differing(&kept, &published)?;
    std::fs::remove_file(&kept)?;
    let ratio = differ as f64 / changed as f64;
    Ok(Row::new(
        format!("pages that differ after {GRANTS} grants"),
        format!("{differ} of {all}: x {ratio:.2} of those changed"),
        "<= x 3",
        ratio <= 3.0,
    ))
}

/// The numbers of the pages that the write-ahead log has since it was emptied.
fn pages_in_log(log: &Path) -> Result<BTreeSet<[u8; 4]>, Failure> {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let bytes = std::fs::read(log)?;
    let frames = bytes.get(HEADER..).unwrap_or_default().chunks_exact(FRAME_HEADER + PAGE_BYTES as usize);
    Ok(frames.map(|frame| [frame[0], frame[1], frame[2], frame[3]]).collect())
}

fn differing(old: &Path, new: &Path) -> Result<(u64, u64), Failure> {
    let (old, new) = (File::open(old)?, File::open(new)?);
    let pages = new.metadata()?.len() / PAGE_BYTES;
    let known = old.metadata()?.len() / PAGE_BYTES;
    let (mut a, mut b) = ([0u8; PAGE_BYTES as usize], [0u8; PAGE_BYTES as usize]);
    let mut differ = pages.saturating_sub(known);
    for page in 0..pages.min(known) {
        old.read_exact_at(&mut a, page * PAGE_BYTES)?;
        new.read_exact_at(&mut b, page * PAGE_BYTES)?;
        differ += u64::from(a != b);
    }
    Ok((differ, pages))
}

/// A stop while there are changes that are not published.
fn stop(fixture: &Fixture) -> Result<Row, Failure> {
    let server = fixture.serve_and_publish(Core::Any)?;
    let begun = Instant::now();
    server.stop();
    let took = begun.elapsed().as_secs_f64();
    Ok(Row::new("stop with unpublished changes", format!("{took:.2} s"), "<= 5 s", took <= 5.0))
}
