//! What the appliance counts and measures while it runs, for Prometheus.
//!
//! Each worker has its own counts of requests, so that no worker waits for another one. The rest is counted where something
//! slower happens anyway.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{SecurityEvent, Timestamp};

/// The upper bounds of the buckets of a [`Histogram`], in microseconds.
pub const BUCKETS: [u64; 17] = [
    25, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// How long something took, how often.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

/// The state of a [`Histogram`].
#[derive(Clone, Debug, Default)]
pub struct HistogramState {
    /// How often each bucket was hit, without the smaller ones.
    pub buckets: [u64; BUCKETS.len()],
    /// How often there was any duration.
    pub count: u64,
    /// The sum of all durations in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Adds one duration.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what was measured to `state`.
    pub fn add_to(&self, state: &mut HistogramState) {
        // First, so that the count is never smaller than the sum of the buckets.
        let buckets = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        state.buckets.iter_mut().zip(buckets).for_each(|(sum, hits)| *sum += hits);
        state.sum_micros += self.sum_micros.load(Ordering::Relaxed);
        state.count += self.count.load(Ordering::Relaxed);
    }

    /// What was measured so far.
    pub fn state(&self) -> HistogramState {
        let mut state = HistogramState::default();
        self.add_to(&mut state);
        state
    }
}

/// Why a request was made. Paths contain ids, and there are too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestClass {
    /// A page or a form.
    Page,
    /// A file of the pages.
    Asset,
    /// A program, for something other than the following.
    Api,
    /// A gateway or a service verifies a key.
    Verify,
    /// A service reports usage.
    Usage,
    /// A program waits for news; the time says nothing.
    Poll,
    /// A probe.
    Probe,
}

impl RequestClass {
    /// Every class, in the order of the variants.
    pub const ALL: [Self; 7] = [Self::Page, Self::Asset, Self::Api, Self::Verify, Self::Usage, Self::Poll, Self::Probe];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Asset => "asset",
            Self::Api => "api",
            Self::Verify => "verify",
            Self::Usage => "usage",
            Self::Poll => "poll",
            Self::Probe => "probe",
        }
    }
}

/// The groups of statuses that are counted. 429 is counted by itself, because it shows who is slowed down.
pub const STATUSES: [&str; 5] = ["2xx", "3xx", "429", "4xx", "5xx"];

const fn status_index(status: u16) -> usize {
    match status {
        0..300 => 0,
        300..400 => 1,
        429 => 2,
        400..500 => 3,
        _ => 4,
    }
}

/// The requests of one worker.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    sampled: AtomicU64,
    requests: [[AtomicU64; STATUSES.len()]; RequestClass::ALL.len()],
    durations: [Histogram; RequestClass::ALL.len()],
}

impl WorkerCounts {
    /// Counts a request.
    pub fn count(&self, class: RequestClass, status: u16) {
        self.requests[class as usize][status_index(status)].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether this is one of `every` calls, beginning with the first.
    pub fn is_sampled(&self, every: u64) -> bool {
        self.sampled.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
    }

    /// Notes how long a request of this class took.
    pub fn note_duration(&self, class: RequestClass, took: Duration) {
        self.durations[class as usize].note(took);
    }
}

/// What the writer measures.
#[derive(Debug, Default)]
pub struct WriterMetrics {
    /// From the moment that a work is queued until it joins a commit.
    pub wait: Histogram,
    /// From the begin of a transaction until it is on the disk.
    pub commit: Histogram,
    /// Callers that were told to try again because the queue was full.
    pub refused: AtomicU64,
    /// Commits that failed.
    pub failed: AtomicU64,
}

/// The runs of one job.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobRuns {
    /// Runs that succeeded, failed and are tried again, and failed permanently.
    pub outcomes: [u64; 3],
    /// `None`: it has not succeeded since the start.
    pub last_success: Option<Timestamp>,
}

/// The words for [`JobRuns::outcomes`].
pub const JOB_OUTCOMES: [&str; 3] = ["done", "again", "given_up"];

/// What the appliance counts and measures.
#[derive(Debug, Default)]
pub struct Metrics {
    workers: Mutex<Vec<Arc<WorkerCounts>>>,
    /// What the writer measures.
    pub writer: WriterMetrics,
    jobs: Mutex<BTreeMap<String, JobRuns>>,
    security: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    /// Snapshots that were published, and that failed, since the start.
    pub snapshots: [AtomicU64; 2],
    /// Webhooks that services took, and attempts that failed, since the start.
    pub webhooks: [AtomicU64; 2],
    /// Requests that had to wait because of wrong proofs before them.
    pub throttled: AtomicU64,
    /// When the appliance was opened, in milliseconds since 1970.
    pub started_at: AtomicI64,
}

impl Metrics {
    /// New counts for a worker, which are part of the sums from now on.
    pub fn worker(&self) -> Arc<WorkerCounts> {
        let counts = Arc::<WorkerCounts>::default();
        locked(&self.workers).push(counts.clone());
        counts
    }

    /// How many requests of a class had each of [`STATUSES`], and how long they took.
    pub fn requests(&self, class: RequestClass) -> ([u64; STATUSES.len()], HistogramState) {
        let (mut sums, mut durations) = ([0; STATUSES.len()], HistogramState::default());
        for worker in locked(&self.workers).iter() {
            let counts = &worker.requests[class as usize];
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count.load(Ordering::Relaxed));
            worker.durations[class as usize].add_to(&mut durations);
        }
        (sums, durations)
    }

    /// Counts an attempt to send a webhook.
    pub fn note_webhook(&self, is_taken: bool) {
        self.webhooks[usize::from(!is_taken)].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes how a run of a job ended: an index of [`JOB_OUTCOMES`].
    pub fn note_job(&self, name: &str, outcome: usize, now: Timestamp) {
        let mut jobs = locked(&self.jobs);
        let runs = jobs.entry(name.to_owned()).or_default();
        runs.outcomes[outcome] += 1;
        if outcome == 0 {
            runs.last_success = Some(now);
        }
    }

    /// The runs of each job since the start.
    pub fn jobs(&self) -> BTreeMap<String, JobRuns> {
        locked(&self.jobs).clone()
    }

    /// Logs and counts a security event.
    pub fn note_security(&self, event: &SecurityEvent) {
        event.log();
        *locked(&self.security).entry((event.name, event.outcome)).or_default() += 1;
    }

    /// How often there was each security event, by name and outcome.
    pub fn security(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        locked(&self.security).clone()
    }
}

// After a panic the values are still whole: each change is one call.
fn locked<T>(values: &Mutex<T>) -> MutexGuard<'_, T> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_workers_are_one_sum() {
        let metrics = Metrics::default();
        let (one, other) = (metrics.worker(), metrics.worker());

        for status in [200, 204, 303, 401, 429, 503] {
            one.count(RequestClass::Page, status);
        }
        [200, 201].iter().for_each(|status| other.count(RequestClass::Page, *status));
        assert_eq!([0, 1, 2, 3].map(|_| one.is_sampled(3)), [true, false, false, true]);
        other.note_duration(RequestClass::Page, Duration::from_micros(250));
        other.note_duration(RequestClass::Page, Duration::from_secs(11));

        let (counts, durations) = metrics.requests(RequestClass::Page);
        assert_eq!(counts, [4, 1, 1, 1, 1]);
        assert_eq!((durations.count, durations.buckets[2], durations.buckets.iter().sum()), (2, 1, 1));
        assert_eq!(durations.sum_micros, 11_000_250);
        assert_eq!(metrics.requests(RequestClass::Api).0, [0; 5]);
    }
}
