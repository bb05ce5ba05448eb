//! Ten thousand people sign in at the same moment, each on a connection of their own: what the server keeps, whom it lets in
//! and whom it asks to come back, and whether those who verify keys notice.

use std::time::{Duration, Instant};

use crate::bare::{self, Shape};
use crate::compare;
use crate::fixture::Fixture;
use crate::load::{self, Answers, Load};
use crate::process::{Core, Server};
use crate::requests;
use crate::table::{Row, thousands};
use crate::{Failure, Run, fail};

/// People at once, where there are as many.
const CROWD_MAX: u64 = 10_000;
/// The cookie of their browsers; its value is nobody's business but the token's.
const VISIT: &str = "bench-crowd";
/// Verifications a second: sixteen connections that wait so long after each answer.
const PACE: Duration = Duration::from_millis(4);

pub fn rows(run: Run, large: &Fixture) -> Result<Vec<Row>, Failure> {
    let people = large.people().min(CROWD_MAX);
    large.give_passwords(people)?;
    let csrf = domicile::http::csrf::token(&*large.open()?, VISIT);
    let server = large.serve(Core::Any)?;
    let crowd = Load {
        requests_max: people,
        nice: 19,
        ..load_of(&server, usize::try_from(people)?, 303, Duration::from_secs(60))
    };
    let signing_in = requests::sign_in_each(VISIT, &csrf, people);
    let verifying = requests::forward_auth(large, 10_000);
    let paced = |time_max| Load { pause: PACE, nice: -10, ..load_of(&server, 16, 200, time_max) };
    load::run(&load_of(&server, 16, 200, run.plan.time), &verifying)?;
    let idle = load::run(&paced(run.plan.time * 3), &verifying)?;
    let before = server.resident_mib();

    let begun = Instant::now();
    let alone = load::run(&crowd, &signing_in)?;
    let verified = load::start(&paced(begun.elapsed()), &verifying);
    let beside = load::run(&crowd, &signing_in)?;
    let verified = verified.join().map_err(|_| fail("the verifying load panicked"))??;
    let (tell, connected) = std::sync::mpsc::channel();
    let third = load::start(&Load { connected: Some(tell), ..crowd.clone() }, &signing_in);
    connected.recv()?;
    let seated = load::run(&paced(beside.elapsed), &verifying)?;
    let third = third.join().map_err(|_| fail("the crowd panicked"))??;
    let peak = server.peak_mib();
    // What two cores do to sixteen connections when another program answers as large a crowd: nobody's fault but theirs.
    let shape = Shape::of(&server, "/signin", true, &requests::first(&requests::introspect(large, 1)))?;
    let bare = bare::start(&[shape], Core::Any, large.path())?;
    let elsewhere = Load { address: bare.address, expected: 200, ..crowd.clone() };
    let begun = Instant::now();
    load::run(&elsewhere, &signing_in)?;
    let control = load::start(&paced(begun.elapsed()), &verifying);
    load::run(&elsewhere, &signing_in)?;
    let control = control.join().map_err(|_| fail("the verifying load panicked"))??;
    bare.stop();
    server.stop();

    let (let_in, told) = (
        alone.answered + beside.answered + third.answered,
        alone.told_to_wait + beside.told_to_wait + third.told_to_wait,
    );
    let ratio = verified.quantile_ms(0.99) / idle.quantile_ms(0.99);
    let of = |answers: &Answers| format!("{:.2}/{:.2} ms", answers.quantile_ms(0.5), answers.quantile_ms(0.99));
    let crowd_of = thousands(people as f64);
    Ok(vec![
        Row::new(
            format!("{crowd_of} people sign in at once, three times"),
            format!("{} let in, {} told to come back", thousands(let_in as f64), thousands(told as f64)),
            "nobody is told anything else",
            let_in > 0 && let_in + told == 3 * people,
        )
        .ours(of(&alone)),
        Row::new("most memory resident meanwhile", format!("{peak:.0} MiB"), "<= 256 MiB more", peak - before <= 256.0)
            .beside(format!("before: {before:.0} MiB")),
        Row::new(
            "verification while they sign in, once they are connected",
            format!("p99 x {:.1}", seated.quantile_ms(0.99) / idle.quantile_ms(0.99)),
            "<= x 2",
            seated.quantile_ms(0.99) <= 2.0 * idle.quantile_ms(0.99) && seated.others == 0,
        )
        .ours(of(&seated))
        .beside(format!("idle {}", of(&idle))),
        Row::new(
            "verification while they connect and sign in",
            format!("p99 x {ratio:.1}"),
            "<= x 2",
            ratio <= 2.0 && verified.others == 0,
        )
        .ours(of(&verified))
        .beside(format!("idle {}", of(&idle))),
        Row::new(
            "the same beside a crowd at a bare handler",
            format!("p99 x {:.1}", verified.quantile_ms(0.99) / control.quantile_ms(0.99)),
            "",
            control.others == 0,
        )
        .ours(of(&verified))
        .beside(of(&control)),
    ])
}

fn load_of(server: &Server, connections: usize, expected: u16, time_max: Duration) -> Load {
    let plan = compare::Plan { rounds: 1, time: time_max };
    compare::load_of(server, connections, expected, Core::Any, plan)
}
