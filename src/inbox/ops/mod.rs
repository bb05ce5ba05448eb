//! Operations on commands and on the webhooks of services.

mod commands;
mod deliveries;
mod webhooks;

pub use commands::{
    acknowledge, cancel, close_failed, inbox, list_commands, newest_commands, notice, ping, purge_old, retry_now, send,
};
pub(super) use deliveries::{OutgoingWebhook, next_webhook, record_delivery};
pub use webhooks::{create_webhook_secret, rotate_webhook_secret, set_webhook, webhook};
