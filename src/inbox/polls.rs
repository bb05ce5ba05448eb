//! How many requests of a service may wait for a command.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::InboxError;
use crate::base::ServiceId;

/// Requests of one service that can wait at the same time.
const OF_SERVICE_MAX: usize = 16;

/// The requests of each service that wait for a command.
#[derive(Default)]
pub struct WaitingPolls(Mutex<HashMap<ServiceId, usize>>);

/// A place among the waiting requests of a service, which is free again when it is dropped.
pub struct PollPermit<'p>(&'p WaitingPolls, ServiceId);

impl WaitingPolls {
    /// A place for one more request of the service.
    ///
    /// # Errors
    /// [`InboxError::TooManyPolls`] when 16 wait.
    pub fn enter(&self, service: ServiceId) -> Result<PollPermit<'_>, InboxError> {
        // After a panic the lock still protects only counts.
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(service).or_default();
        if *count >= OF_SERVICE_MAX {
            return Err(InboxError::TooManyPolls);
        }
        *count += 1;
        Ok(PollPermit(self, service))
    }
}

impl Drop for PollPermit<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Timestamp};

    #[test]
    fn a_service_can_wait_sixteen_times_and_takes_no_place_of_another() {
        let polls = WaitingPolls::default();
        let mut rng = Rng::seeded(1);
        let [farm, other] = [(); 2].map(|()| ServiceId::new(Timestamp::from_millis(1), &mut rng));
        let mut waiting: Vec<_> = (0..16).map(|_| polls.enter(farm).unwrap()).collect();
        assert!(matches!(polls.enter(farm).map(drop), Err(InboxError::TooManyPolls)));
        assert!(polls.enter(other).is_ok());
        drop(waiting.pop());
        assert!(polls.enter(farm).is_ok());
        drop(waiting);
        assert!(polls.0.lock().unwrap().is_empty());
    }
}
