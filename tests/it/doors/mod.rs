//! What a visitor sees: few tests per door, against the real program.

mod downloads;
mod enumeration;
mod factors;
mod gateways;
mod main_job;
mod passwords;
mod profile;
mod redirects;
mod security;
mod sessions;
mod step_up;
mod ways_in;
