//! What a visitor sees: few tests per door, against the real program.

mod downloads;
mod enumeration;
mod factors;
mod gateways;
mod main_job;
mod passwords;
mod profile;
mod reference_client;
mod security;
mod shipped_gateways;
mod step_up;
mod tokens;
mod ways_in;
