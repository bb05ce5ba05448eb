//! What the writer does for its callers: the closure of one caller, or requests of one kind from many callers.
//!
//! Requests that are asked for together are handled at once, in one savepoint: a price list is read once, and one
//! posting moves the sum. Each caller still gets an answer of its own. If they cannot be handled together, the savepoint
//! is rolled back and each request is handled alone in its own, so a caller never notices the others.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::answers::{Answers, Reply};
use super::{Error, Tx};

/// Requests that are handled together at most. This limits how long other callers wait.
const TOGETHER_MAX: usize = 256;

/// Work for the writer, with its results kept until the commit.
pub(super) trait Work: Send + Any {
    /// Does the work. `true`: keep the changes.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Adds the answers to the callers. `failure`: why the transaction was not committed.
    fn answer(self: Box<Self>, failure: Option<Error>, answers: &mut Answers);
    /// Whether it can join others of its kind.
    fn is_joinable(&self) -> bool {
        false
    }
    /// Takes the callers of another work, which is empty afterwards. `false`: it is of another kind, or there are too
    /// many.
    fn join(&mut self, _other: &mut dyn Work) -> bool {
        false
    }
    /// A work for each of several callers, after their changes were rolled back. Empty: there is one caller only.
    fn split(&mut self) -> Vec<Box<dyn Work>> {
        Vec::new()
    }
}

/// The works of one commit.
pub(super) struct Batch {
    works: Vec<Box<dyn Work>>,
    done: usize,
    /// Those that added rows to the journal.
    journaled: Vec<usize>,
}

impl Batch {
    pub(super) fn starting_with(first: Box<dyn Work>) -> Self {
        Self { works: vec![first], done: 0, journaled: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.works.len()
    }

    /// Adds a work, to one of its kind that was not run yet where there is one.
    pub(super) fn add(&mut self, mut work: Box<dyn Work>) {
        let mut waiting = self.works[self.done..].iter_mut().rev();
        if !(work.is_joinable() && waiting.any(|other| other.join(work.as_mut()))) {
            self.works.push(work);
        }
    }

    /// The next work to run.
    pub(super) fn next(&mut self) -> Option<&mut dyn Work> {
        let work = self.works.get_mut(self.done)?;
        self.done += 1;
        Some(work.as_mut())
    }

    /// Adds the parts of the work that was run last and rolled back.
    pub(super) fn split_last(&mut self) {
        let parts = self.works[self.done - 1].split();
        self.works.extend(parts);
    }

    /// Notes that the work that was run last added rows to the journal.
    pub(super) fn note_journal(&mut self) {
        self.journaled.push(self.done - 1);
    }

    /// Whether the journal has new rows.
    pub(super) fn has_journal(&self) -> bool {
        !self.journaled.is_empty()
    }

    /// Answers all callers after the commit. `failure`: why the new rows of the journal are not in its file. Only their
    /// callers get it.
    pub(super) fn answer_committed(self, failure: Option<&Error>) {
        let mut answers = Answers::default();
        for (index, work) in self.works.into_iter().enumerate() {
            let failure = failure.filter(|_| self.journaled.contains(&index));
            work.answer(failure.map(|error| Error::JournalNotWritten(error.to_string())), &mut answers);
        }
        answers.deliver();
    }

    /// Answers all callers, each with the same failure if there is one.
    pub(super) fn answer(self, failure: Option<Error>) {
        // The first caller gets the failure itself, which says more than its copies.
        let copy = failure.as_ref().map(Error::copies);
        let mut original = failure;
        let mut answers = Answers::default();
        for work in self.works {
            let failure = original.take().or_else(|| copy.as_ref().map(|copy| copy()));
            work.answer(failure, &mut answers);
        }
        answers.deliver();
    }
}

/// The answer to a caller whose operation had this outcome.
fn answer_to<T, E: From<Error>>(outcome: Option<Result<T, E>>, failure: Option<Error>) -> Result<T, E> {
    match (failure, outcome) {
        // An operation that returned an error returns it whatever happens to the commit of the others.
        (_, Some(Err(refusal))) => Err(refusal),
        (Some(failure), _) => Err(failure.into()),
        (None, Some(Ok(value))) => Ok(value),
        (None, None) => Err(Error::Stopped.into()),
    }
}

/// The closure of one caller.
pub(super) struct Alone<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: Reply<Result<T, E>>,
}

impl<F, T, E> Alone<F, T, E> {
    pub(super) fn new(work: F, reply: Reply<Result<T, E>>) -> Self {
        Self { work: Some(work), outcome: None, reply }
    }
}

impl<F, T, E> Work for Alone<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Unwinding leaves no shared state half changed: the savepoint is rolled back, and the closure owned all it
        // used.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| Err(Error::Panicked.into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<Error>, answers: &mut Answers) {
        answers.add(self.reply, answer_to(self.outcome, failure));
    }
}

/// Handles requests of one kind. The answers are in the order of the requests. A request with an error has changed
/// nothing; an error of the function undoes all of them, and each is then handled alone.
pub type Handler<R, T, E> = fn(&mut Tx<'_>, &[R]) -> Result<Vec<Result<T, E>>, E>;

/// Requests of one kind, from one caller or more.
pub(super) struct Together<R, T, E> {
    handler: Handler<R, T, E>,
    requests: Vec<R>,
    replies: Vec<Reply<Result<T, E>>>,
    /// In the order of the replies. Missing ones: it did not run, or was rolled back.
    outcomes: Vec<Result<T, E>>,
}

impl<R, T, E> Together<R, T, E> {
    pub(super) fn new(handler: Handler<R, T, E>, request: R, reply: Reply<Result<T, E>>) -> Self {
        Self { handler, requests: vec![request], replies: vec![reply], outcomes: Vec::new() }
    }
}

impl<R, T, E> Work for Together<R, T, E>
where
    R: Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // As for one caller: what the function used is rolled back, and only read by a second attempt.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.handler)(tx, &self.requests)))
            .unwrap_or_else(|_| Err(Error::Panicked.into()));
        match outcome {
            Ok(outcomes) if outcomes.len() == self.requests.len() => {
                self.outcomes = outcomes;
                true
            }
            Ok(_) => false,
            Err(error) => {
                if self.requests.len() == 1 {
                    self.outcomes = vec![Err(error)];
                }
                false
            }
        }
    }

    fn answer(self: Box<Self>, failure: Option<Error>, answers: &mut Answers) {
        let copy = failure.as_ref().map(Error::copies);
        let mut outcomes = self.outcomes.into_iter();
        for reply in self.replies {
            answers.add(reply, answer_to(outcomes.next(), copy.as_ref().map(|copy| copy())));
        }
    }

    fn is_joinable(&self) -> bool {
        true
    }

    fn join(&mut self, other: &mut dyn Work) -> bool {
        let Some(other) = (other as &mut dyn Any).downcast_mut::<Self>() else { return false };
        let is_same = std::ptr::fn_addr_eq(self.handler, other.handler);
        if !is_same || self.requests.len() + other.requests.len() > TOGETHER_MAX {
            return false;
        }
        self.requests.append(&mut other.requests);
        self.replies.append(&mut other.replies);
        true
    }

    fn split(&mut self) -> Vec<Box<dyn Work>> {
        if self.requests.len() == 1 {
            return Vec::new();
        }
        let (requests, replies) = (self.requests.drain(..), self.replies.drain(..));
        let each = requests.zip(replies);
        each.map(|(request, reply)| Box::new(Self::new(self.handler, request, reply)) as Box<dyn Work>).collect()
    }
}
