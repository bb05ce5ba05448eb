//! Ten thousand people sign in at the same moment, each on a connection of their own: how much memory the server needs,
//! how many it signs in and how many it asks to try again later, and whether the crowd delays the verification of keys.

use std::time::{Duration, Instant};

use crate::bare::{self, Reads, Shape};
use crate::compare;
use crate::cores::Core;
use crate::fixture::Fixture;
use crate::load::{self, Answers, Load, Source};
use crate::process::Server;
use crate::requests;
use crate::table::{Row, thousands};
use crate::{Failure, Run, fail};

/// The maximum number of people who sign in at once.
const CROWD_MAX: u64 = 10_000;
/// The visit cookie of their browsers, which the CSRF token is bound to.
const VISIT: &str = "bench-crowd";
/// The pause after each verification on each of the sixteen connections.
const PACE: Duration = Duration::from_millis(4);

/// The number of low-priority threads that hash passwords in our server. The bare server has as many busy threads.
const HASHING: usize = 2;

/// The results of verifications at a steady pace while a crowd signs in, and of the crowd.
struct Disturbed {
    /// Verifications while people connect and sign in.
    connecting: Answers,
    /// Verifications while people sign in who are connected already.
    connected: Answers,
    /// The answers that the crowd got each time.
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
    // The same with the bare server and as many busy threads of low priority: the delay that the machine itself causes.
    let shapes = [
        Shape::new(&server, requests::FORWARD_AUTH, Reads::Nothing, &requests::first(&verifying))?,
        Shape::new(&server, "/signin", Reads::Form, &requests::first(&requests::introspect(large, 1)))?,
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
        Row::new(what, figure, "<= x 2", ratio <= 2.0 && ours.others == 0).ours(of(ours)).compared_with(of(bare))
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
            .compared_with(format!("before: {before:.0} MiB")),
        undisturbed("verification while they sign in, once they are connected", &ours.connected, &control.connected),
        undisturbed("verification while they connect and sign in", &ours.connecting, &control.connecting),
    ])
}

/// Runs the crowd three times: alone, while keys are verified, and again when all people are connected already.
fn disturb(crowd: &Load, signing_in: &Source, paced: &Load, verifying: &Source) -> Result<Disturbed, Failure> {
    let begun = Instant::now();
    let alone = load::run(crowd, signing_in)?;
    let connecting = load::start(&Load { time_max: begun.elapsed(), ..paced.clone() }, verifying);
    let second = load::run(crowd, signing_in)?;
    let connecting = connecting.join().map_err(|_| fail("the verifying load panicked"))??;
    let (notify, all_connected) = std::sync::mpsc::channel();
    let third = load::start(&Load { connected: Some(notify), ..crowd.clone() }, signing_in);
    all_connected.recv()?;
    let connected = load::run(&Load { time_max: second.elapsed, ..paced.clone() }, verifying)?;
    let third = third.join().map_err(|_| fail("the crowd panicked"))??;
    Ok(Disturbed { connecting, connected, crowds: [alone, second, third] })
}

fn load_of(server: &Server, connections: usize, expected: u16, time_max: Duration) -> Load {
    let plan = compare::Plan { rounds: 1, time: time_max };
    compare::load_of(server, connections, expected, Core::Any, plan)
}
