//! Limits password checks: a bounded number at once, and one at a time for the same subject.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::HashingBusy;

type SubjectLock = Arc<tokio::sync::Mutex<()>>;
type SubjectLocks = Mutex<HashMap<String, SubjectLock>>;

/// Gives out permits.
pub(super) struct Permits {
    slots: Arc<Semaphore>,
    locks: Arc<SubjectLocks>,
}

/// Permission to check a password for one subject. It ends when it is dropped, so keep it until the result of the check
/// is stored.
pub struct Permit {
    // Dropped in this order: the lock is released before the slot.
    lock: Option<OwnedMutexGuard<()>>,
    locks: Arc<SubjectLocks>,
    subject: String,
    _slot: OwnedSemaphorePermit,
}

impl Permits {
    /// Permits for at most `slots_max` callers, including those that wait for the same subject.
    pub(super) fn new(slots_max: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots_max)), locks: Arc::default() }
    }

    /// Waits until no other caller has a permit for the same subject.
    ///
    /// # Errors
    /// [`HashingBusy`] when all slots are taken.
    pub(super) async fn acquire(&self, subject: &str) -> Result<Permit, HashingBusy> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| HashingBusy)?;
        let lock = locked(&self.locks).entry(subject.to_owned()).or_default().clone();
        // Created before it waits, so that a caller that gives up waiting removes its lock as well.
        let mut permit = Permit { lock: None, locks: self.locks.clone(), subject: subject.to_owned(), _slot: slot };
        permit.lock = Some(lock.lock_owned().await);
        Ok(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.lock.take());
        let mut locks = locked(&self.locks);
        // Other callers that hold this lock or wait for it have a reference. No new reference can appear: the map is
        // locked.
        if locks.get(&self.subject).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.subject);
        }
    }
}

/// Locks the map. A panic while it was locked does no harm, because each change of the map is one step.
fn locked(locks: &SubjectLocks) -> std::sync::MutexGuard<'_, HashMap<String, SubjectLock>> {
    locks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn permits_are_exclusive_for_a_subject_and_limited_in_number() {
        let permits = Arc::new(Permits::new(10));
        let (active, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (permits, active, most) = (permits.clone(), active.clone(), most.clone());
                tokio::spawn(async move {
                    let _permit = permits.acquire("ada").await.unwrap();
                    most.fetch_max(active.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    active.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);

        let mut held = Vec::new();
        for number in 0..10 {
            held.push(permits.acquire(&number.to_string()).await.unwrap());
        }
        assert!(permits.acquire("ada").await.is_err());
        drop(held);
        assert!(locked(&permits.locks).is_empty(), "every unused lock is removed");
        assert!(permits.acquire("ada").await.is_ok());
    }
}
