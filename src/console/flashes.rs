//! The flash messages of the console.

use crate::http::flash::flashes;

flashes! {
    /// What happened to a service.
    pub enum ConsoleFlash {
        GrantChanged = good "grant-changed": "Saved. It is in force at the next request of the service.",
        GrantKept = good "grant-kept": "Nothing was changed: the service may do the same as before.",
        WebhookSaved = good "webhook-saved": "Saved. Open commands that it has not taken are sent there now.",
        Pinged = good "command-pinged": "Sent. The service has an hour to acknowledge it.",
        Retried = good "command-retried": "The command is sent again.",
        Attested = good "erasure-attested": "Attested. It is in the audit, with your name.",
        Disconnected = good "service-disconnected": "The service is disconnected. Its credentials are refused from now on.",
    }
}
