//! The events of commands to services and of webhooks.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to the webhooks of services, and to commands by an operator's hand.
    InboxEvent {
        WebhookSet = "service.webhook_set":
            EventType::for_operators().done("Webhook address set").with(&[Part::Text]).may_end_access(),
        WebhookRemoved = "service.webhook_removed": EventType::for_operators().done("Webhook address removed").ends_access(),
        WebhookGone = "service.webhook_gone":
            EventType::for_operators().done("Webhooks switched off by their service").ends_access(),
        WebhookSecretRotated =
            "service.webhook_secret_rotated": EventType::for_operators().done("Webhook secret rotated").ends_access(),
        CommandCancelled = "service.command_cancelled": EventType::for_operators().done("Command cancelled"),
        CommandRetried = "service.command_retried": EventType::for_operators().done("Command sent again"),
    }
}
