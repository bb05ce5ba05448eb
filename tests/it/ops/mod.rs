//! What each operation promises, through the faces of the slices. Mirrors `src/<slice>/ops.rs`.

mod accounts;
mod activity;
mod api_keys;
mod audit;
mod billing;
mod emails;
mod factors;
mod invitations;
mod jobs_and_mail;
mod journal;
mod not_me;
mod oauth;
mod passwords;
mod people;
mod privacy;
mod retention;
mod schedule;
mod seed;
mod sessions;
mod settings;
mod signin;
mod snapshots;
mod store;
mod throttling;
mod tokens;
mod verification;
