//! Connections to other machines: e-mail and HTTP calls. No other module opens one.

mod addresses;
mod documents;
mod http_client;
mod mail;

pub use documents::Freshness;
pub use http_client::{CallError, HttpClient, Reply};
pub use mail::{Envelope, Transport, TransportError};
