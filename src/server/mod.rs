//! **For:** the front of the house: which path leads where, who stands at the door, how an answer leaves.
//! **Words:** front (the outermost layer), wicket (the small door beside it), identity, fault, readiness.
//! **Tables:** none.
//! **Never:** decides anything about the domain; lets an answer leave without its headers.
//! **Start reading:** `routes.rs`, then `front.rs`.

mod docs;
mod faults;
mod fresh;
mod front;
mod health;
mod hosts;
mod identify;
pub mod openapi;
pub mod pages;
mod routes;
mod run;
mod tls;
mod turnstile;
mod wicket;

pub use routes::{Access, ROUTES, Route};
pub use run::{Fatal, ServeError, Served, check_tls, serve, serve_and_wait};
