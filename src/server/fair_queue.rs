//! Schedules page requests after API requests, so that a crowd of people never delays a program.
//!
//! A worker is one thread and runs whatever became ready first. Ten thousand people who sign in at the same moment
//! would all run before the next key verification. So page requests wait in a queue of their own: the worker admits
//! only a few of them between two polls of the network, and answers first whatever a program asked in the meantime.
//! Without a crowd no request waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// Page requests that are admitted between two polls of the network. Each takes about 50 µs, so a program waits at most
/// about 100 µs for them.
const ADMITTED_PER_POLL: usize = 2;

/// The queue of page requests. Each worker has one.
#[derive(Default)]
pub(super) struct FairQueue {
    /// The waiting requests, the oldest first.
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    /// Whether the task that admits requests is running: a request was admitted since the last poll of the network.
    is_running: Cell<bool>,
}

impl FairQueue {
    /// Waits until this request is admitted. A request that is cancelled while it waits passes its place on to the next
    /// one.
    pub(super) async fn wait(self: &Rc<Self>) {
        if !self.is_running.replace(true) {
            actix_web::rt::spawn(self.clone().run());
            return;
        }
        let (admit, admitted) = oneshot::channel();
        self.waiting.borrow_mut().push_back(admit);
        // The task runs until the queue is empty, and ends early only together with its worker.
        let _ = admitted.await;
    }

    async fn run(self: Rc<Self>) {
        loop {
            // Returns after the runtime has polled the network.
            tokio::task::yield_now().await;
            if !self.admit_some() {
                self.is_running.set(false);
                return;
            }
        }
    }

    /// Admits the next few requests. Returns whether there were any.
    fn admit_some(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let mut admitted = 0;
        while admitted < ADMITTED_PER_POLL
            && let Some(next) = waiting.pop_front()
        {
            admitted += usize::from(next.send(()).is_ok());
        }
        admitted > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that waits in the queue and counts itself once it is admitted.
    fn spawn_waiter(queue: &Rc<FairQueue>, admitted: &Rc<Cell<usize>>) -> actix_web::rt::task::JoinHandle<()> {
        let (queue, admitted) = (queue.clone(), admitted.clone());
        actix_web::rt::spawn(async move {
            queue.wait().await;
            admitted.set(admitted.get() + 1);
        })
    }

    /// Lets the other tasks run until the condition holds: far more often than a queue that works needs.
    async fn yield_until(condition: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if condition() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the queue admits no more requests");
    }

    #[actix_web::test]
    async fn a_crowd_is_admitted_a_few_at_a_time_until_the_queue_is_empty() {
        let (queue, admitted) = (Rc::new(FairQueue::default()), Rc::new(Cell::new(0)));
        let crowd: Vec<_> = (0..100).map(|_| spawn_waiter(&queue, &admitted)).collect();

        let mut before = 0;
        while admitted.get() < crowd.len() {
            tokio::task::yield_now().await;
            assert!(admitted.get() - before <= ADMITTED_PER_POLL, "{} at once", admitted.get() - before);
            before = admitted.get();
        }
        for one in crowd {
            one.await.unwrap();
        }
        assert!(queue.waiting.borrow().is_empty());
    }

    #[actix_web::test]
    async fn a_cancelled_request_delays_no_other_request() {
        let (queue, admitted) = (Rc::new(FairQueue::default()), Rc::new(Cell::new(0)));
        let cancelled: Vec<_> = (0..50).map(|_| spawn_waiter(&queue, &admitted)).collect();
        tokio::task::yield_now().await;
        cancelled.iter().for_each(actix_web::rt::task::JoinHandle::abort);
        admitted.set(0);

        let behind_them = spawn_waiter(&queue, &admitted);
        yield_until(|| behind_them.is_finished()).await;
        assert_eq!(admitted.get(), 1);

        // When the queue is empty the task ends, and the next request is admitted at once.
        yield_until(|| !queue.is_running.get()).await;
        spawn_waiter(&queue, &admitted).await.unwrap();
        assert_eq!(admitted.get(), 2);
    }
}
