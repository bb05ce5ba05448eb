//! Who runs where, and behind whom.
//!
//! A core for each worker, so that two of them never take turns on one while the other core has nothing better to do than to
//! hash: the kernel spreads threads over cores by how busy they were, and sets itself right after some milliseconds; a
//! verification that comes meanwhile waits as long. What takes long is done [`beside`] workers, and whoever works for nobody
//! who waits stands behind them ([`step_back`]).

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::task::JoinHandle;

/// Behind those that answer requests: a verification must not wait for a batch of writes to be through with its core.
pub const BEHIND_WORKERS: i32 = 5;
/// The lowest priority: what all others leave over.
pub const LAST: i32 = 19;

/// Lowers the priority of the calling thread to `nice` (1 to 19).
pub fn step_back(nice: i32) {
    // On Linux this is about the calling thread alone. Where it is refused, everything works, only less politely.
    if let Err(error) = setpriority_process(None, nice) {
        tracing::debug!(%error, "A thread keeps its priority.");
    }
}

/// Does what takes long on a thread that may wait, on whichever core is free: the thread of a worker would pass its core on.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(move || {
        roam();
        work()
    })
}

thread_local! {
    /// Whether this thread was let off the core of the worker that began it.
    static ROAMS: Cell<bool> = const { Cell::new(false) };
    /// Whether this worker has its core: it is asked once for each address that is listened on.
    static HAS_CORE: Cell<bool> = const { Cell::new(false) };
}

/// Deals out the cores that the process may use.
pub struct Cores {
    allowed: Vec<usize>,
    dealt: AtomicUsize,
}

impl Cores {
    /// For so many workers. Where they are not as many as the cores, nobody is bound to one.
    pub fn for_workers(workers: usize) -> Self {
        let allowed = sched_getaffinity(None).map(|set| members(ALL.get_or_init(|| set))).unwrap_or_default();
        let allowed = if allowed.len() == workers { allowed } else { Vec::new() };
        Self { allowed, dealt: AtomicUsize::new(0) }
    }

    /// Binds the calling worker to the next core, the first time that it asks. Where that is refused, it runs wherever the kernel likes.
    pub fn take_one(&self) {
        if self.allowed.is_empty() || HAS_CORE.replace(true) {
            return;
        }
        let next = self.dealt.fetch_add(1, Ordering::Relaxed) % self.allowed.len();
        let mut own = CpuSet::new();
        own.set(self.allowed[next]);
        if let Err(error) = sched_setaffinity(None, &own) {
            tracing::debug!(%error, "A worker is not bound to a core.");
        }
    }
}

/// The cores of the process, as they were before workers were bound.
static ALL: OnceLock<CpuSet> = OnceLock::new();

/// Lets the calling thread off the core that it has from the worker that began it.
fn roam() {
    if !ROAMS.replace(true)
        && let Some(all) = ALL.get()
    {
        // Where it is refused, it stays where it is.
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
    fn as_many_workers_as_cores_have_one_each_and_others_none() {
        let all = members(&sched_getaffinity(None).unwrap());
        let taken = |workers: usize| -> Vec<Vec<usize>> {
            let cores = Cores::for_workers(workers);
            std::thread::scope(|scope| {
                let worker = || {
                    cores.take_one();
                    cores.take_one();
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
            cores.take_one();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { spawn_blocking(|| members(&sched_getaffinity(None).unwrap())).await }).unwrap()
        };
        let begun = std::thread::scope(|scope| scope.spawn(worker).join().unwrap());
        assert_eq!(begun, all, "what a worker begins works beside it");
    }
}
