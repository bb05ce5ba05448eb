//! **For:** the admin at the machine: the fourth door.
//! **Words:** command, result (on stdout), talk (on stderr), exit status.
//! **Tables:** none.
//! **Never:** does what no operation does; keeps a secret in an argument; touches a file as root that is another's.
//! **Start reading:** `arguments.rs`, then `run.rs`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's result is what it prints.

mod arguments;
mod check;
mod context;
mod demo;
mod factors;
mod failure;
mod health;
mod init;
mod invitations;
mod keys;
mod people;
mod run;
mod scan;
mod serve;
mod sessions;
mod site;

pub use failure::{Exit, Failure};
pub use run::run;
