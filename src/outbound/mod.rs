//! Connections to other machines: e-mail and HTTP calls. No other module opens one.

mod addresses;
mod documents;
mod http_client;
mod mail;
mod smtp;
mod trust;

pub use documents::Freshness;
pub use http_client::{CallError, FailedPost, HttpClient, Reply, check_webhook_url};
pub use mail::{Delivery, Envelope, Transport, TransportError};
pub use smtp::{Cause, DeliveryError, DialogueLine, Listener, MailFailure, Stage};
pub use trust::{Authorities, CertificateVerdict, UnjudgedConnection, connect_unjudged};
