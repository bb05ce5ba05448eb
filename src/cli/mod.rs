//! **For:** admins at the machine.
//! **Words:** command, result (on stdout), message (on stderr), exit status.
//! **Tables:** none.
//! **Never:** does what no operation does; takes a secret as an argument; creates or changes files of other users as
//! root.
//! **Start reading:** `arguments/mod.rs`, then `run.rs`.

mod arguments;
mod audit;
mod backup;
mod check;
mod context;
mod demo;
mod doctor;
mod erasures;
mod factors;
mod failure;
mod health;
mod inbox;
mod init;
mod invitations;
mod keys;
mod log;
mod mail;
mod maintenance;
mod manual;
mod output;
mod people;
mod resources;
mod restore;
mod run;
mod scan;
mod serve;
mod services;
mod sessions;
mod site;
mod status;
mod unit;
mod vouchers;
mod waiting;
mod web;

pub use failure::{Exit, Failure};
pub use run::run;
