//! Measurements of the whole server: its start, its memory, its writes and its fairness under load. Server and load may
//! use every core.

use std::time::Duration;

use domicile::crypto::{HashCost, Password, PasswordPool};

use crate::bare::{self, Reads, Shape};
use crate::compare::{self, Plan};
use crate::cores::Core;
use crate::fixture::{Fixture, PASSWORD, PROGRAM};
use crate::load::{self, Answers, Load};
use crate::process::{Server, cpu_of};
use crate::requests::{self, PROFILE, USAGE};
use crate::table::{Row, median, thousands};
use crate::{Failure, Run, fail};

/// The number of starts; their median counts.
const STARTS: usize = 5;
/// The number of sign-ins whose CPU time is averaged.
const SIGN_INS: u64 = 40;
/// The number of threads that are busy while people sign in and events are written: two that hash, and the writer.
const BUSY: usize = 3;
/// The number of usage events in a batch.
const BATCH: usize = 100;
/// The number of people who sign in by turns: so many that no one reaches the maximum number of sessions.
const PEOPLE: u64 = 500;
/// The visit cookie of the browser that signs in, which the CSRF token is bound to.
const VISIT: &str = "bench-visit";

pub fn rows(run: Run, large: &Fixture) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    large.give_passwords(PEOPLE)?;
    let (server, row) = start(large)?;
    rows.push(row);
    rows.extend(memory(run, large, &server)?);
    // Loading keys into memory must not count as the cost of a sign-in.
    server.wait_until_read()?;
    rows.push(binary()?);
    rows.push(check()?);
    let csrf = domicile::http::csrf::token(&*large.open()?, VISIT);
    rows.extend(sign_in(run, &server, &csrf)?);
    rows.extend(fairness(run, large, &server, &csrf)?);
    rows.push(durable_write(run, large, &server)?);
    rows.extend(usage_one_by_one(run, large, &server)?);
    rows.push(usage(run, large, &server)?);
    server.stop();
    Ok(rows)
}

fn load_of(server: &Server, connections: usize, expected: u16, time_max: Duration, requests_max: u64) -> Load {
    let plan = Plan { rounds: 1, time: time_max };
    Load { requests_max, ..compare::load_of(server, connections, expected, Core::Any, plan) }
}

fn start(large: &Fixture) -> Result<(Server, Row), Failure> {
    let mut times = Vec::new();
    let mut server = large.serve(Core::Any)?;
    for _ in 0..STARTS {
        server.stop();
        server = large.serve(Core::Any)?;
        times.push(server.started_in.as_secs_f64() * 1000.0);
    }
    let took = median(times);
    let size = crate::fixture::size_mib(&*large.open()?);
    let row = Row::new(
        format!("start to first answer, {size:.0} MiB of data"),
        format!("{took:.1} ms"),
        "<= 50 ms",
        took <= 50.0,
    );
    Ok((server, row))
}

fn memory(run: Run, large: &Fixture, server: &Server) -> Result<[Row; 2], Failure> {
    let idle = server.resident_mib();
    let load = load_of(server, 16, 200, Duration::from_secs(60), run.verifications);
    let answers = load::run(&load, &requests::forward_auth(large, large.count()))?;
    let after = server.resident_mib();
    Ok([
        Row::new("resident memory, idle", format!("{idle:.1} MiB"), "<= 30 MiB", idle <= 30.0),
        Row::new(
            format!("resident memory after {} random verifications", thousands(answers.answered as f64)),
            format!("{after:.1} MiB"),
            "<= 96 MiB",
            after <= 96.0,
        ),
    ])
}

fn binary() -> Result<Row, Failure> {
    let size = std::fs::metadata(PROGRAM)?.len() as f64 / (1024.0 * 1024.0);
    Ok(Row::new("the program's file", format!("{size:.1} MiB"), "<= 30 MiB", size <= 30.0))
}

