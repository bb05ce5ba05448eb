//! **For:** admins at the machine.
//! **Words:** command, result (on stdout), message (on stderr), exit status.
//! **Tables:** none.
//! **Never:** does what no operation does; takes a secret as an argument; creates or changes files of other users as
//! root.
//! **Start reading:** `arguments.rs`, then `run.rs`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's result is what it prints.

mod arguments;
mod backup;
mod check;
mod context;
mod demo;
mod factors;
mod failure;
mod health;
mod init;
mod invitations;
mod keys;
mod log;
mod maintenance;
mod people;
mod restore;
mod run;
mod scan;
mod serve;
mod sessions;
mod site;
mod status;
mod waiting;

pub use failure::{Exit, Failure};
pub use run::run;
