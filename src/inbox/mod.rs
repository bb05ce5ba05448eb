//! **For:** asking services to act (delete, export, stop), and knowing whether they did.
//! **Words:** command, inbox (the open commands of a service), acknowledgement, deadline, webhook, endpoint, delivery.
//! **Tables:** `service_command`, `webhook_endpoint`, `webhook_delivery`.
//! **Never:** counts a command as done before its service said so; lets one slow service delay another.
//! **Start reading:** [`send`] and [`acknowledge`], then `flows.rs`, which sends webhooks.

mod error;
mod events;
mod flows;
mod message;
mod model;
mod ops;
mod polls;
pub mod replay;
mod signature;
mod store;
mod tables;

pub use error::InboxError;
pub use events::InboxEvent;
pub use flows::{deliver_due, deliver_webhooks};
pub use message::CommandMessage;
pub use model::{
    AckHandler, AckOutcome, Acknowledged, Acknowledgement, Command, CommandFilter, CommandKind, CommandOutcome,
    Delivery, End, NewCommand, Overdue, Retention, RetentionBasis, WebhookEndpoint, WebhookState,
};
pub use ops::{
    acknowledge, cancel, close_failed, create_webhook_secret, inbox, list_commands, newest_commands, notice, ping,
    purge_old, retry_now, rotate_webhook_secret, send, set_webhook, webhook,
};
pub use polls::{PollPermit, WaitingPolls};
pub use store::{
    COMMAND_STATEMENTS, WEBHOOK_STATEMENTS, cancel_open, delete_about as forget, find as find_command,
    list_deliveries as deliveries, list_needing_care, overdue,
};
pub use tables::TABLES;
