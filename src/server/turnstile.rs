//! Lets the requests of people in one by one, so that those of programs never wait behind a crowd.
//!
//! A worker is one thread and does what became ready first. Ten thousand people who sign in at the same moment would all
//! stand before the next verification. So they stand in a line of their own: between two looks at the network only a few of
//! them are let in, and whatever a program asked meanwhile is answered first. Where there is no crowd nobody waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// People let in between two looks at the network. At some 50 µs each, a program waits no longer for them.
const LET_IN: usize = 2;

/// One of each worker.
#[derive(Default)]
pub(super) struct Turnstile {
    /// Those who wait, the first in front.
    line: RefCell<VecDeque<oneshot::Sender<()>>>,
    /// Whether somebody was let in since the last look at the network.
    is_turning: Cell<bool>,
}

impl Turnstile {
    /// Waits until it is this one's turn. Whoever goes away meanwhile gives it to the next.
    pub(super) async fn pass(self: &Rc<Self>) {
        if !self.is_turning.replace(true) {
            actix_web::rt::spawn(self.clone().turn());
            return;
        }
        let (let_in, turn) = oneshot::channel();
        self.line.borrow_mut().push_back(let_in);
        // The turnstile turns for as long as there is a line, and ends only with its worker.
        let _ = turn.await;
    }

    async fn turn(self: Rc<Self>) {
        loop {
            // Comes back after the runtime has looked at the network.
            tokio::task::yield_now().await;
            if !self.let_some_in() {
                self.is_turning.set(false);
                return;
            }
        }
    }

    /// Whether there was anybody to let in.
    fn let_some_in(&self) -> bool {
        let mut line = self.line.borrow_mut();
        let mut let_in = 0;
        while let_in < LET_IN
            && let Some(next) = line.pop_front()
        {
            let_in += usize::from(next.send(()).is_ok());
        }
        let_in > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who passes and says so.
    fn passes(turnstile: &Rc<Turnstile>, passed: &Rc<Cell<usize>>) -> actix_web::rt::task::JoinHandle<()> {
        let (turnstile, passed) = (turnstile.clone(), passed.clone());
        actix_web::rt::spawn(async move {
            turnstile.pass().await;
            passed.set(passed.get() + 1);
        })
    }

    /// Lets the others go on, more often than a turnstile that turns would need.
    async fn turns_until(is_so: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if is_so() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the turnstile stands still");
    }

    #[actix_web::test]
    async fn a_crowd_is_let_in_a_few_at_a_time_and_in_the_end_all_of_it() {
        let (turnstile, passed) = (Rc::new(Turnstile::default()), Rc::new(Cell::new(0)));
        let crowd: Vec<_> = (0..100).map(|_| passes(&turnstile, &passed)).collect();

        let mut before = 0;
        while passed.get() < crowd.len() {
            tokio::task::yield_now().await;
            assert!(passed.get() - before <= LET_IN, "{} at once", passed.get() - before);
            before = passed.get();
        }
        for one in crowd {
            one.await.unwrap();
        }
        assert!(turnstile.line.borrow().is_empty());
    }

    #[actix_web::test]
    async fn whoever_goes_away_holds_up_nobody() {
        let (turnstile, passed) = (Rc::new(Turnstile::default()), Rc::new(Cell::new(0)));
        let gone: Vec<_> = (0..50).map(|_| passes(&turnstile, &passed)).collect();
        tokio::task::yield_now().await;
        gone.iter().for_each(actix_web::rt::task::JoinHandle::abort);
        passed.set(0);

        let behind_them = passes(&turnstile, &passed);
        turns_until(|| behind_them.is_finished()).await;
        assert_eq!(passed.get(), 1);

        // With nobody in the line it stands still, and the next one passes at once.
        turns_until(|| !turnstile.is_turning.get()).await;
        passes(&turnstile, &passed).await.unwrap();
        assert_eq!(passed.get(), 2);
    }
}