/// The CPU time of the check of a new password, for the longest password that is allowed.
fn check() -> Result<Row, Failure> {
    let words = "kettle, heron, marmalade; tractor and quince! ".chars().cycle();
    let longest = domicile::base::Secret::new(words.take(1024).collect::<String>());
    let check = || Password::parse(longest.clone(), 15, &["ada-lovelace", "ada@example.org", "account.example.org"]);
    check().map_err(|fault| fail(format!("{fault:?}")))?;
    let before = cpu_of("self");
    for _ in 0..SIGN_INS {
        check().map_err(|fault| fail(format!("{fault:?}")))?;
    }
    let took = (cpu_of("self") - before).as_secs_f64() * 1000.0 / SIGN_INS as f64;
    Ok(Row::new("check of a new password, 1,024 characters", format!("{took:.2} ms CPU"), "<= 5 ms", took <= 5.0))
}

/// The CPU time of one password hash.
fn hash_ms() -> Result<f64, Failure> {
    let pool = PasswordPool::start(1, 2, HashCost::LEAST);
    let password = Password::parse(domicile::base::Secret::new(PASSWORD.to_owned()), 15, &[])
        .map_err(|fault| fail(format!("{fault:?}")))?;
    pool.hash_and_wait(&password)?;
    let before = cpu_of("self");
    for _ in 0..SIGN_INS {
        pool.hash_and_wait(&password)?;
    }
    Ok((cpu_of("self") - before).as_secs_f64() * 1000.0 / SIGN_INS as f64)
}

fn sign_in(_: Run, server: &Server, csrf: &str) -> Result<[Row; 2], Failure> {
    let source = requests::sign_in_each(VISIT, csrf, PEOPLE);
    let one = load_of(server, 1, 303, Duration::from_secs(10), SIGN_INS);
    compare::sample(server, &Load { requests_max: 2, ..one.clone() }, &source)?;
    let hash = hash_ms()?;
    let sample = compare::sample(server, &one, &source)?;
    let whole = sample.cpu_us / 1000.0;
    let more = whole - hash;
    let crowd = load::run(&load_of(server, 64, 303, Duration::from_secs(5), 64), &source)?;
    let last = crowd.quantile_ms(1.0);
    Ok([
        Row::new("sign-in, beyond its hash", format!("{more:+.2} ms CPU"), "<= 1 ms", more <= 1.0)
            .ours(format!("{whole:.2} ms CPU"))
            .compared_with(format!("hash {hash:.2} ms CPU")),
        Row::new("64 sign in at once: the last answer", format!("{last:.0} ms"), "<= 1300 ms", last <= 1300.0)
            .ours(format!("{} let in, {} told to wait", crowd.answered, crowd.others)),
    ])
}

/// Verification at a steady pace, first alone, then while the writer is busy and eight connections sign in. For
/// comparison, the same at a bare handler with as many busy threads of low priority: the delay that the machine itself
/// causes.
fn fairness(run: Run, large: &Fixture, server: &Server, csrf: &str) -> Result<[Row; 2], Failure> {
    let time = run.plan.time * 3;
    let paced = Load { pause: Duration::from_millis(4), nice: -10, ..load_of(server, 16, 200, time, u64::MAX) };
    let verifying = requests::forward_auth(large, 10_000);
    load::run(&Load { pause: Duration::ZERO, ..paced.clone() }, &verifying)?;
    let idle = load::run(&paced, &verifying)?;
    let longer = time + run.plan.time;
    let background = |expected| Load { nice: 19, ..load_of(server, 8, expected, longer, u64::MAX) };
    let writing = load::start(&background(200), &requests::usage(large, BATCH));
    let signing_in = load::start(&background(303), &requests::sign_in_each(VISIT, csrf, PEOPLE));
    std::thread::sleep(run.plan.time / 2);
    let busy = load::run(&paced, &verifying)?;
    let written = ended(writing)?;
    let signed_in = ended(signing_in)?;
    let shape = Shape::new(server, requests::FORWARD_AUTH, Reads::Nothing, &requests::first(&verifying))?;
    let bare = bare::start_busy(&[shape], BUSY, Core::Any, large.path())?;
    let control = load::run(&Load { address: bare.address, ..paced.clone() }, &verifying)?;
    bare.stop();
    let ratio = busy.quantile_ms(0.99) / idle.quantile_ms(0.99);
    let of_bare = busy.quantile_ms(0.99) / control.quantile_ms(0.99);
    let of = |answers: &Answers| format!("{:.2}/{:.2} ms", answers.quantile_ms(0.5), answers.quantile_ms(0.99));
    let what = format!(
        "verification while {} events/s are written, {:.0} sign in/s",
        thousands(written.per_second() * BATCH as f64),
        signed_in.per_second()
    );
    Ok([
        Row::new(what, format!("p99 x {ratio:.1}"), "<= x 2", ratio <= 2.0)
            .ours(of(&busy))
            .compared_with(format!("idle {}", of(&idle))),
        Row::new("the same, beside a bare handler", format!("p99 x {of_bare:.1}"), "<= x 2", of_bare <= 2.0)
            .ours(of(&busy))
            .compared_with(of(&control)),
    ])
}

