//! Refusals that are committed: a wrong proof is counted and recorded, and still refused.

/// What an operation decided. Its transaction is committed in both cases.
///
/// ```text
/// Ok(Decision::Done(value))       committed; the caller gets `Ok(value)`
/// Ok(Decision::Refused(error))    committed, with the counted attempt and the event; the caller gets `Err(error)`
/// Err(error)                      rolled back, as for every operation; the caller gets `Err(error)`
/// ```
/// Only the store turns a decision into a result, after the commit: [`super::Store::write_deciding`]. An operation that
/// calls another one has to name both cases, so `?` cannot roll a counted attempt back by mistake.
#[derive(Debug)]
#[must_use = "a refusal must reach the caller"]
pub enum Decision<T, E> {
    /// The operation did what it was asked for.
    Done(T),
    /// The operation refused. What it wrote stays.
    Refused(E),
}

/// The result of an operation with a [`Decision`].
pub type Decided<T, E> = Result<Decision<T, E>, E>;

impl<T, E> Decision<T, E> {
    /// The same decision with another value.
    pub fn map<U>(self, then: impl FnOnce(T) -> U) -> Decision<U, E> {
        match self {
            Self::Done(value) => Decision::Done(then(value)),
            Self::Refused(error) => Decision::Refused(error),
        }
    }

    /// Only after the commit.
    pub(super) fn into_result(self) -> Result<T, E> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(error) => Err(error),
        }
    }
}
