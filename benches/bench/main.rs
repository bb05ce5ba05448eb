//! `cargo bench` measures Domicile and prints one table: our result, the result that it is compared with, and the
//! requirement.
//!
//! Most results are ratios within one run, because absolute figures depend on the machine; the most robust figure is
//! CPU time per request. The server under test is the real program in a process of its own. This process generates the
//! load, over loopback. `cargo bench -- --quick` runs everything briefly, to check that it runs; its figures mean
//! little. `cargo bench -- seed` fills an appliance and keeps it.

#![allow(clippy::print_stdout, clippy::print_stderr)] // This program prints a table.

mod bare;
// The tests have them too.
#[path = "../../tests/it/support/builders.rs"]
#[allow(dead_code, clippy::unwrap_used)]
mod builders;
mod compare;
mod cores;
mod crowd;
mod fixture;
mod inside;
mod load;
mod outside;
mod process;
mod requests;
#[path = "../../tests/it/support/seed.rs"]
#[allow(clippy::unwrap_used)]
mod seed;
mod seeding;
mod snapshots;
mod table;
mod verify;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use compare::Plan;
use table::Row;

/// Why the benchmark failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A failure with one sentence.
pub fn fail(sentence: impl Into<String>) -> Failure {
    sentence.into().into()
}

/// The parameters of a run.
#[derive(Clone, Copy)]
pub struct Run {
    /// The number of keys of the large appliance.
    pub keys: usize,
    /// The number of audit events of the appliance whose snapshot is made: about a gigabyte in a full run.
    pub snapshot_audit: u64,
    /// The plan of each measurement of the hot path.
    pub plan: Plan,
    /// The number of writes or events in a measurement.
    pub writes: u64,
    /// The number of random verifications before the memory is measured.
    pub verifications: u64,
}

const FULL: Run = Run {
    keys: 1_000_000,
    snapshot_audit: 1_500_000,
    plan: Plan { rounds: 3, time: Duration::from_millis(1000) },
    writes: 40_000,
    verifications: 1_000_000,
};
const QUICK: Run = Run {
    keys: 12_000,
    snapshot_audit: 10_000,
    plan: Plan { rounds: 1, time: Duration::from_millis(200) },
    writes: 1_000,
    verifications: 2_000,
};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == bare::ARGUMENT).is_some() {
        return exit_code(bare::serve(arguments));
    }
    if arguments.next_if(|argument| argument == seeding::ARGUMENT).is_some() {
        return exit_code(seeding::run(arguments));
    }
    let arguments: Vec<String> = arguments.collect();
    let run = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    // The name of a part runs only that part. Cargo itself adds `--bench`.
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    exit_code(measure(run, |part| wanted.is_empty() || wanted.iter().any(|name| *name == part)))
}

fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

type Part = (&'static str, fn(Run, &fixture::Fixture) -> Result<Vec<Row>, Failure>);

/// The parts in the order of the table. Each function gets the large appliance.
const PARTS: [Part; 5] = [
    ("verify", verify::rows),
    ("outside", outside::rows),
    ("crowd", crowd::rows),
    ("inside", inside::rows),
    ("snapshots", snapshots::rows),
];

fn measure(run: Run, is_wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let begun = Instant::now();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures mean nothing.");
    }
    eprintln!("bench: filling an appliance with {} keys", table::thousands(run.keys as f64));
    let large = fixture::Fixture::with_keys(run.keys)?;
    eprintln!("bench: filled after {:.0} s", begun.elapsed().as_secs_f64());
    let mut rows = Vec::new();
    for (name, part) in PARTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        rows.extend(part(run, &large)?);
        eprintln!("bench: {name} after {:.0} s", begun.elapsed().as_secs_f64());
    }
    println!("\nEach of \"ours\" and \"compared with\": answers per second, p50/p99, processor time per answer.\n");
    table::print(&rows);
    Ok(())
}
