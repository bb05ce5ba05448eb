//! The only way out of the appliance: nothing else opens a connection to another machine.

mod addresses;
mod caller;
mod documents;
mod mail;

pub use caller::{CallError, Caller, Reply};
pub use documents::Wanted;
pub use mail::{Envelope, Transport, TransportError};
