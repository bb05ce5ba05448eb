//! Ten thousand people sign in at the same moment, each on a connection of their own: what the server keeps, whom it lets in
//! and whom it asks to come back, and whether those who verify keys notice.

use std::time::{Duration, Instant};

use crate::bare::{self, Shape};
use crate::compare;
use crate::fixture::Fixture;
use crate::load::{self, Answers, Load, Source};
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

/// Threads that hash at low priority, in ours; in the bare server as many have something to do.
const HASHING: usize = 2;

/// Verification at a steady pace while a crowd signs in, and the crowd.
struct Disturbed {
    /// While people connect and sign in.
    connecting: Answers,
    /// While those sign in who are connected already.
    seated: Answers,
    /// What the crowd was told, each time it came.
    crowds: [Answers; 3],
}

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
    let paced = Load { pause: PACE, nice: -10, ..load_of(&server, 16, 200, run.plan.time * 3) };
    load::run(&load_of(&server, 16, 200, run.plan.time), &verifying)?;
    let idle = load::run(&paced, &verifying)?;
    let before = server.resident_mib();
    let ours = disturb(&crowd, &signing_in, &paced, &verifying)?;
    let peak = server.peak_mib();
    // The same, where a program that does nothing but answer has the crowd, and as many threads of low priority are busy: what
    // the machine itself costs those who verify.
    let shapes = [
        Shape::new(&server, requests::FORWARD_AUTH, false, &requests::first(&verifying))?,
        Shape::new(&server, "/signin", true, &requests::first(&requests::introspect(large, 1)))?,
    ];
    let bare = bare::start_busy(&shapes, HASHING, Core::Any, large.path())?;
    let at_bare = |load: &Load| Load { address: bare.address, expected: 200, ..load.clone() };
    let control = disturb(&at_bare(&crowd), &signing_in, &at_bare(&paced), &verifying)?;
    bare.stop();
    server.stop();

    let let_in: u64 = ours.crowds.iter().map(|crowd| crowd.answered).sum();
    let told: u64 = ours.crowds.iter().map(|crowd| crowd.told_to_wait).sum();
    let of = |answers: &Answers| format!("{:.2}/{:.2} ms", answers.quantile_ms(0.5), answers.quantile_ms(0.99));
    let undisturbed = |what: &str, ours: &Answers, bare: &Answers| {
        let ratio = ours.quantile_ms(0.99) / bare.quantile_ms(0.99);
        let of_idle = ours.quantile_ms(0.99) / idle.quantile_ms(0.99);
        let figure = format!("p99 x {ratio:.1} (x {of_idle:.1} of idle, {})", of(&idle));
        Row::new(what, figure, "<= x 2", ratio <= 2.0 && ours.others == 0).ours(of(ours)).beside(of(bare))
    };
    let crowd_of = thousands(people as f64);
    Ok(vec![
        Row::new(
            format!("{crowd_of} people sign in at once, three times"),
            format!("{} let in, {} told to come back", thousands(let_in as f64), thousands(told as f64)),
            "nobody is told anything else",
            let_in > 0 && let_in + told == 3 * people,
        )
        .ours(of(&ours.crowds[0])),
        Row::new("most memory resident meanwhile", format!("{peak:.0} MiB"), "<= 256 MiB more", peak - before <= 256.0)
            .beside(format!("before: {before:.0} MiB")),
        undisturbed("verification while they sign in, once they are connected", &ours.seated, &control.seated),
        undisturbed("verification while they connect and sign in", &ours.connecting, &control.connecting),
    ])
}

/// Lets the crowd come three times: alone, while somebody verifies, and once more when all of it is connected already.
fn disturb(crowd: &Load, signing_in: &Source, paced: &Load, verifying: &Source) -> Result<Disturbed, Failure> {
    let begun = Instant::now();
    let alone = load::run(crowd, signing_in)?;
    let connecting = load::start(&Load { time_max: begun.elapsed(), ..paced.clone() }, verifying);
    let second = load::run(crowd, signing_in)?;
    let connecting = connecting.join().map_err(|_| fail("the verifying load panicked"))??;
    let (tell, connected) = std::sync::mpsc::channel();
    let third = load::start(&Load { connected: Some(tell), ..crowd.clone() }, signing_in);
    connected.recv()?;
    let seated = load::run(&Load { time_max: second.elapsed, ..paced.clone() }, verifying)?;
    let third = third.join().map_err(|_| fail("the crowd panicked"))??;
    Ok(Disturbed { connecting, seated, crowds: [alone, second, third] })
}

fn load_of(server: &Server, connections: usize, expected: u16, time_max: Duration) -> Load {
    let plan = compare::Plan { rounds: 1, time: time_max };
    compare::load_of(server, connections, expected, Core::Any, plan)
}
