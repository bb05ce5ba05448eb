//! What a visitor sees: few tests per door, against the real program.

mod console;
mod downloads;
mod enumeration;
mod factors;
mod front_proxies;
mod gateways;
mod inbox;
mod keys;
mod main_job;
pub mod oauth;
mod passwords;
mod profile;
mod programs;
mod redirects;
mod reference_client;
mod resources;
mod security;
mod services;
mod sessions;
mod shipped_gateways;
mod signing_in;
mod site;
mod step_up;
mod tls_scan;
mod tokens;
mod trash;
mod visitors;
