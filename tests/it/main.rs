//! One test binary: what each operation promises (`ops`), what a visitor sees (`http`), what must hold of everything
//! (`coverage`, `architecture`), the command line and its refusals (`cli`), what survives a bad day
//! (`faults`, `restore`), and what databases of earlier releases keep (`upgrade`), and the words that people and programs read (`texts`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)] // A test stops where something is not as it must be.

mod support;

mod coverage;
mod http;
mod ops;

mod architecture;
mod cli;
mod faults;
mod manual;
mod monitoring;
mod package;
mod restore;
mod story;
mod texts;
mod upgrade;
