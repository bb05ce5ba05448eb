//! Tells a person on stderr what a command does that takes long.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::base::{Stopwatch, seconds};

/// Prints a line for each stage. At a terminal, the line of the present stage also counts its seconds.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    /// `None`: not at a terminal.
    counter: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The present stage, and since when. `None`: none has begun.
    stage: Option<(String, Stopwatch)>,
    is_over: bool,
}

impl Waiting {
    /// No stage has begun yet.
    pub(super) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let counted = shared.clone();
        let counter = std::io::stderr()
            .is_terminal()
            // Without the thread, the lines do not count.
            .then(|| std::thread::Builder::new().name("progress".into()).spawn(move || counted.count()).ok())
            .flatten();
        Self { shared, counter }
    }

    /// A stage begins: one sentence.
    pub(super) fn begin(&self, stage: &str) {
        let mut state = self.shared.lock();
        let is_terminal = self.counter.is_some();
        match (is_terminal, &state.stage) {
            (true, None) => show(stage),
            (true, Some(_)) => show(&format!("\n{stage}")),
            (false, _) => show(&format!("{stage}\n")),
        }
        state.stage = Some((stage.to_owned(), Stopwatch::start()));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        if let Some(counter) = self.counter.take() {
            // A panic of this thread was already reported when it happened.
            let _ = counter.join();
            if self.shared.lock().stage.is_some() {
                show("\n");
            }
        }
    }
}

/// Not with a macro, which would panic when nobody reads: the work goes on then.
fn show(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

impl Shared {
    fn count(&self) {
        let mut state = self.lock();
        while !state.is_over {
            let waited = self.changed.wait_timeout_while(state, seconds(1), |state| !state.is_over);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let (Some((stage, watch)), false) = (&state.stage, state.is_over)
                && watch.elapsed().as_secs() > 0
            {
                show(&format!("\r{stage} {} s", watch.elapsed().as_secs()));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
