//! What a visitor sees: few tests per door, against the real program.

mod main_job;
mod ways_in;
