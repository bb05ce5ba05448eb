//! **For:** work that is done later, even if the machine stops in between.
//! **Words:** job, queue, runner, outcome, periodic work (runs on time and leaves no job).
//! **Tables:** `job`.
//! **Never:** knows what a job does; runs a job inside a request; loses a job that was committed.
//! **Start reading:** [`enqueue`], then `runner.rs`.

mod model;
mod ops;
mod periodic;
mod runner;
mod store;
mod tables;

pub use model::{ClaimedJob, NewJob, Outcome};
pub use ops::{enqueue, purge_finished};
pub use periodic::Periodic;
pub use runner::{JobFn, JobHandler, Runner, run_due};
pub use store::{STATEMENTS, delete_of_subject as forget};
pub use tables::TABLES;
