//! Says how a long upgrade goes: in the log, and to systemd, which would otherwise end a start that takes long.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use sd_notify::NotifyState;

use crate::base::{Stopwatch, seconds};

/// Seconds between two messages about the same step.
const INTERVAL: u64 = 10;
/// Seconds that systemd waits for the next message. Much longer than the interval, for a machine that is busy.
const PATIENCE: u64 = 120;
/// Seconds after which systemd is asked for no more time, so that an upgrade that hangs does not hang forever.
const TIME_MAX: u64 = 6 * 3600;

/// Reports the step that an upgrade is at, until it is dropped.
pub(super) struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    step: String,
    is_over: bool,
}

impl Progress {
    /// Starts to report.
    pub(super) fn start() -> Self {
        let state = Mutex::new(State { step: "The database is upgraded.".into(), is_over: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let reported = shared.clone();
        let thread = std::thread::Builder::new().name("upgrade".into()).spawn(move || reported.repeat());
        // Without the thread, the steps are still reported when they begin.
        Self { shared, thread: thread.ok() }
    }

    /// The next step begins. One sentence.
    pub(super) fn step(&self, step: impl Into<String>) {
        let step = step.into();
        tracing::info!("{step}");
        ask_for_time(&step);
        self.shared.lock().step = step;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of this thread was already reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn repeat(&self) {
        let watch = Stopwatch::start();
        let mut state = self.lock();
        loop {
            let wait = self.changed.wait_timeout_while(state, seconds(INTERVAL), |state| !state.is_over);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
            let passed = watch.elapsed().as_secs();
            if state.is_over || passed > TIME_MAX {
                return;
            }
            tracing::info!(seconds = passed, "Still running: {}", state.step);
            ask_for_time(&state.step);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells systemd what the program does, and that it must not be ended before the next message is due.
fn ask_for_time(step: &str) {
    let patience = u32::try_from(PATIENCE * 1_000_000).unwrap_or(u32::MAX);
    // If systemd does not listen, nobody waits.
    let _ = sd_notify::notify(&[NotifyState::Status(step), NotifyState::ExtendTimeoutUsec(patience)]);
}
