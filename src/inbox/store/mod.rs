//! All SQL of commands, webhook endpoints and deliveries.

mod commands;
mod webhooks;

pub(super) use commands::{
    delete_old, empty, find_due, insert, list_inbox, list_of_all, list_of_service, next_seq, reopen, update_accepted,
    update_attempted, update_cancelled, update_delivered, update_end, update_none_due, update_open_due,
    update_waiting_due,
};
pub(super) use webhooks::{
    clear_previous_secrets, delete_endpoint, end_pause, find_endpoint, find_secrets, insert_delivery, insert_endpoint,
    is_paused, list_due_services, update_failing, update_gone, update_secret, update_url, update_working,
};

pub use commands::{STATEMENTS as COMMAND_STATEMENTS, cancel_open, delete_about, find, list_needing_care, overdue};
pub use webhooks::{STATEMENTS as WEBHOOK_STATEMENTS, list_deliveries};