fn ended(load: std::thread::JoinHandle<Result<Answers, Failure>>) -> Result<Answers, Failure> {
    load.join().map_err(|_| fail("a load panicked"))?
}

fn durable_write(run: Run, large: &Fixture, server: &Server) -> Result<Row, Failure> {
    let source = requests::save_profile(large);
    let shape = Shape::new(server, PROFILE, Reads::Form, &requests::first(&source))?;
    let bare = bare::start(&[shape], Core::Any, large.path())?;
    let load = load_of(server, 64, 303, run.plan.time, run.writes);
    let compared = compare::with_bare(server, &bare, &load, &source, run.plan)?;
    bare.stop();
    Ok(Row::new(
        "a durable write with its audit over HTTP, 64 conn.",
        format!("{:.0} %", compared.ratio * 100.0),
        ">= 35 %",
        compared.ratio >= 0.35,
    )
    .ours(compared.ours.to_string())
    .compared_with(compared.bare.to_string()))
}

/// One usage event in each request: priced, posted, deduplicated and durable before the answer.
fn usage_one_by_one(run: Run, large: &Fixture, server: &Server) -> Result<[Row; 2], Failure> {
    let source = requests::usage(large, 1);
    let shape = Shape::new(server, USAGE, Reads::Json, &requests::first(&source))?;
    let bare = bare::start(&[shape], Core::Any, large.path())?;
    let [few, many] = [16, 64].map(|connections| {
        let load = load_of(server, connections, 200, run.plan.time, run.writes);
        compare::with_bare(server, &bare, &load, &source, run.plan)
    });
    bare.stop();
    let row = |connections: usize, compared: &compare::Comparison, bar, reaches| {
        let what = format!("one usage event a request, {connections} conn.");
        let figure = format!("{:.0} %, {:.1} µs", compared.ratio * 100.0, compared.ours.cpu_us);
        let row = if connections == 64 { Row::new(what, figure, bar, reaches) } else { Row::plain(what, figure) };
        row.ours(compared.ours.to_string()).compared_with(compared.bare.to_string())
    };
    let (few, many) = (few?, many?);
    let reaches = many.ours.per_second >= 30_000.0 && many.ours.cpu_us <= 40.0;
    Ok([row(16, &few, "", true), row(64, &many, ">= 30,000/s, <= 40 µs", reaches)])
}

fn usage(run: Run, large: &Fixture, server: &Server) -> Result<Row, Failure> {
    let load = load_of(server, 8, 200, run.plan.time, run.writes / 10);
    let sample = compare::repeated(server, &load, &requests::usage(large, BATCH), run.plan)?;
    let events = sample.per_second * BATCH as f64;
    Ok(Row::new(
        format!("usage events in batches of {BATCH}, 8 conn."),
        format!("{}/s, {:.1} µs each", thousands(events), sample.cpu_us / BATCH as f64),
        ">= 50,000/s",
        events >= 50_000.0,
    )
    .ours(sample.to_string()))
}
