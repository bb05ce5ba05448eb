//! The only way out of the appliance: nothing else opens a connection to another machine.

mod mail;

pub use mail::{Envelope, Transport, TransportError};
