use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Appliance, Reporter, while_working};
use crate::support::wait_for;

/// How often the server is killed in a quick and in a deep run. The environment variable `ROUNDS` overrides it.
const ROUNDS: (usize, usize) = (8, 50);
const WRITERS: usize = 4;
/// Acknowledged writes of a round before the kill. The writers have more writes in progress then.
const WRITES_BEFORE_THE_KILL: usize = 40;

#[test]
fn row_1_a_kill_loses_nothing_that_was_acknowledged() {
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or_else(|| crate::support::rounds(ROUNDS.0, ROUNDS.1));
    let mut site = Appliance::running();
    let reporter = Reporter::new(&site);
    let mut acknowledged: Vec<String> = Vec::new();

    for round in 0..rounds {
        let done = AtomicUsize::new(0);
        let write = |number: usize, stop: &std::sync::atomic::AtomicBool| {
            let mut mine = Vec::new();
            for write in 0.. {
                let id = format!("{round}-{number}-{write}");
                match reporter.report(&site, std::slice::from_ref(&id)) {
                    Some(answer) if answer.status == 200 => {
                        assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
                        mine.push(id);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    // The server was killed before it answered, so this write was not acknowledged.
                    _ => break,
                }
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
            mine
        };
        let pid = nix::unistd::Pid::from_raw(site.pid().try_into().unwrap());
        let (ids, ()) = while_working(WRITERS, write, || {
            wait_for("enough writes", || (done.load(Ordering::SeqCst) >= WRITES_BEFORE_THE_KILL).then_some(()));
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        site.kill();
        site.start();

        for portion in ids.chunks(500) {
            let again = reporter.report(&site, portion).unwrap().json();
            assert_eq!(again, json!({"accepted": 0, "duplicates": portion.len(), "rejected": []}), "round {round}");
        }
        acknowledged.extend(ids);
    }
    site.run(&["ledger", "check"]).ok();
    site.run(&["audit", "verify"]).ok();
    assert!(acknowledged.len() >= rounds * WRITES_BEFORE_THE_KILL);
    eprintln!("{rounds} kills, {} acknowledged writes, none lost", acknowledged.len());
}

#[test]
fn a_stop_answers_requests_in_flight_and_exits_with_zero() {
    let mut site = Appliance::running();
    let reporter = Reporter::new(&site);
    let pid = nix::unistd::Pid::from_raw(site.pid().try_into().unwrap());
    let done = AtomicUsize::new(0);
    let write = |number: usize, stop: &std::sync::atomic::AtomicBool| {
        let mut broken = Vec::new();
        for write in 0.. {
            match reporter.report(&site, &[format!("{number}-{write}")]) {
                Some(answer) => {
                    done.fetch_add(1, Ordering::SeqCst);
                    if answer.status != 200 {
                        broken.push(answer.text());
                    }
                }
                None => break,
            }
            if stop.load(Ordering::SeqCst) {
                break;
            }
        }
        broken
    };

    let (broken, ()) = while_working(WRITERS, write, || {
        wait_for("some writes", || (done.load(Ordering::SeqCst) >= 20).then_some(()));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    });

    assert_eq!(broken, Vec::<String>::new());
    assert!(site.wait_for_end().success());
}
