#![doc = include_str!("ARCHITECTURE.md")]

pub mod base;
pub mod config;
pub mod crypto;
pub mod threads;

pub mod db;
pub mod outbound;

pub mod journal;

pub mod app;

pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod machine;

pub mod audit;
pub mod mail;

pub mod accounts;
pub mod invitations;
pub mod people;
pub mod workspaces;

pub mod api_keys;
pub mod sessions;

pub mod verification;

pub mod tokens;

pub mod inbox;

pub mod factors;
pub mod services;

pub mod resources;

pub mod billing;

pub mod signin;

pub mod privacy;

pub mod activity;
pub mod clock;
pub mod snapshots;

pub mod restore;

pub mod maintenance;

pub mod console;
pub mod settings;

pub mod schedule;
pub mod server;

pub mod cli;
