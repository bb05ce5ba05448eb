//! The tables of other providers: each column once, with its tags.

use crate::db::{Cell, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[IDENTITY, OAUTH_FLOW];

table! {
    /// Connected accounts of other providers.
    pub(crate) IDENTITY: "identity" { part: Some("account/identities"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    provider = exported(Cell::Text);
    issuer = exported(Cell::Text);
    subject = exported(Cell::Text).personal("recognizes the account of the provider");
    label = exported(Cell::Text).personal("lets people recognize the account of the provider");
    email = exported(Cell::Text).personal("lets people recognize the account of the provider");
    linked_at = exported(Cell::Time);
    last_used_at = exported(Cell::Time).ends();
    account_id = left_out(LINK);
}

table! {
    /// Authorization requests in progress.
    pub(crate) OAUTH_FLOW: "oauth_flow" { part: None, kept: "half an hour", erasure: Erasure::Deletes }
    digest = left_out(SECRET);
    provider = left_out(STATE);
    purpose = left_out(STATE);
    binder = left_out(SECRET);
    sealed = left_out(SECRET).personal("completes the sign-in with the provider");
    account_id = left_out(LINK);
    created_at = left_out(STATE).ends();
    expires_at = left_out(STATE).ends();
    used_at = left_out(STATE).set_later();
    posted = left_out(SECRET).personal("completes the sign-in with the provider").set_later();
    posted_until = left_out(STATE).set_later().ends();
    found = left_out(
        "the identity that a provider returned: kept for half an hour, then exported with the connected account",
    )
        .personal("completes the sign-in with the provider")
        .set_later();
}
