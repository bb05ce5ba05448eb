//! Who may have a password checked now: so many at once, and one at a time about the same person.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::HashingBusy;

type Desk = Arc<tokio::sync::Mutex<()>>;
type Desks = Mutex<HashMap<String, Desk>>;

/// Gives turns.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    desks: Arc<Desks>,
}

/// A turn: lasts until it is dropped, so keep it until what the check said is written down.
pub struct Turn {
    // Dropped in this order: the desk is free before the place is.
    desk: Option<OwnedMutexGuard<()>>,
    desks: Arc<Desks>,
    about: String,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// With room for `places_max` callers, those who wait for their turn included.
    pub(super) fn new(places_max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places_max)), desks: Arc::default() }
    }

    /// Waits until nobody else has a turn about the same.
    pub(super) async fn take(&self, about: &str) -> Result<Turn, HashingBusy> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| HashingBusy)?;
        let desk = lock(&self.desks).entry(about.to_owned()).or_default().clone();
        // Made before it waits: whoever gives up waiting tidies the desk, too.
        let mut turn = Turn { desk: None, desks: self.desks.clone(), about: about.to_owned(), _place: place };
        turn.desk = Some(desk.lock_owned().await);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.desk.take());
        let mut desks = lock(&self.desks);
        // Whoever else sits or waits there holds it as well; only they get one out of the map, and the map is locked.
        if desks.get(&self.about).is_some_and(|desk| Arc::strong_count(desk) == 1) {
            desks.remove(&self.about);
        }
    }
}

/// A panic while the map was locked leaves a map that is as good as before: every change of it is one step.
fn lock(desks: &Desks) -> std::sync::MutexGuard<'_, HashMap<String, Desk>> {
    desks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_at_a_time_about_the_same_and_so_many_at_all() {
        let turns = Arc::new(Turns::new(10));
        let (at_work, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (turns, at_work, most) = (turns.clone(), at_work.clone(), most.clone());
                tokio::spawn(async move {
                    let _turn = turns.take("ada").await.unwrap();
                    most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    at_work.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);

        let mut held = Vec::new();
        for number in 0..10 {
            held.push(turns.take(&number.to_string()).await.unwrap());
        }
        assert!(turns.take("ada").await.is_err());
        drop(held);
        assert!(lock(&turns.desks).is_empty(), "nobody's desk stays");
        assert!(turns.take("ada").await.is_ok());
    }
}
