//! Delivers the answers of a commit: all answers for one worker thread with one wake-up.
//!
//! A commit answers up to hundreds of callers on a few threads. If each answer woke its thread by itself, the thread would
//! wake up, answer one request and sleep again, as often as there are callers, and would take the core from the writer
//! each time. So a thread that has called [`receive_answers_here`] gets a list for each commit.

use std::cell::RefCell;

use tokio::sync::{mpsc, oneshot};

/// Hands one result to the caller that waits for it.
type Answer = Box<dyn FnOnce() + Send>;
/// The sending end of a thread's lists.
type Lists = mpsc::UnboundedSender<Vec<Answer>>;

thread_local! {
    static OWN_LISTS: RefCell<Option<Lists>> = const { RefCell::new(None) };
}

/// Lets the calling thread receive the answers of each commit together. Further calls of the same thread do nothing. Call
/// it within a `LocalSet`, whose tasks then deliver the answers.
pub fn receive_answers_here() {
    let is_new = OWN_LISTS.with_borrow(|lists| lists.as_ref().is_none_or(mpsc::UnboundedSender::is_closed));
    if !is_new {
        return;
    }
    let (sender, mut lists) = mpsc::unbounded_channel::<Vec<Answer>>();
    OWN_LISTS.set(Some(sender));
    tokio::task::spawn_local(async move {
        while let Some(list) = lists.recv().await {
            list.into_iter().for_each(|answer| answer());
        }
    });
}

/// Where the answer to one caller goes.
pub(super) struct Reply<R> {
    result: oneshot::Sender<R>,
    /// `None`: the caller's thread takes each answer by itself.
    thread: Option<Lists>,
}

impl<R: Send + 'static> Reply<R> {
    /// A reply to the calling thread, and the end that waits for it.
    pub(super) fn to_this_thread() -> (Self, oneshot::Receiver<R>) {
        let (result, receiver) = oneshot::channel();
        (Self { result, thread: OWN_LISTS.with_borrow(Clone::clone) }, receiver)
    }
}

/// The answers of one commit.
#[derive(Default)]
pub(super) struct Answers {
    by_thread: Vec<(Lists, Vec<Answer>)>,
}

impl Answers {
    /// Adds an answer. It is delivered at once if its caller's thread takes answers one by one.
    pub(super) fn add<R: Send + 'static>(&mut self, reply: Reply<R>, result: R) {
        let Reply { result: sender, thread } = reply;
        // The caller may have gone away. The work is committed all the same.
        let answer = move || drop(sender.send(result));
        let Some(thread) = thread else { return answer() };
        match self.by_thread.iter_mut().find(|(lists, _)| lists.same_channel(&thread)) {
            Some((_, list)) => list.push(Box::new(answer)),
            None => self.by_thread.push((thread, vec![Box::new(answer)])),
        }
    }

    /// Delivers what was added.
    pub(super) fn deliver(self) {
        for (thread, list) in self.by_thread {
            // A thread that has ended has no callers that wait: their futures are dropped with it.
            let _ = thread.send(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;
    use tokio::task::LocalSet;

    use super::*;

    fn block_on(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, work);
    }

    #[test]
    fn a_thread_with_lists_takes_all_answers_of_a_commit_by_itself() {
        block_on(async {
            receive_answers_here();
            receive_answers_here();
            let mut answers = Answers::default();
            let mut waiting: Vec<_> = (0..3)
                .map(|number| {
                    let (reply, receiver) = Reply::to_this_thread();
                    answers.add(reply, number);
                    receiver
                })
                .collect();
            assert_eq!(answers.by_thread.len(), 1, "one list, so one wake-up");

            answers.deliver();
            assert!(waiting.iter_mut().all(|receiver| receiver.try_recv() == Err(TryRecvError::Empty)));

            for (number, receiver) in waiting.into_iter().enumerate() {
                assert_eq!(receiver.await, Ok(number));
            }
        });
    }

    #[test]
    fn a_thread_without_lists_gets_its_answer_at_once() {
        let (reply, mut receiver) = Reply::to_this_thread();

        Answers::default().add(reply, 7);

        assert_eq!(receiver.try_recv(), Ok(7));
    }

    #[test]
    fn answers_to_a_thread_that_has_ended_do_no_harm() {
        let ended = std::thread::spawn(|| {
            let mut kept = None;
            block_on(async {
                receive_answers_here();
                kept = Some(Reply::to_this_thread());
            });
            kept
        });
        let (reply, receiver) = ended.join().unwrap().unwrap();
        let mut answers = Answers::default();
        answers.add(reply, 7);

        answers.deliver();

        assert!(receiver.blocking_recv().is_err());
    }
}
