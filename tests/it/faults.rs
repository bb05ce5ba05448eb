//! A bad day: the process is killed, the disk fails or is full, bodies are absurd, copies are made blindly. Rows of the fault
//! catalogue are named where a test is theirs.

mod bad_requests;
mod disks;
mod kills;
mod snapshots_under_load;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Appliance};

/// What a service needs to report usage.
struct Reporter {
    service: String,
    workspace: String,
}

impl Reporter {
    fn new(site: &Appliance) -> Self {
        site.account("ada-l");
        Self { service: site.service("training"), workspace: site.workspace("ada-l") }
    }

    fn event(&self, id: &str) -> Value {
        json!({"id": id, "source": "https://gpu.example", "workspace": self.workspace, "sku": "gpu.h100",
               "quantity": "1", "time": "2026-05-03T09:00:00Z"})
    }

    /// Reports events; `None`: the server is gone.
    fn report(&self, site: &Appliance, ids: &[String]) -> Option<Answer> {
        let events: Vec<Value> = ids.iter().map(|id| self.event(id)).collect();
        site.call("POST", "/v1/usage/events").bearer(&self.service).json(&Value::Array(events)).try_send().ok()
    }
}

/// Tells threads to stop when it is dropped.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs `work` on a few threads until `meanwhile` is done; answers what the threads gathered.
fn while_working<T: Send, R>(
    threads: usize,
    work: impl Fn(usize, &AtomicBool) -> Vec<T> + Sync,
    meanwhile: impl FnOnce() -> R,
) -> (Vec<T>, R) {
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (work, stop_ref) = (&work, &stop);
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number, stop_ref))).collect();
        // Also where `meanwhile` panics: else the others would work for ever, and the test hang instead of fail.
        let stopping = Stops(&stop);
        let made = meanwhile();
        drop(stopping);
        let gathered = running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (gathered, made)
    })
}
