//! The tables of mail: each column once, with its tags.

use crate::db::{Erasure, LINK, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[MAIL_OUTBOX];

table! {
    /// The outbox.
    pub(crate) MAIL_OUTBOX: "mail_outbox" {
        part: None,
        kept: "a week after it was sent or given up",
        erasure: Erasure::Deletes,
    }
    id = left_out(STATE);
    account_id = left_out(LINK);
    recipient = left_out("the person's address, exported with the account; the mail itself was sent to the person")
        .personal("receives the mail");
    subject = left_out("sent to the person, and kept for a week").personal("the mail");
    body_text = left_out("sent to the person, then emptied; may contain a code or link, which are secrets")
        .personal("the mail")
        .kept("until it was sent or given up");
    body_html = left_out("the same as body_text").personal("the mail").kept("until it was sent or given up");
    created_at = left_out(STATE).ages();
    next_at = left_out(STATE).ends();
    attempts = left_out(STATE).set_later();
    last_error = left_out(STATE)
        .personal("tells the operator why a mail failed; servers repeat the address in it")
        .set_later();
    sent_at = left_out(STATE).set_later().ends();
    given_up_at = left_out(STATE).set_later().ends();
    forget_when_sent = left_out(STATE);
    claimed_at = left_out(STATE).set_later();
    failed_stage = left_out(STATE).set_later();
    failed_code = left_out(STATE).set_later();
    failed_cause = left_out(STATE).set_later();
}
