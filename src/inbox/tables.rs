//! The tables of the inbox: each column once, with its tags.

use crate::db::{DERIVED, Erasure, LINK, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[SERVICE_COMMAND, WEBHOOK_ENDPOINT, WEBHOOK_DELIVERY];

table! {
    /// What services are asked to do.
    pub(crate) SERVICE_COMMAND: "service_command" {
        part: None,
        kept: "30 days after their end",
        erasure: Erasure::Empties("an open command to erase, or to delete a resource for good, stays with the ids that its service \
            needs for it, and is emptied when the service has answered (GDPR Art. 17(1), 19); all others are deleted"),
    }
    id = left_out(STATE);
    seq = left_out(STATE);
    service_id = left_out(LINK);
    kind = left_out(STATE);
    workspace_id = left_out(LINK);
    subject_id = left_out(LINK);
    payload_json = left_out(DERIVED)
        .personal("tells a service what to do with the person's data, until it has done it").emptied();
    created_at = left_out(STATE);
    deadline = left_out(STATE).ends();
    accepted_at = left_out(STATE).set_later();
    ended_at = left_out(STATE).set_later().ends();
    outcome = left_out(STATE).set_later();
    detail = left_out("what a service said about its own work").set_later()
        .personal("shows an operator why a service could not do it").emptied();
    attempts = left_out(STATE).set_later();
    next_at = left_out(STATE).ends();
    delivered_at = left_out(STATE).set_later();
}

table! {
    /// Where services receive webhooks.
    pub(crate) WEBHOOK_ENDPOINT: "webhook_endpoint" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    url = left_out("the address of a program");
    sealed_secret = left_out(SECRET);
    sealed_previous = left_out(SECRET).set_later();
    previous_ends_at = left_out(STATE).set_later().ends();
    changed_at = left_out(STATE);
    failing_since = left_out(STATE).set_later();
    gone_at = left_out(STATE).set_later();
    failures = left_out(STATE).set_later();
    paused_until = left_out(STATE).set_later().ends();
}

table! {
    /// Attempts to send webhooks.
    pub(crate) WEBHOOK_DELIVERY: "webhook_delivery" {
        part: None,
        kept: "as long as the command",
        erasure: Erasure::Deletes,
    }
    id = left_out(STATE);
    command_id = left_out(LINK);
    at = left_out(STATE);
    duration_ms = left_out(STATE);
    status = left_out(STATE);
    answer = left_out("what a service answered about its own work")
        .personal("shows an operator why a service did not take a command");
    failure = left_out(STATE);
}
