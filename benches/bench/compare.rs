//! Measures our server and the bare server alternately in the same run, several times. The medians count.

use std::time::Duration;

use crate::cores::Core;
use crate::load::{self, Load, Source};
use crate::process::Server;
use crate::table::{median, thousands};
use crate::{Failure, fail};

/// How long and how often each measurement runs.
#[derive(Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub time: Duration,
}

/// The maximum number of requests in a sample.
const REQUESTS_MAX: u64 = 400_000;
/// The number of warm-up requests: enough to ask for all keys in use, on a slow machine as well.
const WARM_UP_REQUESTS: u64 = 50_000;
/// The maximum duration of the warm-up.
const WARM_UP_MAX: Duration = Duration::from_secs(3);

/// The result of one measurement of one server.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// CPU time of the server process per request.
    pub cpu_us: f64,
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:>7}/s {:>5.2}/{:>5.2} ms {:>5.1} µs",
            thousands(self.per_second),
            self.p50_ms,
            self.p99_ms,
            self.cpu_us
        )
    }
}

/// Our server and the bare server, and the difference.
pub struct Comparison {
    pub ours: Sample,
    pub bare: Sample,
    /// Our requests per second divided by those of the bare server.
    pub ratio: f64,
    /// How much more CPU time our server needs, in µs per request.
    pub more_us: f64,
}

/// A load with this number of connections, for the duration of the plan.
pub fn load_of(server: &Server, connections: usize, expected: u16, core: Core, plan: Plan) -> Load {
    Load {
        address: server.address,
        connections,
        requests_max: REQUESTS_MAX,
        time_max: plan.time,
        pause: Duration::ZERO,
        expected,
        core,
        nice: 0,
        connected: None,
    }
}

/// Measures one server once. Every unexpected answer is a failure, because errors are fast and would distort the
/// result.
pub fn sample(server: &Server, load: &Load, source: &Source) -> Result<Sample, Failure> {
    let before = server.cpu();
    let answers = load::run(load, source)?;
    let used = server.cpu().saturating_sub(before);
    if answers.others > 0 || answers.answered == 0 {
        let mut request = Vec::new();
        source(0, &mut request);
        let (_, answer) = load::once(server.address, &request)?;
        return Err(fail(format!("{} unexpected answers, such as: {answer}", answers.others)));
    }
    Ok(Sample {
        per_second: answers.per_second(),
        p50_ms: answers.quantile_ms(0.5),
        p99_ms: answers.quantile_ms(0.99),
        cpu_us: used.as_secs_f64() * 1e6 / answers.answered as f64,
    })
}

/// The medians of several samples.
pub fn repeated(server: &Server, load: &Load, source: &Source, plan: Plan) -> Result<Sample, Failure> {
    warm(load, source, plan)?;
    let samples = (0..plan.rounds).map(|_| sample(server, load, source)).collect::<Result<Vec<_>, _>>()?;
    Ok(medians(&samples))
}

fn warm(load: &Load, source: &Source, plan: Plan) -> Result<(), Failure> {
    let time_max = WARM_UP_MAX.min(plan.time * 3);
    load::run(&Load { time_max, requests_max: WARM_UP_REQUESTS.min(load.requests_max), ..load.clone() }, source)?;
    Ok(())
}

/// Measures our server and the bare server alternately.
pub fn with_bare(
    ours: &Server,
    bare: &Server,
    load: &Load,
    source: &Source,
    plan: Plan,
) -> Result<Comparison, Failure> {
    let bare_load = Load { address: bare.address, ..load.clone() };
    for load in [load, &bare_load] {
        warm(load, source, plan)?;
    }
    let mut samples = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        samples.1.push(sample(bare, &bare_load, source)?);
        samples.0.push(sample(ours, load, source)?);
    }
    let pairs = || samples.0.iter().zip(&samples.1);
    Ok(Comparison {
        ours: medians(&samples.0),
        bare: medians(&samples.1),
        ratio: median(pairs().map(|(ours, bare)| ours.per_second / bare.per_second).collect()),
        more_us: median(pairs().map(|(ours, bare)| ours.cpu_us - bare.cpu_us).collect()),
    })
}

fn medians(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Sample {
        per_second: of(|sample| sample.per_second),
        p50_ms: of(|sample| sample.p50_ms),
        p99_ms: of(|sample| sample.p99_ms),
        cpu_us: of(|sample| sample.cpu_us),
    }
}
