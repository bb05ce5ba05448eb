//! The tables of accounts: each column once, with its tags.

use crate::db::{Cell, DERIVED, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] =
    &[ACCOUNT, ACCOUNT_EMAIL, EMAIL_CODE, EMAIL_CHANGE, EMAIL_CODE_COUNT, PASSWORD, ONE_TIME_LINK, RETIRED_USERNAME];

table! {
    /// People.
    pub(crate) ACCOUNT: "account" { part: Some("account/profile"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    username = exported(Cell::Text).personal("names the account and signs in");
    display_name = exported(Cell::Text).personal("shown to people of the same workspaces");
    company = exported(Cell::Text).personal("shown on the profile").set_later();
    use_case = exported(Cell::Text).personal("shown on the profile").set_later();
    bio = exported(Cell::Text).personal("shown on the profile").set_later();
    colour = exported(Cell::Text);
    region = exported(Cell::Text);
    state = exported(Cell::Text);
    is_operator = exported(Cell::Flag);
    created_at = exported(Cell::Time).ends();
    keys_locked_at = exported(Cell::Time).set_later();
    skeleton = left_out(DERIVED).personal("refuses names that look like it");
}

table! {
    /// E-mail addresses.
    pub(crate) ACCOUNT_EMAIL: "account_email" { part: Some("account/emails"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    address = exported(Cell::Text).personal("receives mail and signs in");
    verified_at = exported(Cell::Time);
    is_primary = exported(Cell::Flag);
    added_at = exported(Cell::Time);
    account_id = left_out(LINK);
    folded = left_out(DERIVED).personal("finds the address");
}

table! {
    /// Codes that verify an address.
    pub(crate) EMAIL_CODE: "email_code" {
        part: None,
        kept: "an hour after it was sent",
        erasure: Erasure::Deletes,
    }
    email_id = left_out(LINK);
    digest = left_out(SECRET);
    tries = left_out(STATE).set_later();
    sent_at = left_out(STATE).ages();
    expires_at = left_out("ten minutes after it was sent").ends();
    counted_from = left_out(STATE).ages();
    sent_count = left_out(STATE).set_later();
}

table! {
    /// Changes of the primary address, which can be undone for a while.
    pub(crate) EMAIL_CHANGE: "email_change" { part: Some("account/email-changes"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    from_id = exported(Cell::Text).named("from");
    to_id = exported(Cell::Text).named("to");
    changed_at = exported(Cell::Time).ends();
    revert_until = exported(Cell::Time).ends();
    closed_at = exported(Cell::Time).set_later();
    account_id = left_out(LINK);
    since = left_out(DERIVED);
}

table! {
    /// How many codes an account sent to addresses that it added.
    pub(crate) EMAIL_CODE_COUNT: "email_code_count" { part: None, erasure: Erasure::Deletes }
    account_id = left_out(LINK);
    counted_from = left_out(STATE).ages();
    sent_count = left_out(STATE);
}

table! {
    /// Hashes of passwords.
    pub(crate) PASSWORD: "password" { part: Some("account/profile"), erasure: Erasure::Deletes }
    changed_at = exported(Cell::Time).named("password_changed_at");
    account_id = left_out(LINK);
    phc = left_out(SECRET);
}

table! {
    /// Links that work once.
    pub(crate) ONE_TIME_LINK: "one_time_link" {
        part: None,
        kept: "an hour after it expired",
        erasure: Erasure::Deletes,
    }
    digest = left_out(SECRET);
    purpose = left_out("in the activity");
    account_id = left_out(LINK);
    about = left_out(LINK);
    created_at = left_out("in the activity").ends();
    expires_at = left_out(STATE).ends();
    used_at = left_out("in the activity").set_later();
}

table! {
    /// Names of erased accounts.
    pub(crate) RETIRED_USERNAME: "retired_username" {
        part: None,
        kept: "a year",
        erasure: Erasure::Keeps("so that another person cannot take over the name of an erased account (GDPR Art. \
            6(1)(f)): a keyed digest without the name, for a year"),
    }
    digest = left_out("created at erasure; gives no access");
    until = left_out("a year after the erasure").ends();
}
