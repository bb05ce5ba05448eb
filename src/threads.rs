//! CPU affinity and priorities of threads.
//!
//! Each worker has a core of its own. Otherwise two workers could share one core while the other core only hashes
//! passwords: the kernel places threads by how busy they were and corrects a bad placement only after some
//! milliseconds, and a verification that arrives in the meantime waits as long. Long work runs on other threads
//! ([`spawn_blocking`]), and threads that no request waits for have a lower priority ([`lower_priority`]).

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::task::JoinHandle;

/// A priority below the workers, for the writer: a verification must not wait for a core until a batch of writes is
/// done.
pub const BELOW_WORKERS: i32 = 5;
/// The lowest priority: the thread runs when no other one wants the core.
pub const LOWEST: i32 = 19;

/// Lowers the priority of the calling thread to `nice` (1 to 19).
pub fn lower_priority(nice: i32) {
    // On Linux this affects only the calling thread. If it is refused, everything works, but requests may wait longer.
    if let Err(error) = setpriority_process(None, nice) {
        tracing::debug!(%error, "The priority of a thread could not be lowered.");
    }
}

/// Runs long or blocking work on a thread that may use every core. (A new thread would inherit the single core of the
/// worker.)
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(move || {
        allow_all_cores();
        work()
    })
}

/// Runs long work on a thread of its own that has the lowest priority and may use every core. `None`: the work panicked.
/// If the future is dropped, the work goes on.
pub async fn in_background<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    let run = move || {
        allow_all_cores();
        lower_priority(LOWEST);
        // The one who waits may have gone away.
        let _ = done.send(work());
    };
    match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
        // A panic was reported when it happened.
        Ok(_) => result.await.ok(),
        Err(error) => {
            tracing::error!(%error, name, "A thread could not be started.");
            None
        }
    }
}

thread_local! {
    /// Whether this thread was released from the core of the worker that started it.
    static IS_ON_ALL_CORES: Cell<bool> = const { Cell::new(false) };
    /// Whether this worker has its core already: it asks once for each address that the server listens on.
    static IS_PINNED: Cell<bool> = const { Cell::new(false) };
}

/// Assigns the cores of the process to workers.
pub struct Cores {
    allowed: Vec<usize>,
    assigned: AtomicUsize,
}

impl Cores {
    /// Cores for this number of workers. If there are more or fewer workers than cores, no worker is pinned.
    pub fn for_workers(workers: usize) -> Self {
        let allowed = sched_getaffinity(None).map(|set| members(ALL.get_or_init(|| set))).unwrap_or_default();
        let allowed = if allowed.len() == workers { allowed } else { Vec::new() };
        Self { allowed, assigned: AtomicUsize::new(0) }
    }

    /// Pins the calling worker to the next core; further calls of the same worker do nothing. If the kernel refuses,
    /// the worker is not pinned.
    pub fn pin_this_worker(&self) {
        if self.allowed.is_empty() || IS_PINNED.replace(true) {
            return;
        }
        let next = self.assigned.fetch_add(1, Ordering::Relaxed) % self.allowed.len();
        let mut own = CpuSet::new();
        own.set(self.allowed[next]);
        if let Err(error) = sched_setaffinity(None, &own) {
            tracing::debug!(%error, "A worker could not be pinned to a core.");
        }
    }
}

/// The cores of the process before workers were pinned.
static ALL: OnceLock<CpuSet> = OnceLock::new();

/// Lets the calling thread use every core, instead of the one that it inherited from the worker that started it.
fn allow_all_cores() {
    if !IS_ON_ALL_CORES.replace(true)
        && let Some(all) = ALL.get()
    {
        // If the kernel refuses, the thread keeps its core.
        let _ = sched_setaffinity(None, all);
    }
}

fn members(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_pinned_only_if_there_is_one_for_each_core() {
        let all = members(&sched_getaffinity(None).unwrap());
        let taken = |workers: usize| -> Vec<Vec<usize>> {
            let cores = Cores::for_workers(workers);
            std::thread::scope(|scope| {
                let worker = || {
                    cores.pin_this_worker();
                    cores.pin_this_worker();
                    members(&sched_getaffinity(None).unwrap())
                };
                let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
                let mut taken: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
                taken.sort_unstable();
                taken
            })
        };

        assert_eq!(taken(all.len()), all.iter().map(|core| vec![*core]).collect::<Vec<_>>());
        assert_eq!(taken(all.len() + 1), vec![all.clone(); all.len() + 1]);

        let cores = Cores::for_workers(all.len());
        let worker = || {
            cores.pin_this_worker();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { spawn_blocking(|| members(&sched_getaffinity(None).unwrap())).await }).unwrap()
        };
        let cores_of_blocking_thread = std::thread::scope(|scope| scope.spawn(worker).join().unwrap());
        assert_eq!(cores_of_blocking_thread, all, "blocking work of a pinned worker may use every core");
    }
}
