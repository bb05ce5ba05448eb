//! The hot path: verification of keys.
//!
//! Server and load have one core each, and the bare server has the same core as ours, so the answers per second are
//! those of one core.

use crate::bare::{self, Reads, Shape};
use crate::compare::{self, Comparison, Sample};
use crate::cores::{LOADS, SERVERS};
use crate::fixture::Fixture;
use crate::load::Source;
use crate::process::Server;
use crate::requests::{self, FORWARD_AUTH, INTROSPECT, PROFILE};
use crate::table::Row;
use crate::{Failure, Run};

/// The number of keys in use at the same time.
const HOT: usize = 10_000;

pub fn rows(run: Run, large: &Fixture) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let ours = large.serve(SERVERS)?;
    ours.wait_until_read()?;
    let bare = bare::start(&shapes(&ours, large)?, SERVERS, large.path())?;
    let compare = |source: &Source, connections| {
        let load = compare::load_of(&ours, connections, 200, LOADS, run.plan);
        compare::with_bare(&ours, &bare, &load, source, run.plan)
    };
    let all = large.count();
    let mut hot = Sample::default();
    let mut anywhere = Sample::default();
    for connections in [16, 64] {
        let compared = compare(&requests::forward_auth(large, HOT), connections)?;
        if connections == 16 {
            hot = compared.ours;
        }
        rows.push(forward_auth(format!("forward-auth, {HOT} keys in use, {connections} conn."), &compared));
    }
    for connections in [16, 64] {
        let compared = compare(&requests::forward_auth(large, all), connections)?;
        if connections == 16 {
            anywhere = compared.ours;
        }
        rows.push(forward_auth(format!("forward-auth, any of {all} keys, {connections} conn."), &compared));
    }
    for (among, connections) in [(HOT, 16), (HOT, 64), (all, 16)] {
        let compared = compare(&requests::introspect(large, among), connections)?;
        let what = if among == all { format!("any of {all} keys") } else { format!("{HOT} keys in use") };
        rows.push(
            Row::new(
                format!("introspection, {what}, {connections} conn."),
                format!("{:.0} %, {:+.1} µs", compared.ratio * 100.0, compared.more_us),
                ">= 75 %, <= 17.6 µs (1/10 of Rauthy)",
                compared.ratio >= 0.75 && compared.ours.cpu_us <= 17.6,
            )
            .ours(compared.ours.to_string())
            .compared_with(compared.bare.to_string()),
        );
    }
    rows.push(session_check(run, large, &ours)?);
    for path in [PROFILE, "/settings/keys"] {
        rows.push(page(run, large, &ours, path)?);
    }
    ours.stop();
    bare.stop();
    rows.splice(4..4, flatness(run, hot, anywhere)?);
    Ok(rows)
}

fn shapes(ours: &Server, large: &Fixture) -> Result<Vec<Shape>, Failure> {
    let of = |path: &str, reads, source: &Source| Shape::new(ours, path, reads, &requests::first(source));
    Ok(vec![
        of(FORWARD_AUTH, Reads::Nothing, &requests::forward_auth(large, 1))?,
        of(INTROSPECT, Reads::Form, &requests::introspect(large, 1))?,
    ])
}

fn forward_auth(what: String, compared: &Comparison) -> Row {
    Row::new(
        what,
        format!("{:.0} %, {:+.1} µs", compared.ratio * 100.0, compared.more_us),
        ">= 80 %, <= +6 µs",
        compared.ratio >= 0.8 && compared.more_us <= 6.0,
    )
    .ours(compared.ours.to_string())
    .compared_with(compared.bare.to_string())
}

/// Whether the total number of keys matters: compares a small appliance with the large one, with the same number of
/// keys in use and with all keys in use.
fn flatness(run: Run, hot: Sample, anywhere: Sample) -> Result<[Row; 2], Failure> {
    let small = Fixture::with_keys(HOT)?;
    let server = small.serve(SERVERS)?;
    server.wait_until_read()?;
    let load = compare::load_of(&server, 16, 200, LOADS, run.plan);
    let few = compare::repeated(&server, &load, &requests::forward_auth(&small, HOT), run.plan)?;
    server.stop();
    let row = |what: &str, many: Sample| {
        let ratio = few.cpu_us / many.cpu_us;
        Row::new(what, format!("{:.0} % (by CPU)", ratio * 100.0), "within 10 %", ratio >= 0.9)
            .ours(many.to_string())
            .compared_with(few.to_string())
    };
    Ok([
        row("from 10 thousand keys to all, same number in use", hot),
        row("from 10 thousand keys to all, any in use", anywhere),
    ])
}

fn session_check(run: Run, large: &Fixture, ours: &Server) -> Result<Row, Failure> {
    let load = compare::load_of(ours, 16, 200, LOADS, run.plan);
    let sample = compare::repeated(ours, &load, &requests::page(large, FORWARD_AUTH), run.plan)?;
    let figure = format!("{:.1} µs", sample.cpu_us);
    Ok(Row::new("session check by cookie, 16 conn.", figure, "<= 30 µs", sample.cpu_us <= 30.0)
        .ours(sample.to_string()))
}

fn page(run: Run, large: &Fixture, ours: &Server, path: &str) -> Result<Row, Failure> {
    let load = compare::load_of(ours, 16, 200, LOADS, run.plan);
    let sample = compare::repeated(ours, &load, &requests::page(large, path), run.plan)?;
    let figure = format!("{:.1} µs, p99 {:.2} ms", sample.cpu_us, sample.p99_ms);
    let reaches = sample.cpu_us <= 80.0 && sample.p99_ms <= 3.0;
    Ok(Row::new(format!("page {path}, 16 conn."), figure, "<= 80 µs, p99 <= 3 ms", reaches).ours(sample.to_string()))
}
