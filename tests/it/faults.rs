//! Faults: the process is killed, the disk fails or is full, requests are malformed, backups copy during a publication.
//! A test name includes the row of the fault catalogue that it covers.

mod bad_requests;
mod bounds;
mod clock;
mod damage;
mod disks;
mod kills;
mod previous;
mod restarts;
mod snapshots_under_load;
mod upgrades;

pub use disks::{Disk, run};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Appliance};

/// A service that reports usage for one workspace.
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

    /// Reports events. `None`: the server is not running.
    fn report(&self, site: &Appliance, ids: &[String]) -> Option<Answer> {
        let events: Vec<Value> = ids.iter().map(|id| self.event(id)).collect();
        site.call("POST", "/v1/usage/events").bearer(&self.service).json(&Value::Array(events)).try_send().ok()
    }
}

/// Sets the stop flag when it is dropped.
struct StopOnDrop<'s>(&'s AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs `work` on `threads` threads until `meanwhile` returns. Returns the results of all threads and of `meanwhile`.
fn while_working<T: Send, R>(
    threads: usize,
    work: impl Fn(usize, &AtomicBool) -> Vec<T> + Sync,
    meanwhile: impl FnOnce() -> R,
) -> (Vec<T>, R) {
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (work, stop_ref) = (&work, &stop);
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number, stop_ref))).collect();
        // Stops the threads even if `meanwhile` panics. Otherwise the test would hang instead of failing.
        let stopping = StopOnDrop(&stop);
        let result = meanwhile();
        drop(stopping);
        let results = running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (results, result)
    })
}
