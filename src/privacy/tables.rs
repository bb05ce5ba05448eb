//! The tables of privacy: each column once, with its tags.

use crate::db::{Cell, DERIVED, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[DATA_REQUEST, EXPORT_ARTIFACT, EXPORT_LINK, ERASURE_PENDING, ERASURE, ERASURE_SERVICE];

table! {
    /// Requests of exports.
    pub(crate) DATA_REQUEST: "data_request" {
        part: Some("account/exports"),
        kept: "90 days",
        erasure: Erasure::Deletes,
    }
    id = exported(Cell::Text);
    state = exported(Cell::Text);
    recipient_kind = exported(Cell::Text);
    requested_at = exported(Cell::Time).ends();
    finished_at = exported(Cell::Time).set_later();
    problem = exported(Cell::Text).set_later();
    account_id = left_out(LINK);
    artifact_id = left_out(LINK);
    kind = left_out(DERIVED);
    progress_percent = left_out(STATE).set_later();
    step = left_out(STATE).set_later();
    sealed_recipient = left_out(SECRET).personal("encrypts the export").kept("until the export is written");
}

table! {
    /// Finished exports.
    pub(crate) EXPORT_ARTIFACT: "export_artifact" { part: None, kept: "a week", erasure: Erasure::Deletes }
    id = left_out(LINK);
    request_id = left_out(LINK);
    account_id = left_out(LINK);
    file_name = left_out("of an earlier archive, which the person has or can request again")
        .personal("names the download");
    bytes = left_out(STATE);
    sha256 = left_out(STATE);
    ready_at = left_out(STATE);
    delete_after = left_out(STATE).ends();
}

table! {
    /// Links to finished exports.
    pub(crate) EXPORT_LINK: "export_link" { part: None, kept: "an hour", erasure: Erasure::Deletes }
    digest = left_out(SECRET);
    artifact_id = left_out(LINK);
    account_id = left_out(LINK);
    expires_at = left_out(STATE).ends();
}

table! {
    /// Erasures whose receipt is not final.
    pub(crate) ERASURE_PENDING: "erasure_pending" {
        part: None,
        kept: "until the receipt is final",
        erasure: Erasure::Keeps("until no file contains the person, so that the deletion is finished (GDPR Art. 17(1)): \
            an opaque id"),
    }
    receipt_id = left_out("on the person's receipt");
    erased_at = left_out(STATE).ages();
    log_emptied = left_out(STATE).set_later();
    snapshot_replaced = left_out(STATE).set_later();
}

table! {
    /// Receipts of erasures.
    pub(crate) ERASURE: "erasure" {
        part: None,
        kept: "as long as the appliance, as evidence of the erasure",
        erasure: Erasure::Keeps("evidence that a person was erased (GDPR Art. 5(2)): opaque ids and times"),
    }
    receipt_id = left_out("on the person's receipt");
    account_id = left_out("on the person's receipt");
    workspace_id = left_out("on the person's receipt");
    erased_at = left_out(STATE).ages();
    snapshot_replaced_at = left_out(STATE);
    copies_until = left_out(STATE);
    final_at = left_out(STATE).set_later();
}

table! {
    /// What services said about erasures.
    pub(crate) ERASURE_SERVICE: "erasure_service" {
        part: None,
        kept: "as long as the receipt",
        erasure: Erasure::Keeps("evidence of what services said about an erasure (GDPR Art. 5(2), 19): words of closed lists"),
    }
    receipt_id = left_out(LINK);
    service_id = left_out(LINK);
    requested_at = left_out(STATE);
    command_id = left_out(LINK);
    answer = left_out(STATE).set_later();
    answered_at = left_out(STATE).set_later().ages();
    basis = left_out(STATE).set_later();
    retained_until = left_out(STATE).set_later();
}
