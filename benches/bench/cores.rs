//! Which core and which priority a thread has, so that the server and its load do not disturb each other.

/// Where a thread or process may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Core {
    /// On every core.
    Any,
    /// Only on this core, so that server and load do not share one.
    Only(usize),
}

/// The core of the server in comparisons.
pub const SERVERS: Core = Core::Only(0);
/// The core of the load in comparisons.
pub const LOADS: Core = Core::Only(1);

/// Pins the calling thread, and the threads and processes that it starts from now on.
pub fn pin_this_thread(core: Core) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = rustix::thread::CpuSet::new();
    match core {
        Core::Only(core) => set.set(core),
        Core::Any => (0..cores.max(ALL_CORES)).for_each(|core| set.set(core)),
    }
    // If this is refused, the figures are noisier but still valid.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

/// Sets the priority of the calling thread.
pub fn set_priority(nice: i32) {
    // Only root may raise a priority. If this is refused, the figures are noisier but still valid.
    let _ = rustix::process::setpriority_process(None, nice);
}

/// The number of cores in the set of all cores. The system ignores cores that do not exist.
const ALL_CORES: usize = 64;
