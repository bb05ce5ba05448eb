//! **For:** the operator console: how the appliance is doing, and the services that are connected to it, and what they
//! did about erasures.
//! **Words:** operator (a person who runs the appliance), attention (what an operator has to act on), grant (what a service
//! may do).
//! **Tables:** none of its own.
//! **Never:** decides what an operator may do, or changes anything: the modules below do; shows a person's data.
//! **Start reading:** [`read_overview`], then [`pages`].

mod flashes;
mod model;
mod ops;
pub mod pages;

pub use flashes::ConsoleFlash;
pub use model::{CommandDetails, ListedService, Overview, ServiceDetails, SnapshotState, WebhookDetails};
pub use ops::{list_services, read_command, read_overview, read_service};
