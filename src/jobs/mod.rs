//! **For:** work that is done later, and done even when the machine stops in between.
//! **Words:** job, queue, runner, outcome.
//! **Tables:** `job`.
//! **Never:** decides what a job means; runs one inside a request; loses one that was committed.
//! **Start reading:** [`enqueue`], then `runner.rs`.

mod model;
mod ops;
mod runner;
mod store;

pub use model::{Claimed, NewJob, Outcome};
pub use ops::{enqueue, forget, purge_finished};
pub use runner::{Handler, Line, Runner, run_due};
pub use store::STATEMENTS;
