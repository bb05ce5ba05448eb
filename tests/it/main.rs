//! One test binary: what each operation promises (`ops`), what a visitor sees (`doors`), what must hold of everything
//! (`coverage`, `house`), the command line and its refusals (`cli`), and what survives a bad day (`faults`).

mod support;

mod coverage;
mod doors;
mod ops;

mod cli;
mod faults;
mod house;
mod package;
mod story;
