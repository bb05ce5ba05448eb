//! **For:** the HTTP server: which handler answers a path, who sends a request, and which headers a response has.
//! **Words:** middleware (the outermost layer), fast path (answers verifications before the router), identity, fault,
//! readiness.
//! **Tables:** none.
//! **Never:** decides anything about the domain; sends a response without its security headers.
//! **Start reading:** `routes.rs`, then `middleware.rs`.

mod bounds;
mod docs;
mod fair_queue;
mod fast_path;
mod faults;
mod frame;
mod fresh;
mod health;
mod hosts;
mod identify;
mod incidents;
mod listeners;
mod man_pages;
mod manual;
mod metrics;
mod middleware;
pub mod openapi;
pub mod pages;
mod redirect;
mod route;
mod router;
mod routes;
mod run;
mod site_files;
mod tls;

pub use man_pages::manual_chapters;
pub use metrics::{FAMILIES as METRICS, Family as Metric, Kind as MetricKind};
pub use route::{Access, ClientKind, FastAnswer, Route};
pub use routes::ROUTES;
pub use run::{Fatal, ReadSettings, ServeError, ServeOutcome, check_tls, serve, serve_and_wait};
pub use tls::{Certificate, configured_certificate, self_signed_certificate};
